//! Operators: what is typed into the Lambda console's Test tab, or after `aws lambda invoke --payload`.

use curfew_cli::artifacts::Function;
use curfew_tests::catalog::INITECH;
use curfew_tests::{Approval, Curfew, Flavour, Record, world};
use serde_json::{Value, json};

use crate::support::{STORY_OF_A_REVOCATION, assert_bare, assert_denied, assert_ended};

fn order(selector: Value) -> Value {
    let mut order = json!({ "reason": "incident INC0010023 is over", "operator": "olga@example.test" });
    let fields = order.as_object_mut().expect("an object");
    fields.extend(selector.as_object().expect("an object").clone());
    order
}

async fn revoke(curfew: &Curfew, selector: Value) -> Value {
    let invoked = curfew.invoke(Function::Revoke, &order(selector)).await;
    assert_eq!(invoked.error, None, "{}", invoked.payload);
    invoked.payload
}

async fn assert_revoked(curfew: &Curfew, id: &str) -> Record {
    let record = curfew.record(id).await.expect("a grant");
    assert_eq!(record.story(), STORY_OF_A_REVOCATION);
    assert_ended(curfew, &record, "revoked").await;
    assert!(!curfew.has_schedule(id).await);
    record
}

#[tokio::test]
async fn an_operator_ends_a_grant_from_the_command_line() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;

    let would = revoke(curfew, json!({ "grant_id": id, "dry_run": true })).await;
    assert_eq!((&would["ok"], &would["grants"][0]["result"]), (&json!(true), &json!("would-end")), "{would}");
    person.keys.object(&world.acme().bucket()).await.expect("a dry run ends nothing");

    let output = world.stack().folder().join(format!("{id}.json"));
    let payload = order(json!({ "grant_id": id })).to_string();
    let function = curfew.output("RevokeFunctionName");
    let command = ["lambda", "invoke", "--function-name", function, "--payload", &payload];
    let output_name = output.display().to_string();
    world.stack().root().run(command.into_iter().chain([&*output_name])).await.expect("an invocation");
    let said: Value = serde_json::from_slice(&std::fs::read(&output).expect("a reply")).expect("JSON");
    assert_eq!(said["ok"], true, "{said}");
    let message = said["message"].as_str().expect("words");
    assert!(message.contains("has been removed: AWS confirmed DeleteUserPolicy at"), "{message}");
    assert_denied(person.keys.object(&world.acme().bucket()).await);
    let record = assert_revoked(curfew, &id).await;
    let asked =
        record.events.iter().find(|event| event.fact.name() == "RevocationRequested").expect("an event");
    assert_eq!(asked.actor.to_string(), "operator olga@example.test");
    let reason = json!(asked.fact)["reason"].as_str().expect("words").to_owned();
    let invocation =
        reason.strip_prefix("incident INC0010023 is over (invocation ").and_then(|id| id.strip_suffix(')'));
    let invocation = invocation.expect("the operator's words, and the invocation that brought them");
    let log = curfew.deployment().log(world.stack(), Function::Revoke).await.expect("the function's log");
    assert!(log.iter().any(|line| line.contains(invocation)), "{invocation} is in no line of the log");

    let again = revoke(curfew, json!({ "grant_id": id })).await;
    assert_eq!(
        (&again["ok"], &again["grants"][0]["result"]),
        (&json!(true), &json!("already-closed")),
        "{again}"
    );
    assert_eq!(
        curfew.record(&id).await.map(|record| record.item),
        Some(record.item),
        "nothing more was written"
    );
}

#[tokio::test]
async fn an_operator_ends_all_of_a_ticket_a_person_or_a_tenant() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let (ann, bob) = (world.person().await, world.person().await);
    let by_ticket = Approval::of(&ann, INITECH, "reader");
    let by_person = [Approval::of(&bob, "acme", "reader"), Approval::of(&bob, INITECH, "wide")];
    let by_tenant = [Approval::of(&ann, INITECH, "table-reader"), Approval::of(&ann, INITECH, "wide")];
    let first = curfew.grant(&by_ticket).await;
    let mut of_bob = Vec::new();
    for approval in &by_person {
        of_bob.push(curfew.grant(approval).await);
    }
    let mut of_initech = Vec::new();
    for approval in &by_tenant {
        of_initech.push(curfew.grant(approval).await);
    }

    let said = revoke(curfew, json!({ "ticket": by_ticket.ticket_id() })).await;
    assert_eq!(said["ok"], true, "{said}");
    assert_revoked(curfew, &first).await;

    let said = revoke(curfew, json!({ "person": bob.email })).await;
    let message = said["message"].as_str().unwrap_or_default();
    assert_eq!(said["ok"], true, "{said}");
    assert!(message.starts_with("of 2 grant(s): 2 removed, as AWS confirmed; "), "{message}");
    for id in &of_bob {
        assert_revoked(curfew, id).await;
    }
    assert_bare(&world.root(), &bob.principal).await;

    let said = revoke(curfew, json!({ "tenant": INITECH })).await;
    assert_eq!(said["ok"], true, "{said}");
    for id in &of_initech {
        assert_revoked(curfew, id).await;
    }
    assert_bare(&world.root(), &ann.principal).await;

    let nothing = revoke(curfew, json!({ "person": bob.email })).await;
    assert_eq!((&nothing["ok"], &nothing["grants"]), (&json!(true), &json!([])), "{nothing}");
}

#[tokio::test]
async fn what_an_operator_got_wrong_is_said_in_words() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let unknown = revoke(curfew, json!({ "grant_id": "g-abcdefghijklmnopqrstuvwxyz" })).await;
    assert_eq!(unknown["ok"], false);
    let message = unknown["message"].as_str().expect("words");
    assert!(message.contains("there is no grant g-abcdefghijklmnopqrstuvwxyz"), "{message}");

    let bad =
        curfew.invoke(Function::Revoke, &json!({ "grantId": "g-1", "operator": "olga@example.test" })).await;
    assert_eq!(bad.error, None);
    assert_eq!(bad.payload["ok"], false);
    assert_eq!(bad.payload["problems"].as_array().map(Vec::len), Some(3), "{}", bad.payload);
    assert!(bad.payload["example"]["grant_id"].is_string(), "{}", bad.payload);
}

/// A timer's input that comes early, or for nobody: no lever to end a grant with, nor a way to hide a lost table.
#[tokio::test]
async fn a_timers_input_ends_nothing_early_and_fails_for_an_unknown_grant() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let early = curfew.invoke(Function::Revoke, &json!({ "grant_id": id, "trigger": "timer" })).await;
    assert_eq!(early.payload["grants"][0]["result"], "not-due", "{early:?}");
    person.keys.object(&world.acme().bucket()).await.expect("the window is not over");

    let unknown = json!({ "grant_id": "g-abcdefghijklmnopqrstuvwxyz", "trigger": "timer" });
    let failed = curfew.invoke(Function::Revoke, &unknown).await;
    assert!(failed.error.is_some(), "{failed:?}");
}
