//! The main job, seen from outside: refused, approved, allowed, over, refused, and everything cleaned up and on record.

use curfew_domain::event::Actor;
use curfew_tests::wait::later;
use curfew_tests::{Approval, Flavour, minute_after, now, reached, until, world};
use serde_json::json;

use crate::support::{
    STORY_OF_AN_EXPIRY, TIMER_PATIENCE, assert_bare, assert_denied, assert_ended, end_before_the_timer,
};

/// With the `aws` command line as the judge, as a person at a terminal would.
#[tokio::test]
async fn an_approval_becomes_access_and_access_ends() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let terminal = world.stack().aws(person.keys.credentials().clone());
    let bucket = world.acme().bucket();
    let look = ["s3api", "head-object", "--bucket", &bucket, "--key", curfew_cli::seed::OBJECT];

    let refused = terminal.run(look).await.expect_err("nobody approved anything yet");
    assert!(refused.is_denied(), "{refused}");

    let ends = minute_after(15);
    let reply = curfew.approve(&Approval::of(&person, "acme", "reader").until(ends)).await;
    let body = reply.json();
    assert_eq!(reply.status, 201, "{body}");
    assert_eq!(body["state"], "active");
    assert_eq!(body["principal"], json!(person.principal));
    assert_eq!(body["window"]["expires_at"], json!(ends));
    assert_eq!(body["duplicate"], false);
    let id = body["grant_id"].as_str().expect("a grant's id");

    terminal.run(look).await.expect("what was approved is allowed");
    assert_denied(person.keys.item(&world.acme().table()).await);
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![format!("curfew-{id}")]));
    assert!(curfew.has_schedule(id).await);
    let record = curfew.record(id).await.expect("a grant");
    assert_eq!(record.state(), "active");
    assert!(curfew.is_indexed(&record).await);

    reached(ends).await;
    assert_denied(person.keys.object(&bucket).await);

    let record = curfew.record_in("closed", id, TIMER_PATIENCE).await;
    assert_eq!(record.story(), STORY_OF_AN_EXPIRY);
    let actors: Vec<String> = record.actors().iter().map(ToString::to_string).collect();
    let expected = [
        "source itsm",
        "the grant function",
        "the grant function",
        "the expiry timer",
        "the revoke function",
    ];
    assert_eq!(actors, expected);
    assert!(record.events.iter().any(|event| event.actor == Actor::Timer && event.at >= ends));
    assert_eq!(record.item["grant"]["state"]["proof"]["found"], "deleted");
    assert_ended(curfew, &record, "expired").await;
    assert_bare(&world.root(), &person.principal).await;
    let gone = async || (!curfew.has_schedule(id).await).then_some(());
    until("the schedule that fired has deleted itself", TIMER_PATIENCE, gone).await;
    let refused = terminal.run(look).await.expect_err("it is over");
    assert!(refused.is_denied(), "{refused}");
}

#[tokio::test]
async fn a_rule_ends_access_and_is_removed_with_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ends = minute_after(15);
    let id = curfew.grant(&Approval::of(&person, "acme", "table-reader").until(ends)).await;
    person.keys.item(&world.acme().table()).await.expect("what was approved is allowed");
    assert!(curfew.has_rule(&id).await);
    assert!(!curfew.has_schedule(&id).await);

    let record = curfew.record_in("closed", &id, TIMER_PATIENCE * 2).await;
    assert!(now() >= ends, "no timer is early");
    assert_eq!(record.story(), STORY_OF_AN_EXPIRY);
    assert!(
        record.actors().contains(&&Actor::Timer),
        "the rule ended it and not the sweep: {:?}",
        record.actors()
    );
    assert_eq!(record.item["grant"]["timer"]["kind"], "rule");
    assert_ended(curfew, &record, "expired").await;
    assert!(!curfew.has_rule(&id).await);
    assert_bare(&world.root(), &person.principal).await;
    assert_denied(person.keys.item(&world.acme().table()).await);
}

/// P2, lock (a): the policy is still attached, nothing has run since, and AWS refuses by the dates in it.
#[tokio::test]
async fn the_document_ends_access_before_anything_is_removed() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let (ends, fires) = end_before_the_timer();
    let id = curfew.grant(&Approval::of(&person, "acme", "wide").until(ends)).await;
    let bucket = world.acme().bucket();
    person.keys.object(&bucket).await.expect("of one included role");
    person.keys.item(&world.acme().table()).await.expect("of the other");
    person.keys.listing(&bucket).await.expect("of the role itself");
    let document =
        world.root().inline_policy(&person.principal, &format!("curfew-{id}")).await.expect("a policy");
    let statements = document["Statement"].as_array().expect("statements");
    assert_eq!(statements.len(), 3);
    for statement in statements {
        assert_eq!(statement["Condition"]["DateLessThan"]["aws:CurrentTime"], json!(ends), "{statement}");
    }

    reached(ends).await;
    assert_denied(person.keys.object(&bucket).await);
    assert_denied(person.keys.item(&world.acme().table()).await);
    assert_denied(person.keys.listing(&bucket).await);
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![format!("curfew-{id}")]));
    assert_eq!(curfew.record(&id).await.expect("a grant").state(), "active");
    assert!(now() < fires, "the machine was too slow for this test to prove anything");

    let record = curfew.record_in("closed", &id, TIMER_PATIENCE * 2).await;
    assert_ended(curfew, &record, "expired").await;
    assert_bare(&world.root(), &person.principal).await;
}

/// A change window: attached at once, and AWS starts it on time.
#[tokio::test]
async fn a_future_window_is_attached_at_once_and_opens_by_itself() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let starts = later(now(), 15);
    let approval = Approval::of(&person, "acme", "reader").starting(starts).until(later(starts, 600));
    let id = curfew.grant(&approval).await;
    let bucket = world.acme().bucket();
    assert_denied(person.keys.object(&bucket).await);
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![format!("curfew-{id}")]));
    assert!(now() < starts, "the machine was too slow for this test to prove anything");

    reached(starts).await;
    person.keys.object(&bucket).await.expect("the window is open");
}

/// Access of a role holds for sessions that were there before it, and ends for them too.
#[tokio::test]
async fn a_roles_sessions_gain_access_and_lose_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person_with_role().await;
    let session = person.caller().await;
    let bucket = world.acme().bucket();
    assert_denied(session.object(&bucket).await);
    let approval = Approval::of(&person, "acme", "reader");
    let id = curfew.grant(&approval).await;
    session.object(&bucket).await.expect("what was approved is allowed");
    assert_denied(person.keys.object(&bucket).await);

    let closed = curfew.post(&curfew_tests::ticket_closed(approval.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    assert_denied(session.object(&bucket).await);
    assert_bare(&world.root(), &person.principal).await;
    assert_ended(curfew, &curfew.record(&id).await.expect("a grant"), "revoked").await;
}
