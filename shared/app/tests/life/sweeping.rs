//! The sweep: whatever was left undone is brought to its end, within bounds, and nothing else is touched.

use curfew_app::sweep::{Lap, Report, Swept, sweep};
use curfew_domain::grant::{Outcome, State};
use curfew_domain::ids::GrantId;
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{ANA, LEASE, START, request, request_of};
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Life, id_of};

fn swept(report: &Report) -> Vec<&Swept> {
    report.items.iter().map(|(_, swept)| swept).collect()
}

#[test]
fn a_sweep_with_nothing_due_costs_one_call_however_many_grants_live() {
    for others in [0, 30] {
        let life = Life::new();
        for n in 0..others {
            life.active(&curfew_testkit::fixtures::managed_request(&format!("CHG-{n}")));
        }
        let ports = life.world.invocation();
        let lap = Lap { limit: 10, stop_at: Timestamp::MAX };
        let report = life.world.finish(async { sweep(&ports, lap).await }).unwrap().unwrap();
        assert_eq!(report, Report::default());
        assert_eq!(life.world.calls(&ports), [CallName::Due]);
    }
}

#[test]
fn an_opening_is_left_alone_while_its_lease_holds_and_ended_after() {
    let life = Life::new();
    let id = id_of(&life, &request("CHG-1"));
    let mut opening = life.opening(&request("CHG-1"));
    assert!(opening.poll().is_none());
    assert!(life.world.step());
    opening.crash();
    life.world.set_time(plus(START, LEASE - SignedDuration::from_secs(1)));
    assert_eq!(swept(&life.sweep()), Vec::<&Swept>::new());
    assert!(matches!(life.state(&id), State::Opening { .. }));
    life.outlive_lease();
    assert_eq!(swept(&life.sweep()), [&Swept::Closed(Outcome::Failed)]);
    assert_eq!(life.events(&id), ["Requested", "Opened", "OpeningFailed", "Revoked"]);
    life.assert_nothing_left();
}

#[test]
fn an_opening_that_is_slower_than_its_lease_does_not_become_active() {
    let life = Life::new();
    let mut opening = life.opening(&request("CHG-1"));
    // As far as before its last write.
    life.world.plan(Fault::hold(CallName::Commit));
    life.world.run(&mut opening).unwrap_err();
    let commit = life.world.in_flight().into_iter().find(|call| call.name == CallName::Commit).unwrap();
    life.outlive_lease();
    assert_eq!(swept(&life.sweep()), [&Swept::Closed(Outcome::Failed)]);
    life.world.deliver(commit.id, Delivery::Done);
    let opened = life.run(opening).unwrap();
    assert!(matches!(opened, curfew_app::open::Opened::RevokedMeanwhile(_)), "{opened:?}");
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}

#[test]
fn an_active_grant_whose_timer_is_lost_is_ended_after_its_grace() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    // The timer never fires.
    let overdue = grant.timer().overdue_at;
    assert_eq!(overdue, plus(grant.timer().fires_at, SignedDuration::from_secs(60)));
    life.world.set_time(plus(overdue, SignedDuration::from_secs(-1)));
    assert_eq!(swept(&life.sweep()), Vec::<&Swept>::new());
    life.world.set_time(overdue);
    assert_eq!(swept(&life.sweep()), [&Swept::Closed(Outcome::Expired)]);
    assert_eq!(life.events(grant.id())[2..], ["Activated", "Expired", "Revoked"]);
    life.assert_nothing_left();
}

#[test]
fn who_began_a_removal_has_it_for_a_minute() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    let mut revoking = life.revoking(grant.id());
    assert!(revoking.poll().is_none());
    assert!(life.world.step());
    revoking.crash();
    life.world.advance(SignedDuration::from_secs(59));
    assert_eq!(swept(&life.sweep()), Vec::<&Swept>::new());
    life.world.advance(SignedDuration::from_secs(1));
    assert_eq!(swept(&life.sweep()), [&Swept::Closed(Outcome::Revoked)]);
    life.assert_nothing_left();
}

#[test]
fn a_grant_that_always_fails_blocks_no_other() {
    let life = Life::new();
    let ids: Vec<GrantId> = (0..12)
        .map(|n| life.active(&request_of("ben", "acme", "ops", &format!("CHG-{n}"))).id().clone())
        .collect();
    for poison in &ids[..2] {
        life.world.plan(Fault::always(CallName::Detach, Delivery::Refused).of(poison));
    }
    life.world.plan(Fault::always(CallName::Load, Delivery::Refused).of(&ids[2]));
    life.world.set_time(life.grant(&ids[0]).timer().overdue_at);
    let report = life.sweep();
    assert_eq!(report.items.len(), 12);
    assert_eq!(report.backlog(), 3);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(life.outcome(id), (n > 2).then_some(Outcome::Expired), "{n}");
    }
    // And it never gives up on them.
    life.world.heal();
    life.pass(5);
    for id in &ids {
        assert_eq!(life.outcome(id), Some(Outcome::Expired));
    }
}

#[test]
fn a_lap_is_bounded_in_grants_and_in_time() {
    let life = Life::new();
    let grants: Vec<GrantId> = (0..7)
        .map(|n| life.active(&request_of("ben", "acme", "ops", &format!("CHG-{n}"))).id().clone())
        .collect();
    let overdue = life.grant(&grants[0]).timer().overdue_at;
    life.world.set_time(overdue);
    let lap = |limit, stop_at| {
        let lap = Lap { limit, stop_at };
        life.world.finish(async { sweep(&life.world.invocation(), lap).await }).unwrap().unwrap()
    };
    let over = lap(5, overdue);
    assert_eq!(swept(&over), [&Swept::LeftOver; 5]);
    assert!(over.truncated);
    assert_eq!(over.backlog(), 5);

    let first = lap(5, Timestamp::MAX);
    assert_eq!((first.items.len(), first.truncated, first.backlog()), (5, true, 0));
    let second = lap(5, Timestamp::MAX);
    assert_eq!((second.items.len(), second.truncated, second.backlog()), (2, false, 0));
    assert_eq!(lap(5, Timestamp::MAX), Report::default());
}

#[test]
fn what_is_due_longest_comes_first() {
    let life = Life::new();
    let late = life.active(&request_of("ben", "acme", "ops", "CHG-late")).id().clone();
    life.world.advance(SignedDuration::from_mins(5));
    let later = life.active(&request_of("ben", "acme", "ops", "CHG-later")).id().clone();
    life.world.set_time(plus(START, SignedDuration::from_hours(3)));
    let lap = Lap { limit: 1, stop_at: Timestamp::MAX };
    life.world.finish(async { sweep(&life.world.invocation(), lap).await }).unwrap().unwrap();
    assert_eq!((life.outcome(&late), life.outcome(&later)), (Some(Outcome::Expired), None));
}

#[test]
fn an_index_that_lags_makes_the_sweep_neither_wrong_nor_busy() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(grant.timer().overdue_at);
    life.world.change(|aws| aws.ledger.freeze_indexes());
    assert_eq!(life.fire_timers(), 1);
    let before = life.everything();
    // The index still shows it as due; the grant itself decides.
    assert_eq!(swept(&life.sweep()), [&Swept::NotDue]);
    assert_eq!(life.everything(), before);
    life.world.change(|aws| aws.ledger.thaw_indexes());
    assert_eq!(life.sweep(), Report::default());
    life.assert_nothing_left();
}

#[test]
fn an_index_that_lags_does_not_take_a_removal_from_who_began_it() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(grant.timer().overdue_at);
    life.world.change(|aws| aws.ledger.freeze_indexes());
    let mut expiring = life.expiring(grant.id());
    assert!(expiring.poll().is_none());
    assert!(life.world.step());
    assert!(expiring.poll().is_none());
    // The index shows it as overdue; by the grant itself, somebody has been at it for a moment.
    assert_eq!(swept(&life.sweep()), [&Swept::NotDue]);
    let revoked = life.run(expiring).unwrap();
    assert!(crate::support::closed(&revoked), "{revoked:?}");
    assert_eq!(life.events(grant.id())[3..], ["Expired", "Revoked"]);
}

#[test]
fn an_index_that_does_not_show_a_grant_yet_delays_its_end_but_does_not_lose_it() {
    let life = Life::new();
    life.world.change(|aws| aws.ledger.freeze_indexes());
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(grant.timer().overdue_at);
    assert_eq!(life.sweep(), Report::default());
    assert!(!life.allows(ANA), "the document's own window");
    life.world.change(|aws| aws.ledger.thaw_indexes());
    assert_eq!(swept(&life.sweep()), [&Swept::Closed(Outcome::Expired)]);
    life.assert_nothing_left();
}

#[test]
fn a_clock_that_is_ahead_ends_nothing_early_in_aws() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(plus(grant.window().expires_at(), SignedDuration::from_secs(-90)));
    assert!(life.allows(ANA));
    let lap = Lap { limit: 10, stop_at: Timestamp::MAX };
    let ahead = life.world.invocation().skewed(SignedDuration::from_secs(60));
    let report = life.world.finish(async { sweep(&ahead, lap).await }).unwrap().unwrap();
    assert_eq!(report, Report::default());
    assert!(life.allows(ANA));
}

#[test]
fn losing_the_timer_and_the_sweep_still_ends_access_on_time() {
    // P2: any one of the three locks is enough. Here is only the document's window.
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(grant.window().expires_at());
    assert!(!life.allows(ANA));
    // Only the timer.
    life.world.set_time(grant.timer().fires_at);
    assert_eq!(life.fire_timers(), 1);
    life.assert_nothing_left();
}
