//! Laps over the accounts for drift: paged, bounded, resumed where they stood, and never held up by one account.

use curfew_app::drift::{DriftSettings, FindingDone, FindingKind, look_for_drift};
use curfew_domain::event::{Drift, DriftResponse};
use curfew_domain::grant::{Grant, State};
use curfew_domain::principal::Principal;
use curfew_testkit::fixtures::{ANA, catalog, principal, request, request_of};
use curfew_testkit::{CallName, Delivery, Fault, Task, World, explore};
use jiff::{SignedDuration, Timestamp};

use crate::drift::{FOR_EVER, found, look, look_with, put, scopes, settings};
use crate::support::{Crash, Life, Played, Racer, Runner, minute};

/// An ended grant under whose name somebody put something back, old enough to be judged.
fn leftover(life: &Life) -> Grant {
    let grant = life.active(&request("CHG-1"));
    life.revoke(grant.id());
    life.world.set_time(minute(5));
    put(life, &grant, FOR_EVER);
    grant
}

/// More users in the own account, so that it has several pages; their names come after Ana's and Ben's.
fn crowd(world: &World, n: usize) -> Vec<Principal> {
    let people: Vec<Principal> =
        (0..n).map(|n| principal(&format!("arn:aws:iam::111122223333:user/z{n}"))).collect();
    world.change(|aws| people.iter().for_each(|person| aws.iam.create(person)));
    people
}

#[test]
fn a_lap_that_crashes_anywhere_leaves_nothing_wrong() {
    let catalog = catalog();
    for response in [DriftResponse::Close, DriftResponse::Restore] {
        for edited in [false, true] {
            let runs = explore(|choices| {
                let life = Life::of(&catalog);
                let grant = if edited {
                    let grant = life.active(&request("CHG-1"));
                    life.world.set_time(minute(5));
                    put(&life, &grant, FOR_EVER);
                    grant
                } else {
                    leftover(&life)
                };
                let looking = async {
                    look_for_drift(&life.world.invocation(), &scopes()[..1], settings(response)).await
                };
                let mut lap = Runner::new(Task::new(looking));
                if life.race(choices, Crash::Somebody, &mut [&mut lap]) == Played::Before {
                    return life.sound();
                }
                life.sound()?;
                // Time, the sweep, and the next lap.
                life.world.advance(SignedDuration::from_mins(5));
                life.settle();
                look(&life, response);
                life.settle();
                let is_restored = edited && response == DriftResponse::Restore;
                if is_restored {
                    let settled = matches!(life.state(grant.id()), State::Active { changing: None, .. });
                    life.ensure(settled, "not restored")?;
                    life.ensure(life.allows(ANA), "no access")?;
                }
                let found = look(&life, response).findings;
                life.ensure(found.is_empty(), "found again")?;
                life.pass_the_end_of(grant.id());
                life.ensure(!life.allows(ANA), "access is left")?;
                life.sound_to_the_end()
            });
            let runs = runs.unwrap();
            assert!(runs > 6, "{runs}");
        }
    }
}

#[test]
fn two_laps_at_once_do_it_once() {
    let catalog = catalog();
    for response in [DriftResponse::Close, DriftResponse::Restore] {
        explore(|choices| {
            let life = Life::of(&catalog);
            let grant = life.active(&request_of("ana", "globex", "ops", "CHG-1"));
            life.world.set_time(minute(5));
            put(&life, &grant, FOR_EVER);
            let looking = || async {
                look_for_drift(&life.world.invocation(), &scopes()[1..], settings(response)).await
            };
            let mut one = Runner::new(Task::new(looking()));
            let mut other = Runner::new(Task::new(looking()));
            // Both have read the page; before that they do nothing.
            for _ in 0..2 {
                one.go_on();
                other.go_on();
                assert!(life.world.step() && life.world.step());
            }
            if life.race(choices, Crash::Nobody, &mut [&mut one, &mut other]) == Played::Before {
                return life.sound();
            }
            life.settle();
            let events = life.events(grant.id());
            let count = |wanted| events.iter().filter(|name| **name == wanted).count();
            // Both may see it before one acts.
            life.ensure((1..=2).contains(&count("DriftFound")), "found too often, or never")?;
            let done =
                if response == DriftResponse::Close { count("Revoked") } else { count("Activated") - 1 };
            life.ensure(done == 1, "ended or restored more than once, or never")?;
            life.pass_the_end_of(grant.id());
            life.sound_to_the_end()
        })
        .unwrap();
    }
}

#[test]
fn a_lap_goes_over_several_calls_and_the_next_begins_in_its_time() {
    let life = Life::new();
    let last = crowd(&life.world, 6).pop().unwrap();
    life.world.change(|aws| aws.iam.put_inline(&last, &format!("curfew-g-{}", "b".repeat(26)), FOR_EVER));
    // Own account: 8 principals in 4 pages; the other: 1.
    let margin = SignedDuration::ZERO;
    let two = DriftSettings { pages: 2, margin, ..settings(DriftResponse::Close) };
    let laps: Vec<(usize, usize)> = (0..4)
        .map(|_| {
            life.world.advance(SignedDuration::from_mins(1));
            let report = look_with(&life, two);
            assert_eq!(report.errors, []);
            (report.pages, report.findings.len())
        })
        .collect();
    assert_eq!(laps, [(2, 0), (2, 1), (1, 0), (0, 0)]);
    // An hour after the beginning of the one before, and not earlier.
    life.world.set_time(minute(61) - SignedDuration::from_secs(1));
    assert_eq!(look_with(&life, two).pages, 0);
    life.world.set_time(minute(61));
    assert_eq!(look_with(&life, two).pages, 2);
}

#[test]
fn no_page_is_begun_after_the_time_is_over() {
    let life = Life::new();
    let over = DriftSettings { stop_at: life.world.now(), ..settings(DriftResponse::Close) };
    let ports = life.world.invocation();
    let report = life.world.finish(async { look_for_drift(&ports, &scopes(), over).await }).unwrap();
    assert_eq!((report.pages, report.findings.len()), (0, 0));
    assert_eq!(life.world.calls(&ports), []);
}

#[test]
fn an_account_that_can_not_be_read_holds_up_no_other() {
    for delivery in [Delivery::LostRequest, Delivery::Throttled, Delivery::Forbidden, Delivery::Refused] {
        let life = Life::new();
        let grant = life.active(&request_of("ana", "globex", "ops", "CHG-1"));
        life.revoke(grant.id());
        life.world.set_time(minute(5));
        put(&life, &grant, FOR_EVER);
        life.world.plan(Fault::once(CallName::Inventory, delivery));
        let report = look_with(&life, DriftSettings { pages: 1, ..settings(DriftResponse::Close) });
        assert_eq!(report.errors.len(), 1, "{delivery:?}");
        let removed = (FindingKind::Drift(Drift::Leftover), Some(FindingDone::Removed));
        assert_eq!(found(&report), [removed], "{delivery:?}");
        // And its own turn comes.
        assert_eq!(look_with(&life, settings(DriftResponse::Close)).pages, 1);
    }
}

#[test]
fn a_grant_that_can_not_be_read_holds_up_neither_its_account_nor_another() {
    let life = Life::new();
    let poison = life.active(&request("CHG-1"));
    let other = life.active(&request_of("ana", "globex", "ops", "CHG-2"));
    life.revoke(other.id());
    let last = crowd(&life.world, 4).pop().unwrap();
    life.world.change(|aws| aws.iam.put_inline(&last, &format!("curfew-g-{}", "b".repeat(26)), FOR_EVER));
    life.world.set_time(minute(5));
    put(&life, &other, FOR_EVER);
    life.world.plan(Fault::always(CallName::Load, Delivery::Refused).of(poison.id()));
    let margin = SignedDuration::ZERO;
    let one = DriftSettings { pages: 1, margin, ..settings(DriftResponse::Close) };
    let mut kinds = Vec::new();
    for _ in 0..8 {
        life.world.advance(SignedDuration::from_mins(1));
        kinds.extend(look_with(&life, one).findings.into_iter().map(|finding| finding.kind));
    }
    assert_eq!(kinds, [FindingKind::Stray, FindingKind::Drift(Drift::Leftover)]);
}

#[test]
fn a_marker_that_aws_takes_no_more_starts_the_lap_over() {
    let life = Life::new();
    crowd(&life.world, 4);
    let one = DriftSettings { pages: 1, ..settings(DriftResponse::Close) };
    let only = |settings| {
        life.world
            .finish(async { look_for_drift(&life.world.invocation(), &scopes()[..1], settings).await })
            .unwrap()
    };
    assert_eq!(only(one).pages, 1);
    let ahead = life.world.look(|aws| format!("{:?}", aws.ledger));
    life.world.plan(Fault::once(CallName::Inventory, Delivery::Refused));
    assert_eq!((only(one).pages, life.world.look(|aws| format!("{:?}", aws.ledger)) == ahead), (0, false));
    // From the first page on, at once: 6 principals in 3 pages.
    assert_eq!(only(DriftSettings { pages: 9, ..one }).pages, 3);
    assert_eq!(only(one).pages, 0);
}

#[test]
fn a_call_that_fails_for_now_goes_on_where_it_stood() {
    let life = Life::new();
    crowd(&life.world, 4);
    let one = DriftSettings { pages: 1, ..settings(DriftResponse::Close) };
    let only = |settings| {
        life.world
            .finish(async { look_for_drift(&life.world.invocation(), &scopes()[..1], settings).await })
            .unwrap()
    };
    assert_eq!(only(one).pages, 1);
    life.world.plan(Fault::once(CallName::Inventory, Delivery::Throttled));
    assert_eq!(only(one).errors.len(), 1);
    assert_eq!(only(DriftSettings { stop_at: Timestamp::MAX, pages: 9, ..one }).pages, 2);
}
