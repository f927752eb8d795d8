//! Throttling and poison: an account that AWS holds back, and rows that can't be read, cost nobody else their turn.

use curfew_app::sweep::{Lap, Report, Swept, sweep};
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::GrantId;
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{self, CATALOG, request_of};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Life, approved_again, minute};

fn lap(life: &Life, limit: usize) -> Report {
    let lap = Lap { limit, stop_at: Timestamp::MAX };
    life.world.finish(async { sweep(&life.world.invocation(), lap).await }).unwrap().unwrap()
}

/// Grants of Ben in `acme`, all due at the same time.
fn of_ben(life: &Life, n: usize) -> Vec<GrantId> {
    (0..n)
        .map(|n| life.active(&request_of("ben", "acme", "ops", &format!("CHG-b{n}"))).id().clone())
        .collect()
}

/// A grant of Ana in `globex`, another account.
fn elsewhere(life: &Life) -> Grant {
    life.active(&request_of("ana", "globex", "ops", "CHG-globex"))
}

fn throttle(life: &Life, ids: &[GrantId]) {
    for id in ids {
        life.world.plan(Fault::always(CallName::Detach, Delivery::Throttled).of(id));
    }
}

#[test]
fn a_throttled_removal_is_no_failure_of_its_grant() {
    let life = Life::new();
    let ids = of_ben(&life, 3);
    throttle(&life, &ids);
    life.world.set_time(life.grant(&ids[0]).timer().overdue_at);
    for _ in 0..5 {
        let report = lap(&life, 100);
        assert_eq!(report.backlog(), 3);
        life.world.advance(SignedDuration::from_mins(1));
    }
    for id in &ids {
        // Begun once, failed never, and due at the next lap: no pause grows.
        assert_eq!(life.events(id)[3..], ["Expired"]);
        let State::Closing { failures, retry_at, .. } = life.state(id) else { panic!("not closing") };
        assert_eq!(failures, 0);
        assert!(retry_at <= life.world.now());
    }
    let order = |life: &Life| lap(life, 100).items.into_iter().map(|(due, _)| due.item).collect::<Vec<_>>();
    assert_eq!(order(&life), order(&life));
    life.world.heal();
    let report = lap(&life, 100);
    assert!(report.items.iter().all(|(_, swept)| *swept == Swept::Closed(Outcome::Expired)), "{report:?}");
}

#[test]
fn an_account_that_says_too_often_is_left_alone_while_others_go_on() {
    let life = Life::new();
    let ids = of_ben(&life, 36);
    // Later, so that all of the throttled account stands before it.
    life.world.advance(SignedDuration::from_mins(3));
    let other = elsewhere(&life);
    throttle(&life, &ids);
    life.world.set_time(other.timer().overdue_at);
    let ports = life.world.invocation();
    let all = Lap { limit: 100, stop_at: Timestamp::MAX };
    let report = life.world.finish(async { sweep(&ports, all).await }).unwrap().unwrap();
    assert_eq!(life.outcome(other.id()), Some(Outcome::Expired));
    assert_eq!((report.items.len(), report.backlog()), (37, 36));
    // It was not hammered: far fewer tries than grants, and none after it was said often enough.
    let tries = life.world.calls(&ports).iter().filter(|call| **call == CallName::Detach).count();
    assert!((24..=24 + 8 + 1).contains(&tries), "{tries}");
    assert!(report.items.iter().any(|(_, swept)| *swept == Swept::LeftOver));
    life.world.heal();
    life.world.advance(SignedDuration::from_mins(2));
    lap(&life, 100);
    assert!(ids.iter().all(|id| life.outcome(id).is_some()));
}

/// A world whose role `audit` is privileged.
fn privileged() -> Life {
    let audit = "[role.audit]\n";
    assert!(CATALOG.contains(audit));
    let text = CATALOG.replace(audit, "[role.audit]\nprivileged = true\n");
    let file = CatalogFile { name: "catalog.toml".to_owned(), text };
    Life { world: fixtures::world(), catalog: Catalog::parse(&[file]).unwrap() }
}

#[test]
fn what_is_privileged_comes_first_in_its_minute_and_older_minutes_before() {
    let life = privileged();
    let normal = life.active(&request_of("ben", "acme", "ops", "CHG-1"));
    life.world.advance(SignedDuration::from_mins(1));
    let later_normal = life.active(&request_of("ben", "acme", "ops", "CHG-2"));
    let later_privileged = life.active(&request_of("ana", "acme", "audit", "CHG-3"));
    assert!(later_privileged.privileged() && !normal.privileged());
    life.world.set_time(plus(later_normal.timer().overdue_at, SignedDuration::from_mins(5)));
    let mut ended = Vec::new();
    while let [(due, _)] = lap(&life, 1).items.as_slice() {
        ended.push(due.item.clone());
    }
    let expected = [&normal, &later_privileged, &later_normal];
    let expected = expected.map(|grant| curfew_app::ports::DueItem::Grant(grant.id().clone()));
    assert_eq!(ended, expected);
}

#[test]
fn a_change_of_the_window_takes_over_whether_the_role_is_privileged_by_now() {
    let life = Life::new();
    let asked = request_of("ana", "acme", "audit", "CHG-1");
    let grant = life.active(&asked);
    assert!(!grant.privileged());
    life.world.set_time(minute(10));
    let by_now = privileged().catalog;
    let ports = life.world.invocation();
    let changing =
        curfew_app::open::open(&ports, permissive(&by_now), approved_again(&asked, 5, 30), life.settings());
    life.world.finish(changing).unwrap().unwrap();
    assert!(life.grant(grant.id()).privileged());
}

#[test]
fn a_lap_goes_on_over_more_than_a_page() {
    let life = Life::new();
    // Those that can't be read stand in front of a page more than one page holds.
    let poison = poisoned(&life, 30);
    let managed: Vec<Grant> =
        (0..75).map(|n| life.active(&request_of("ana", "acme", "audit", &format!("CHG-{n}")))).collect();
    life.world.advance(SignedDuration::from_mins(3));
    let last = elsewhere(&life);
    life.world.set_time(last.timer().overdue_at);
    let report = lap(&life, 1_000);
    assert_eq!((report.items.len(), report.truncated), (poison.len() + managed.len() + 1, false));
    assert_eq!(life.outcome(last.id()), Some(Outcome::Expired));
    // Further laps take up where the limit stopped.
    life.world.heal();
    for _ in 0..8 {
        lap(&life, 30);
        life.world.advance(SignedDuration::from_mins(1));
    }
    life.assert_nothing_left();
}

/// Grants that can't be read: somebody wrote to the table by hand.
fn poisoned(life: &Life, n: usize) -> Vec<GrantId> {
    let ids = of_ben(life, n);
    for id in &ids {
        life.world.plan(Fault::always(CallName::Load, Delivery::Refused).of(id));
    }
    ids
}

#[test]
fn rows_that_can_not_be_read_keep_nobody_waiting() {
    for limit in [1, 3, 100] {
        let life = Life::new();
        let poison = poisoned(&life, 12);
        life.world.advance(SignedDuration::from_mins(3));
        let good = elsewhere(&life);
        life.world.set_time(good.timer().overdue_at);
        let report = lap(&life, limit);
        assert_eq!(life.outcome(good.id()), Some(Outcome::Expired), "limit {limit}");
        assert_eq!(report.backlog(), poison.len());
        // Nobody gives up on them either.
        life.world.heal();
        life.pass(2);
        assert!(poison.iter().all(|id| life.outcome(id).is_some()));
    }
}
