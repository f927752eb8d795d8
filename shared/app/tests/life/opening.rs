//! Opening, as far as all goes well: what it costs, what it leaves, and that it happens once.

use curfew_app::open::Opened;
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::State;
use curfew_domain::request::WindowEnd;
use curfew_domain::window::plus;
use curfew_testkit::CallName::{Attach, Commit, Load, Open, SetTimer};
use curfew_testkit::fixtures::{ANA, ANA_IN_GLOBEX, START, managed_request, request, request_of};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Task};
use jiff::SignedDuration;

use crate::support::Life;

/// The calls and round trips of one opening.
fn cost_of(life: &Life, request: &curfew_domain::request::AccessRequest) -> (Vec<CallName>, usize) {
    let ports = life.world.invocation();
    let settings = life.settings();
    let opened = life
        .world
        .finish(async {
            curfew_app::open::open(&ports, permissive(&life.catalog), request.clone(), settings).await
        })
        .unwrap()
        .unwrap();
    assert!(matches!(opened, Opened::Activated(_)), "{opened:?}");
    (life.world.calls(&ports), life.world.rounds(&ports))
}

#[test]
fn a_grant_costs_four_calls_in_three_rounds_however_many_grants_there_are() {
    let expected = (vec![Open, Attach, SetTimer, Commit], 3);
    let life = Life::new();
    assert_eq!(cost_of(&life, &request_of("ben", "acme", "ops", "CHG-1")), expected);
    assert_eq!(cost_of(&life, &managed_request("CHG-2")), expected);
    for n in 0..60 {
        life.active(&managed_request(&format!("CHG-more-{n}")));
    }
    for n in 0..8 {
        life.active(&request_of("ben", "acme", "ops", &format!("CHG-ben-{n}")));
    }
    assert_eq!(cost_of(&life, &request_of("ben", "acme", "ops", "CHG-3")), expected);
    assert_eq!(cost_of(&life, &managed_request("CHG-4")), expected);
    life.assert_sound();
}

#[test]
fn round_trips_are_counted_by_what_waits_for_what() {
    // The counting itself: two calls side by side are one round, one after the other two.
    use curfew_app::ports::Ledger as _;
    let life = Life::new();
    let id = life.active(&request("CHG-1")).id().clone();
    let both = life.world.invocation();
    life.world
        .finish(async { futures_util::future::join(both.load(&id), both.load(&id)).await })
        .unwrap()
        .0
        .unwrap();
    assert_eq!((life.world.calls(&both), life.world.rounds(&both)), (vec![Load, Load], 1));
    let one_by_one = life.world.invocation();
    life.world.finish(async { (one_by_one.load(&id).await, one_by_one.load(&id).await) }).unwrap().0.unwrap();
    assert_eq!(life.world.rounds(&one_by_one), 2);
}

#[test]
fn nothing_is_done_in_aws_before_it_is_written_down() {
    let life = Life::new();
    let mut opening = life.opening(&request("CHG-1"));
    assert!(opening.poll().is_none());
    let in_flight = |life: &Life| life.world.in_flight().iter().map(|call| call.name).collect::<Vec<_>>();
    assert_eq!(in_flight(&life), [Open]);
    assert!(life.world.step());
    assert!(opening.poll().is_none());
    assert_eq!(in_flight(&life), [Attach, SetTimer]);
    assert!(!life.allows(ANA));
    life.assert_sound();
}

#[test]
fn access_holds_in_its_window_and_not_after_even_if_all_of_curfew_is_down() {
    let life = Life::new();
    let window = life.active(&request("CHG-1")).window();
    assert_eq!(window.length(), SignedDuration::from_hours(1));
    assert!(life.allows(ANA));
    life.world.set_time(plus(window.expires_at(), SignedDuration::from_secs(-1)));
    assert!(life.allows(ANA));
    life.world.set_time(window.expires_at());
    assert!(!life.allows(ANA));
    life.world.advance(SignedDuration::from_hours(24 * 365));
    assert!(!life.allows(ANA));
}

#[test]
fn a_later_window_is_attached_at_once_and_starts_on_time() {
    let life = Life::new();
    let mut later = request("CHG-1");
    let start = plus(START, SignedDuration::from_hours(2));
    later.window.starts_at = Some(start);
    let grant = life.active(&later);
    assert!(matches!(grant.state(), State::Active { .. }));
    assert!(!life.allows(ANA));
    life.world.set_time(start);
    assert!(life.allows(ANA));
    life.world.set_time(grant.window().expires_at());
    assert!(!life.allows(ANA));
}

#[test]
fn access_goes_to_the_requesters_principal_in_the_tenant_and_to_nobody_else() {
    let life = Life::new();
    life.active(&request_of("ana", "globex", "ops", "CHG-1"));
    assert!(life.allows(ANA_IN_GLOBEX));
    assert!(!life.allows(ANA));
}

#[test]
fn the_same_approval_again_gets_the_same_answer_and_changes_nothing() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    let before = life.everything();
    for _ in 0..3 {
        assert_eq!(life.open(&request("CHG-1")), Opened::Duplicate(Box::new(grant.clone())));
    }
    // Another delivery of it has another delivery id, which is not part of what was approved.
    let mut redelivered = request("CHG-1");
    redelivered.delivery = request("other").delivery;
    assert_eq!(life.open(&redelivered), Opened::Duplicate(Box::new(grant)));
    assert_eq!(life.everything(), before);
}

#[test]
fn the_same_approval_days_after_its_end_revives_nothing() {
    for end in [
        WindowEnd::After(SignedDuration::from_hours(1)),
        WindowEnd::At(plus(START, SignedDuration::from_hours(1))),
    ] {
        let life = Life::new();
        let mut asked = request("CHG-1");
        asked.window.end = Some(end);
        let id = life.active(&asked).id().clone();
        life.pass(62);
        life.assert_nothing_left();
        life.world.advance(SignedDuration::from_hours(24 * 3));
        let before = life.everything();
        assert_eq!(life.open(&asked), Opened::Duplicate(Box::new(life.grant(&id))), "{end:?}");
        assert_eq!(life.everything(), before, "{end:?}");
        assert!(!life.allows(ANA));
    }
}

#[test]
fn a_different_request_on_the_same_ticket_and_role_is_a_conflict() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    let before = life.everything();
    let mut longer = request("CHG-1");
    longer.window.end = Some(WindowEnd::After(SignedDuration::from_hours(2)));
    assert_eq!(life.open(&longer), Opened::Conflict(Box::new(grant)));
    assert_eq!(life.everything(), before);
    // Another role on the same ticket is another grant.
    life.active(&request_of("ana", "acme", "audit", "CHG-1"));
}

#[test]
fn a_denied_request_is_recorded_once_and_nothing_else_happens() {
    let life = Life::new();
    let mut past = request("CHG-1");
    past.window.end = Some(WindowEnd::At(plus(START, SignedDuration::from_hours(-1))));
    past.window.starts_at = Some(plus(START, SignedDuration::from_hours(-2)));
    for _ in 0..3 {
        assert!(matches!(life.open(&past), Opened::Denied(_)));
    }
    life.world.look(|aws| {
        assert_eq!(aws.ledger.denials().count(), 1);
        assert_eq!(aws.ledger.rows().count(), 0);
        assert!(aws.timers.names().is_empty());
    });
    assert!(!life.allows(ANA));
}

#[test]
fn both_kinds_of_timer_fire_after_the_end_and_within_its_minute() {
    for kind in [TimerKind::Scheduler, TimerKind::Rule] {
        let life = Life::new();
        // Not on a whole minute.
        life.world.advance(SignedDuration::from_secs(17));
        let settings = curfew_app::open::OpenSettings { timer: kind, ..life.settings() };
        let asked = request("CHG-1");
        let opening = async {
            curfew_app::open::open(&life.world.invocation(), permissive(&life.catalog), asked, settings).await
        };
        assert!(matches!(life.run(Task::new(opening)), Ok(Opened::Activated(_))));
        life.world.set_time(plus(START, SignedDuration::from_secs(3_600 + 17)));
        assert_eq!(life.fire_timers(), 0, "{kind:?}: early, or not rounded up");
        life.world.set_time(plus(START, SignedDuration::from_secs(3_660)));
        assert_eq!(life.fire_timers(), 1, "{kind:?}");
        life.assert_nothing_left();
    }
}
