//! Operators who extend live access: by invoking the grant function, past every rule that an approval has to pass.

use curfew_cli::artifacts::Function;
use curfew_domain::event::Fact;
use curfew_tests::catalog::APPROVER;
use curfew_tests::wait::{later, reached};
use curfew_tests::{Approval, Curfew, Flavour, now, ticket_closed, world};
use serde_json::{Value, json};

use crate::amendments::{assert_ends_in_iam, timer_at, timer_of};
use crate::support::{assert_bare, assert_ended, assert_problem};

/// An approval that was given a while ago: one of this very second, an operator's is not later than.
fn earlier(approval: Approval) -> Approval {
    approval.with("approvals", json!([{ "approver": APPROVER, "at": later(now(), -60) }]))
}

/// An order of somebody who may approve.
fn order(id: &str, more: Value) -> Value {
    let mut order = json!({ "extend": id, "reason": "INC0010023 is not over", "operator": APPROVER });
    let fields = order.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    order
}

async fn extend(curfew: &Curfew, id: &str, more: Value) -> Value {
    let invoked = curfew.invoke(Function::Grant, &order(id, more)).await;
    assert_eq!(invoked.error, None, "{}", invoked.payload);
    invoked.payload
}

#[tokio::test]
async fn an_operator_extends_live_access_and_aws_follows_and_the_record_says_who() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let first_end = later(now(), 1_800);
    let approval = earlier(Approval::of(&person, "acme", "reader").until(first_end));
    let id = curfew.grant(&approval).await;
    let opened = curfew.record(&id).await.expect("a grant");
    let first_end = opened.grant.window().expires_at();
    let ends = later(first_end, 3_600);

    let would = extend(curfew, &id, json!({ "minutes": 60, "dry_run": true })).await;
    assert_eq!((&would["ok"], &would["expires_at"]), (&json!(true), &json!(ends)), "{would}");
    assert_eq!(
        curfew.record(&id).await.map(|record| record.item),
        Some(opened.item),
        "a dry run writes nothing"
    );

    let said = extend(curfew, &id, json!({ "minutes": 60 })).await;
    assert_eq!(
        (&said["ok"], &said["expires_at"], &said["grant_id"]),
        (&json!(true), &json!(ends), &json!(id)),
        "{said}"
    );
    assert_eq!(
        timer_of(world, curfew, Flavour::Scheduler, &id).await,
        timer_at(Flavour::Scheduler, whole(ends))
    );
    assert_ends_in_iam(world, &person.principal, &id, ends).await;
    person.keys.object(&world.acme().bucket()).await.expect("it was extended");
    let record = curfew.record(&id).await.expect("a grant");
    assert_eq!(record.story(), ["Requested", "Opened", "Activated", "Extended", "Activated"]);
    record.verify();
    let extended = &record.events[3];
    assert_eq!(extended.actor.to_string(), format!("operator {APPROVER}"));
    let Fact::Extended { change } = &extended.fact else { panic!("{extended:?}") };
    assert_eq!((change.from.expires_at(), change.to.expires_at()), (first_end, ends));
    let [approved] = change.request.approvals.as_slice() else { panic!("{change:?}") };
    assert_eq!(approved.approver.to_string(), APPROVER);
    let invocation = change.request.delivery.as_str().strip_prefix("operator:").expect("an operator's");
    let reason = format!("INC0010023 is not over (invocation {invocation})");
    assert_eq!(change.reason.as_deref(), Some(reason.as_str()));

    // Once more, from the dashboard: nothing more. And what the ticket said before the operator did, says no more.
    let form = json!({ "operator": [APPROVER], "reason": "INC0010023 is not over" });
    let widget = json!({ "dashboardName": "Curfew", "params": {}, "forms": { "all": form } });
    let again = json!({ "extend": id, "minutes": 60, "widgetContext": widget });
    let again = curfew.invoke(Function::Grant, &again).await.payload;
    assert_eq!((&again["ok"], &again["expires_at"]), (&json!(true), &json!(ends)), "{again}");
    let replayed = curfew.approve(&approval).await;
    assert_eq!((replayed.status, &replayed.json()["duplicate"]), (200, &json!(true)));
    assert_eq!(
        curfew.record(&id).await.map(|record| record.item),
        Some(record.item),
        "nothing more was written"
    );

    // Earlier, by the same door; and with its ticket it ends.
    let sooner = later(first_end, -600);
    // The second after the order before it, which is an approval too.
    reached(later(now(), 1)).await;
    let said = extend(curfew, &id, json!({ "until": sooner })).await;
    assert_eq!((&said["ok"], &said["expires_at"]), (&json!(true), &json!(sooner)), "{said}");
    assert_ends_in_iam(world, &person.principal, &id, sooner).await;
    let closed = curfew.post(&ticket_closed(approval.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    assert_ended(curfew, &curfew.record(&id).await.expect("a grant"), "revoked").await;
    assert_bare(&world.root(), &person.principal).await;
    let late = extend(curfew, &id, json!({ "minutes": 60 })).await;
    assert!(late["message"].as_str().is_some_and(|said| said.contains("was closed (revoked) at")), "{late}");
    assert_bare(&world.root(), &person.principal).await;
}

/// The minute at which a timer fires.
fn whole(time: jiff::Timestamp) -> jiff::Timestamp {
    curfew_domain::window::whole_minute_up(time)
}

#[tokio::test]
async fn what_an_approval_could_not_do_an_operator_can_not_do_and_nothing_changes() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let (person, other) = (world.person().await, world.person().await);
    let at = later(now(), -60);
    let both = json!([{ "approver": APPROVER, "at": at }, { "approver": other.email, "at": at }]);
    let change = |approval: Approval| approval.with("ticket_kind", json!("change"));
    let reader = earlier(Approval::of(&person, "acme", "reader"));
    let in_pairs = Approval::of(&person, "acme", "in-pairs").with("approvals", both);
    let fixed = change(earlier(Approval::of(&person, "acme", "never-longer")));
    let by = |operator: &str| json!({ "minutes": 60, "operator": operator });
    for (approval, more, code, said) in [
        (&reader, by(&person.email), "self-approval", "nobody but the requester"),
        (&reader, by("mallory@example.test"), "unknown-approver", "is not in the catalog"),
        (&reader, json!({ "minutes": 600 }), "window-too-long", "may be had for 4h"),
        (&in_pairs, by(APPROVER), "operator-not-entitled", "the approvals of 2 people"),
        (&fixed, by(APPROVER), "forbidden-by-guardrail", "`never-standing-is-not-extended`"),
    ] {
        let reply = curfew.approve(approval).await;
        let id = reply.json()["grant_id"].as_str().expect("a grant").to_owned();
        let before = curfew.record(&id).await.expect("a grant");
        let timer = timer_of(world, curfew, Flavour::Scheduler, &id).await;
        let policy = world.root().inline_policy(&person.principal, &format!("curfew-{id}")).await;
        let denials = curfew.items(&format!("TICKET#{}", approval.ticket_id())).await.len();

        let refused = extend(curfew, &id, more).await;
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(refused["ok"] == false && message.contains(said), "{refused}");
        let after = curfew.record(&id).await.expect("a grant");
        assert_eq!(after.item, before.item, "{code}");
        assert_eq!(timer_of(world, curfew, Flavour::Scheduler, &id).await, timer);
        assert_eq!(world.root().inline_policy(&person.principal, &format!("curfew-{id}")).await, policy);
        let items = curfew.items(&format!("TICKET#{}", approval.ticket_id())).await;
        assert_eq!(items.len(), denials + 1, "{items:?}");
        let denied = items.iter().filter(|item| item["code"] == code).collect::<Vec<_>>();
        let [denied] = denied.as_slice() else { panic!("one denial of {code}: {items:?}") };
        let reason = denied["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("INC0010023 is not over (invocation "), "{denied}");
    }
}

/// What is posted never reaches the operators' door, whoever signs it.
#[tokio::test]
async fn an_order_that_is_posted_is_a_malformed_webhook() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let before = curfew.record(&id).await.map(|record| record.item);
    assert_problem(&curfew.post(&order(&id, json!({ "minutes": 60 }))).await, 400, "malformed");
    assert_eq!(curfew.record(&id).await.map(|record| record.item), before);

    let bad = curfew.invoke(Function::Grant, &json!({ "grant_id": id, "minutes": "60" })).await;
    assert_eq!((bad.error, &bad.payload["ok"]), (None, &json!(false)), "{}", bad.payload);
    assert_eq!(bad.payload["problems"].as_array().map(Vec::len), Some(5), "{}", bad.payload);
    assert!(bad.payload["example"]["extend"].is_string(), "{}", bad.payload);
}
