//! Later approvals on the same ticket: access that lasts longer, or ends sooner, than what was approved first.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_domain::event::{Actor, Fact};
use curfew_tests::catalog::APPROVER;
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Flavour, World, minute_after, now, reached, world};
use futures_util::future::join_all;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{TIMER_PATIENCE, assert_bare, assert_denied, assert_ended, assert_problem};

/// The lease of a change that died with its function, and the sweep after it.
const PATIENCE: Duration = Duration::from_secs(150);

/// The same, approved so many seconds later. A sender's clock may be ahead of ours a little.
fn approved_again(approval: &Approval, seconds: i64) -> Approval {
    let approvals = json!([{ "approver": APPROVER, "at": later(now(), seconds) }]);
    approval.clone().with("approvals", approvals)
}

/// When the grant's timer fires, as Scheduler or EventBridge says it.
pub(crate) async fn timer_of(world: &World, curfew: &Curfew, flavour: Flavour, id: &str) -> Value {
    let root = world.root();
    let said = match flavour {
        Flavour::Rules => {
            let name = json!({ "Name": format!("curfew-{id}") });
            root.json("events", "AWSEvents.DescribeRule", &name).await.expect("a rule")
        }
        _ => {
            let group = curfew.output("ScheduleGroup");
            let path = format!("/schedules/curfew-{id}?groupName={group}");
            root.rest("scheduler", Method::GET, &path, &[], b"").await.expect("a schedule").json()
        }
    };
    said["ScheduleExpression"].clone()
}

pub(crate) fn timer_at(flavour: Flavour, time: Timestamp) -> String {
    match flavour {
        Flavour::Rules => time.strftime("cron(%-M %-H %-d %-m ? %Y)").to_string(),
        _ => format!("at({})", time.strftime("%Y-%m-%dT%H:%M:%S")),
    }
}

/// One policy, of this grant, that ends then.
pub(crate) async fn assert_ends_in_iam(world: &World, principal: &str, id: &str, ends: Timestamp) {
    let name = format!("curfew-{id}");
    assert_eq!(world.root().inline_policies(principal).await, Ok(vec![name.clone()]));
    let document = world.root().inline_policy(principal, &name).await.expect("a policy");
    let condition = &document["Statement"][0]["Condition"]["DateLessThan"]["aws:CurrentTime"];
    assert_eq!(condition, &json!(ends), "{document}");
}

#[tokio::test]
async fn extended_access_outlives_its_first_end_and_ends_at_the_new_one() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let first_end = minute_after(15);
    let ends = later(first_end, 60);
    let first = Approval::of(&person, "acme", "reader").until(first_end);
    let id = curfew.grant(&first).await;
    let opened = curfew.record(&id).await.expect("a grant");

    let extended = approved_again(&first, 10).until(ends);
    let reply = curfew.approve(&extended).await;
    let body = reply.json();
    assert_eq!(
        (reply.status, &body["changed"], &body["grant_id"]),
        (200, &json!(true), &json!(id)),
        "{body}"
    );
    assert_eq!(body["window"], json!({ "starts_at": opened.grant.window().starts_at(), "expires_at": ends }));
    assert_eq!(timer_of(world, curfew, Flavour::Scheduler, &id).await, timer_at(Flavour::Scheduler, ends));
    assert_ends_in_iam(world, &person.principal, &id, ends).await;
    let record = curfew.record(&id).await.expect("a grant");
    assert_eq!(record.story(), ["Requested", "Opened", "Activated", "Extended", "Activated"]);
    record.verify();

    // The first approval, the same again, and one between the two that was held up on its way.
    for (body, words) in [
        (&first, "was granted before"),
        (&extended, "was granted before"),
        (&approved_again(&first, 5), "a later approval on this ticket is in force"),
    ] {
        let reply = curfew.approve(body).await;
        let said = reply.json();
        assert_eq!((reply.status, &said["duplicate"]), (200, &json!(true)), "{said}");
        assert_eq!(said["window"]["expires_at"], json!(ends));
        assert!(said["message"].as_str().is_some_and(|message| message.contains(words)), "{said}");
    }
    let again = curfew.record(&id).await.map(|record| record.item);
    assert_eq!(again, Some(record.item), "nothing was written");

    // Its first timer would have fired by then.
    let bucket = world.acme().bucket();
    reached(later(first_end, 10)).await;
    person.keys.object(&bucket).await.expect("it was extended");
    assert_eq!(curfew.record(&id).await.expect("a grant").state(), "active");
    assert!(now() < ends, "the machine was too slow for this test to prove anything");

    reached(ends).await;
    assert_denied(person.keys.object(&bucket).await);
    let record = curfew.record_in("closed", &id, TIMER_PATIENCE).await;
    assert_eq!(
        record.story(),
        ["Requested", "Opened", "Activated", "Extended", "Activated", "Expired", "Revoked"]
    );
    assert!(record.events.iter().any(|event| event.actor == Actor::Timer && event.at >= ends));
    assert_ended(curfew, &record, "expired").await;
    assert_bare(&world.root(), &person.principal).await;
    let late = curfew.approve(&approved_again(&extended, 20).until(later(ends, 600))).await;
    assert_problem(&late, 409, "conflict");
    assert_bare(&world.root(), &person.principal).await;
}

#[tokio::test]
async fn shortened_access_ends_at_the_new_end_although_more_was_approved_first() {
    let world = world().await;
    join_all([(Flavour::Scheduler, "reader"), (Flavour::Rules, "wide")].map(async |(flavour, role)| {
        let curfew = world.curfew(flavour).await;
        let person = world.person().await;
        let first = Approval::of(&person, "acme", role).until(later(now(), 3600));
        let id = curfew.grant(&first).await;
        let before = timer_of(world, curfew, flavour, &id).await;

        let ends = minute_after(20);
        let reply = curfew.approve(&approved_again(&first, 10).until(ends)).await;
        assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(true)), "{}", reply.text());
        let after = timer_of(world, curfew, flavour, &id).await;
        assert_ne!(after, before);
        assert_eq!(after, timer_at(flavour, ends));
        assert_ends_in_iam(world, &person.principal, &id, ends).await;
        let replayed = curfew.approve(&first).await;
        assert_eq!((replayed.status, &replayed.json()["duplicate"]), (200, &json!(true)));
        assert_ends_in_iam(world, &person.principal, &id, ends).await;
        let bucket = world.acme().bucket();
        person.keys.object(&bucket).await.expect("it is not over yet");
        assert!(now() < ends, "the machine was too slow for this test to prove anything");

        reached(ends).await;
        assert_denied(person.keys.object(&bucket).await);
        let record = curfew.record_in("closed", &id, TIMER_PATIENCE * 2).await;
        assert_eq!(
            record.story(),
            ["Requested", "Opened", "Activated", "Shortened", "Activated", "Expired", "Revoked"]
        );
        assert!(
            record.actors().contains(&&Actor::Timer),
            "the moved timer ended it and not the sweep: {:?}",
            record.actors()
        );
        let change = record.events.iter().find_map(|event| match &event.fact {
            Fact::Shortened { change } => Some((change.from.expires_at(), change.to.expires_at())),
            _ => None,
        });
        assert_eq!(change.map(|(_, to)| to), Some(ends));
        assert!(change.is_some_and(|(from, to)| to < from), "{change:?}");
        assert_ended(curfew, &record, "expired").await;
        assert_bare(&world.root(), &person.principal).await;
        assert!(!curfew.has_rule(&id).await);
    }))
    .await;
}

/// Whichever comes first: at the end nobody has access, and the story says who wanted what.
#[tokio::test]
async fn an_extension_and_a_revocation_at_the_same_moment_leave_no_access() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let mut races = Vec::new();
    for _ in 0..4 {
        let person = world.person().await;
        let first = Approval::of(&person, "acme", "reader").until(later(now(), 1200));
        let id = curfew.grant(&first).await;
        races.push((person, first, id));
    }
    join_all(races.iter().map(async |(person, first, id)| {
        let order = json!({ "grant_id": id, "reason": "it is not needed", "operator": "olga@example.test" });
        let extended = approved_again(first, 10).until(later(now(), 3600));
        let (reply, revoked) =
            tokio::join!(curfew.approve(&extended), curfew.invoke(Function::Revoke, &order));
        assert_eq!(revoked.error, None, "{revoked:?}");
        match reply.status {
            // It was done before the revocation came, or was overtaken, or came too late.
            200 => assert_eq!(reply.json()["changed"], true, "{}", reply.text()),
            409 => assert!(
                reply.text().contains("problem:conflict")
                    || reply.text().contains("problem:revoked-meanwhile"),
                "{}",
                reply.text()
            ),
            503 => assert_problem(&reply, 503, "try-again"),
            other => panic!("{other}: {}", reply.text()),
        }
        assert_denied(person.keys.object(&world.acme().bucket()).await);
        let record = curfew.record_in("closed", id, PATIENCE).await;
        assert!(record.story().contains(&"RevocationRequested"), "{:?}", record.story());
        assert_ended(curfew, &record, "revoked").await;
        assert_bare(&world.root(), &person.principal).await;
        assert!(!curfew.has_schedule(id).await);

        // The sender, told to try again, does.
        let again = curfew.approve(&extended).await;
        assert!([200, 409].contains(&again.status), "{}", again.text());
        assert_bare(&world.root(), &person.principal).await;
    }))
    .await;
}

/// A standing policy has no dates: the ledger, the timer and the sweep alone know its end.
#[tokio::test]
async fn a_standing_policy_is_had_for_as_long_as_the_later_approval_says() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let first_end = minute_after(15);
    let first = Approval::of(&person, "acme", "auditor").until(first_end);
    let id = curfew.grant(&first).await;
    let reply = curfew.approve(&approved_again(&first, 10).until(later(first_end, 60))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let bucket = world.acme().bucket();
    reached(later(first_end, 10)).await;
    person.keys.object(&bucket).await.expect("it was extended");

    let record = curfew.record_in("closed", &id, TIMER_PATIENCE + Duration::from_secs(60)).await;
    assert!(now() >= later(first_end, 60), "no timer is early");
    assert_eq!(record.item["grant"]["state"]["proof"]["found"], "deleted");
    assert_ended(curfew, &record, "expired").await;
    assert_denied(person.keys.object(&bucket).await);
    assert_eq!(world.root().attached_policies(&person.principal).await, Ok(vec![]));
}

#[tokio::test]
async fn a_change_against_the_rules_leaves_the_window_as_it_is() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let ends = later(now(), 1800);
    let first = Approval::of(&person, "acme", "reader").until(ends);
    let id = curfew.grant(&first).await;
    let before = curfew.record(&id).await.map(|record| record.item);
    let alone = json!([{ "approver": person.email, "at": later(now(), 10) }]);
    // The first approval with one of the requester's own beside it.
    let mut beside = first.body()["approvals"].clone();
    beside.as_array_mut().expect("approvals").push(alone[0].clone());
    for (changed, status, code) in [
        (approved_again(&first, 10).until(later(now(), 4 * 3600 + 60)), 422, "window-too-long"),
        (approved_again(&first, 10).with("window", json!({ "duration": "5h" })), 422, "window-too-long"),
        (first.clone().with("approvals", alone).until(later(now(), 3600)), 403, "self-approval"),
        (first.clone().with("approvals", beside).until(later(now(), 3600)), 403, "forbidden-by-guardrail"),
        (first.clone().until(later(now(), 3600)), 409, "conflict"),
    ] {
        assert_problem(&curfew.approve(&changed).await, status, code);
    }
    assert_eq!(curfew.record(&id).await.map(|record| record.item), before);
    assert_ends_in_iam(world, &person.principal, &id, ends).await;

    // A shorter end that is past when it comes ends the grant: it must not go on for longer than was approved last.
    let over = approved_again(&first, 10).until(later(now(), -60));
    assert_problem(&curfew.approve(&over).await, 409, "revoked-meanwhile");
    assert_eq!(curfew.record(&id).await.map(|record| record.state().to_owned()), Some("closed".to_owned()));
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![]));
}
