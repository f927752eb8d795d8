//! The sweep: what ends access when the timer is lost, and what is done about a removal that AWS refuses (P2, P6).

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_domain::event::{Actor, Fact};
use curfew_tests::{
    Approval, Curfew, Flavour, Person, Record, World, minute_after, now, reached, until, world,
};
use jiff::Timestamp;
use serde_json::json;

use crate::support::{TIMER_PATIENCE, assert_bare, assert_denied, assert_ended};

/// Waits for the sweep's own schedule: a try that failed, its pause, and the lap after it.
const LAP_PATIENCE: Duration = Duration::from_secs(200);

/// Takes from one of Curfew's roles the right to remove policies from one user. Nobody else is touched.
async fn deny_removal(world: &World, curfew: &Curfew, role_output: &str, person: &Person) {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Deny", "Action": "iam:DeleteUserPolicy", "Resource": person.principal }],
    });
    let parameters = [
        ("RoleName", name_of(curfew.output(role_output))),
        ("PolicyName", name_of(&person.principal)),
        ("PolicyDocument", &document.to_string()),
    ];
    world.root().query("iam", "PutRolePolicy", &parameters).await.expect("a policy that denies");
}

async fn restore_removal(world: &World, curfew: &Curfew, role_output: &str, person: &Person) {
    let parameters =
        [("RoleName", name_of(curfew.output(role_output))), ("PolicyName", name_of(&person.principal))];
    world.root().query("iam", "DeleteRolePolicy", &parameters).await.expect("a policy to remove");
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// When the sweep tries again, by the record of the first failure.
fn retry_at(record: &Record) -> Option<Timestamp> {
    record.events.iter().find_map(|event| match &event.fact {
        Fact::RevocationFailed { error, failures: 1, retry_at } => {
            assert!(error.contains("DeleteUserPolicy") && error.contains("AccessDenied"), "{error}");
            Some(*retry_at)
        }
        _ => None,
    })
}

/// Waits until a function's log has it that a removal failed: logs come after the reply.
async fn counted_failures(world: &World, curfew: &Curfew, function: Function) {
    let counted = async || {
        let lines = curfew.deployment().log(world.stack(), function).await.expect("a log");
        let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let is_counted = lines.any(|line| {
            line["RevocationFailures"].as_u64().is_some_and(|count| count > 0)
                && line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] == "RevocationFailures"
        });
        is_counted.then_some(())
    };
    until("the failed removal is counted", TIMER_PATIENCE, counted).await;
}

/// Nobody calls it: its own rule does.
#[tokio::test]
async fn the_sweep_ends_a_grant_whose_timer_is_lost() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let ends = minute_after(12);
    let id = curfew.grant(&Approval::of(&person, "acme", "auditor").until(ends)).await;
    curfew.lose_schedule(&id).await;
    person.keys.object(&world.acme().bucket()).await.expect("what was approved is allowed");

    reached(ends).await;
    let record = curfew.record_in("closed", &id, LAP_PATIENCE).await;
    assert_eq!(record.story(), ["Requested", "Opened", "Activated", "Expired", "Revoked"]);
    assert_eq!(record.actors().last(), Some(&&Actor::Sweep));
    assert_ended(curfew, &record, "expired").await;
    assert_eq!(world.root().attached_policies(&person.principal).await, Ok(vec![]));
    assert_denied(person.keys.object(&world.acme().bucket()).await);
}

#[tokio::test]
async fn a_sweep_that_may_not_remove_says_so_and_goes_on() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let ends = minute_after(12);
    let id = curfew.grant(&Approval::of(&person, "acme", "reader").until(ends)).await;
    curfew.lose_schedule(&id).await;
    deny_removal(world, curfew, "SweepRoleArn", &person).await;

    reached(ends).await;
    curfew.invoke(Function::Sweep, &json!({})).await;
    let failed = async || curfew.record(&id).await.filter(|record| retry_at(record).is_some());
    let record = until("a failed removal is recorded", TIMER_PATIENCE, failed).await;
    assert_eq!(record.state(), "closing", "nothing is called closed that AWS did not confirm");
    record.verify();
    assert!(curfew.is_indexed(&record).await, "it still owes work");
    counted_failures(world, curfew, Function::Sweep).await;
    assert_denied(person.keys.object(&world.acme().bucket()).await);

    restore_removal(world, curfew, "SweepRoleArn", &person).await;
    reached(retry_at(&record).expect("a time")).await;
    curfew.invoke(Function::Sweep, &json!({})).await;
    let record = curfew.record_in("closed", &id, LAP_PATIENCE).await;
    assert_eq!(
        record.chapters(),
        ["Requested", "Opened", "Activated", "Expired", "RevocationFailed", "Revoked"]
    );
    assert_ended(curfew, &record, "expired").await;
    assert_bare(&world.root(), &person.principal).await;
}

#[tokio::test]
async fn a_revocation_that_aws_refuses_stays_closing_until_the_sweep_proves_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    deny_removal(world, curfew, "RevokeRoleArn", &person).await;
    let order = json!({ "grant_id": id, "reason": "wrong person", "operator": "olga@example.test" });
    let revoked = curfew.invoke(Function::Revoke, &order).await.payload;
    assert_eq!(
        (&revoked["ok"], &revoked["grants"][0]["result"]),
        (&json!(false), &json!("unproven")),
        "{revoked}"
    );
    let message = revoked["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("AWS did not confirm it yet") && message.contains("DeleteUserPolicy"),
        "{message}"
    );
    let record = curfew.record(&id).await.expect("a grant");
    assert_eq!(record.state(), "closing");
    assert_eq!(record.story().last(), Some(&"RevocationFailed"));
    let retry_at = retry_at(&record).expect("a recorded failure");
    counted_failures(world, curfew, Function::Revoke).await;

    reached(retry_at).await;
    curfew.invoke(Function::Sweep, &json!({})).await;
    let record = curfew.record_in("closed", &id, LAP_PATIENCE).await;
    assert!(now() >= retry_at);
    assert_eq!(
        record.chapters(),
        ["Requested", "Opened", "Activated", "RevocationRequested", "RevocationFailed", "Revoked"]
    );
    assert_eq!(record.actors().last(), Some(&&Actor::Sweep));
    assert_ended(curfew, &record, "revoked").await;
    assert_bare(&world.root(), &person.principal).await;
}
