//! Invocations that die while they open a grant, and revocations that race them (P1, P4).

use std::time::Duration;

use curfew_app::Ports as _;
use curfew_app::ports::{AccessPort as _, Ledger as _, OpenWrite, TimerPort as _};
use curfew_aws::AwsPorts;
use curfew_cli::artifacts::Function;
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::Grant;
use curfew_domain::transition::{Opening, open};
use curfew_domain::window::Window;
use curfew_tests::ports::{WallClock, approval_of, permitted, plan, ports};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Flavour, Person, World, now, reached, world};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{assert_bare, assert_denied, assert_ended, assert_problem};

const PATIENCE: Duration = Duration::from_secs(20);

/// Leaves behind what a grant function does that dies after AWS did all it asked for and before it wrote that down.
struct DeadInvocation {
    ports: AwsPorts<WallClock>,
    grant: Grant,
    approval: Approval,
    lease_until: Timestamp,
}

impl DeadInvocation {
    async fn leave(world: &World, curfew: &Curfew, person: &Person, lease_seconds: i64) -> Self {
        let ports = ports(world, curfew);
        let window = Window::new(now(), later(now(), 3600)).expect("a window");
        let plan = plan(world, curfew, person, "reader", window, now());
        let lease_until = later(now(), lease_seconds);
        let opening = Opening {
            attempt: 0,
            timer: TimerKind::Scheduler,
            lease_until,
            sweep_grace: SignedDuration::from_secs(60),
        };
        let approval = approval_of(&plan, person);
        let opened = open(permitted(plan), opening, now());
        let written = ports.ledger().open(&opened.grant, &opened.events).await;
        assert_eq!(written, Ok(OpenWrite::Written));
        ports.access().attach(&opened.grant.access_change()).await.expect("an attached policy");
        ports.timers().set(opened.grant.id(), opened.grant.timer()).await.expect("a timer");
        Self { ports, grant: opened.grant, approval, lease_until }
    }
}

#[tokio::test]
async fn an_opening_that_died_is_taken_back_and_may_be_tried_anew() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let dead = DeadInvocation::leave(world, curfew, &person, 15).await;
    let id = dead.grant.id().as_str();
    assert!(curfew.has_schedule(id).await);
    let busy = curfew.approve(&dead.approval).await;
    assert_problem(&busy, 503, "try-again");
    assert!(busy.headers.contains_key("retry-after"));
    curfew.invoke(Function::Sweep, &json!({})).await;
    assert_eq!(curfew.record(id).await.expect("a grant").state(), "opening", "its lease is respected");
    assert!(now() < dead.lease_until, "the machine was too slow for this test to prove anything");

    reached(dead.lease_until).await;
    curfew.invoke(Function::Sweep, &json!({})).await;
    let record = curfew.record_in("closed", id, PATIENCE).await;
    assert_eq!(record.story(), ["Requested", "Opened", "OpeningFailed", "Revoked"]);
    assert_ended(curfew, &record, "failed").await;
    assert_bare(&world.root(), &person.principal).await;
    assert!(!curfew.has_schedule(id).await);
    assert_denied(person.keys.object(&world.acme().bucket()).await);

    let anew = curfew.grant(&dead.approval).await;
    assert_ne!(anew, id);
    assert_eq!(curfew.record(&anew).await.expect("a grant").grant.attempt(), 1);
    person.keys.object(&world.acme().bucket()).await.expect("what was approved is allowed");
}

/// The removal of a grant whose opening may still have an attach in flight: removed at once, but proven only by a
/// removal after the lease, because the attach lands in between.
#[tokio::test]
async fn a_revocation_wins_over_an_attach_that_lands_after_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let dead = DeadInvocation::leave(world, curfew, &person, 20).await;
    let id = dead.grant.id().as_str();
    let bucket = world.acme().bucket();
    person.keys.object(&bucket).await.expect("it was attached");

    let order = json!({ "grant_id": id, "reason": "wrong person", "operator": "olga@example.test" });
    let revoked = curfew.invoke(Function::Revoke, &order).await.payload;
    assert_eq!(
        (&revoked["ok"], &revoked["grants"][0]["result"]),
        (&json!(false), &json!("settling")),
        "{revoked}"
    );
    assert_denied(person.keys.object(&bucket).await);
    let record = curfew.record(id).await.expect("a grant");
    assert_eq!(record.state(), "closing");
    assert!(curfew.is_indexed(&record).await);
    let again = curfew.invoke(Function::Revoke, &order).await.payload;
    assert_eq!(again["grants"][0]["result"], "settling", "{again}");

    dead.ports.access().attach(&dead.grant.access_change()).await.expect("the attach that was in flight");
    person.keys.object(&bucket).await.expect("it landed");
    assert!(now() < dead.lease_until, "the machine was too slow for this test to prove anything");

    let due =
        record.item["due_at"].as_str().and_then(|at| at.parse().ok()).expect("when the sweep takes over");
    reached(due).await;
    curfew.invoke(Function::Sweep, &json!({})).await;
    let record = curfew.record_in("closed", id, PATIENCE).await;
    assert_eq!(record.story(), ["Requested", "Opened", "RevocationRequested", "Revoked"]);
    assert_eq!(record.item["grant"]["state"]["proof"]["found"], "deleted");
    assert_ended(curfew, &record, "revoked").await;
    assert_denied(person.keys.object(&bucket).await);
    assert_bare(&world.root(), &person.principal).await;
    assert!(!curfew.has_schedule(id).await);
}
