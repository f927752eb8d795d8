//! Amendments: a later approval on the same ticket moves the end of a live grant, and AWS follows the ledger.

use curfew_app::open::{OpenSettings, Opened, open};
use curfew_app::sweep::Swept;
use curfew_domain::access::Access;
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::decision::DenialCode;
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::request::{AccessRequest, Approval};
use curfew_domain::transition::{CHANGES_MAX, Illegal};
use curfew_domain::window::{Window, plus, whole_minute_up};
use curfew_testkit::CallName::{Attach, Commit, Open, SetTimer};
use curfew_testkit::fixtures::{ANA, CATALOG, LEASE, managed_request, person, principal, request};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{Delivery, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Life, approved_again, closed, minute};

/// Ana's grant of an hour, ten minutes after it began.
pub(crate) fn begun(asked: &AccessRequest) -> (Life, Grant) {
    let life = Life::new();
    let grant = life.active(asked);
    life.world.set_time(minute(10));
    (life, grant)
}

/// Expects ledger, timer and, for an inline grant, the document in IAM to say the same window.
#[track_caller]
pub(crate) fn assert_agreed(life: &Life, grant: &Grant, window: Window) {
    let now = life.grant(grant.id());
    assert_eq!(now.window(), window);
    assert!(matches!(now.state(), State::Active { changing: None, .. }), "{:?}", now.state());
    assert_eq!(now.ends_in_aws_by(), window.expires_at());
    assert_eq!(now.timer().fires_at, whole_minute_up(window.expires_at()));
    assert_eq!(now.timer().overdue_at, plus(now.timer().fires_at, SignedDuration::from_secs(60)));
    let (end, second) = (window.expires_at(), SignedDuration::from_secs(1));
    life.world.look(|aws| {
        let timers: Vec<_> = aws.timers.set_timers().collect();
        assert_eq!(timers, [(grant.id(), now.timer().fires_at)]);
        if let Access::Inline { document, .. } = now.access() {
            let documents: Vec<_> = aws.iam.documents().map(|(_, name, document)| (name, document)).collect();
            assert_eq!(documents, [(grant.id().object_name().as_str(), document.as_str())]);
            let allows = |at| aws.iam.allows(&principal(ANA), at);
            assert_eq!((allows(plus(end, -second)), allows(end)), (true, false));
            assert!(allows(window.starts_at()) && !allows(plus(window.starts_at(), -second)));
        }
    });
    life.assert_sound();
}

pub(crate) fn window(from: i64, to: i64) -> Window {
    Window::new(minute(from), minute(to)).unwrap()
}

#[test]
fn a_later_approval_moves_the_end_and_aws_follows() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for (end, event) in [(120, "Extended"), (30, "Shortened")] {
            let (life, grant) = begun(&asked);
            let again = approved_again(&asked, 5, end);
            let Opened::Changed { grant: changed, previous_end } = life.open(&again) else {
                panic!("not changed")
            };
            assert_eq!((changed.id(), changed.request()), (grant.id(), &again));
            assert_eq!(previous_end, grant.window().expires_at());
            assert_agreed(&life, &grant, window(0, end));
            assert_eq!(life.events(grant.id()), ["Requested", "Opened", "Activated", event, "Activated"]);

            // It holds until the new end, and no longer; its timer ends it.
            life.world.set_time(plus(minute(end), SignedDuration::from_secs(-1)));
            assert_eq!(life.fire_timers(), 0);
            assert!(life.allows(ANA));
            life.world.set_time(minute(end));
            assert_eq!(life.fire_timers(), 1);
            assert!(!life.allows(ANA));
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn a_change_costs_five_calls_in_four_rounds_however_many_grants_and_changes_there_were() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let (life, _) = begun(&asked);
        for n in 0..20 {
            life.active(&managed_request(&format!("CHG-more-{n}")));
        }
        for (n, end) in [(1, 90), (2, 40), (3, 120)] {
            let ports = life.world.invocation();
            let again = approved_again(&asked, n, end);
            let changed =
                life.world.finish(open(&ports, permissive(&life.catalog), again, life.settings())).unwrap();
            assert!(matches!(changed, Ok(Opened::Changed { .. })), "{changed:?}");
            assert_eq!(life.world.calls(&ports), [Open, Commit, Attach, SetTimer, Commit]);
            assert_eq!(life.world.rounds(&ports), 4);
        }
    }
}

#[test]
fn changes_follow_each_other_and_the_chain_stays_whole() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    for (approved, end) in [(5, 120), (6, 20), (7, 200)] {
        assert!(matches!(life.open(&approved_again(&asked, approved, end)), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(0, end));
    }
    let story = life.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    curfew_domain::event::verify_chain(&story.events, story.stored.grant.chain()).unwrap();
    life.pass_the_end_of(grant.id());
    life.assert_nothing_left();
}

#[test]
fn a_limit_holds_for_the_whole_window_from_its_first_start() {
    // The role may be had for four hours. An end that is four hours from now would be more than that in all.
    for (end, allowed) in [(240, true), (241, false)] {
        let asked = request("CHG-1");
        let (life, grant) = begun(&asked);
        let answer = life.open(&approved_again(&asked, 5, end));
        if allowed {
            assert_agreed(&life, &grant, window(0, end));
            continue;
        }
        let Opened::Denied(denial) = answer else { panic!("not denied: {answer:?}") };
        assert_eq!(denial.code, DenialCode::WindowTooLong);
        assert_agreed(&life, &grant, grant.window());
        assert_eq!(life.world.look(|aws| aws.ledger.denials().count()), 1);
    }
}

#[test]
fn what_is_not_a_later_approval_changes_nothing() {
    let asked = request("CHG-1");
    let (life, _) = begun(&asked);
    let newest = approved_again(&asked, 5, 120);
    assert!(matches!(life.open(&newest), Opened::Changed { .. }));
    let before = life.everything();
    // Known ones, the one in force and the one it replaced.
    for known in [&asked, &newest] {
        assert!(matches!(life.open(known), Opened::Duplicate(_)));
    }
    let older = life.open(&approved_again(&asked, 4, 180));
    assert!(matches!(older, Opened::Superseded(_)), "{older:?}");
    let older_and_shorter = life.open(&approved_again(&asked, 4, 30));
    assert!(matches!(older_and_shorter, Opened::Superseded(_)), "{older_and_shorter:?}");
    for end in [180, 120] {
        let mut at_the_same_time = approved_again(&asked, 5, end);
        at_the_same_time.justification.push_str(", and on db-4");
        let told = life.open(&at_the_same_time);
        assert!(matches!(told, Opened::Conflict(_)), "{told:?}");
    }
    assert_eq!(life.everything(), before);
}

#[test]
fn a_later_approval_of_an_ended_grant_revives_nothing() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    life.revoke(grant.id());
    let before = life.everything();
    let answer = life.open(&approved_again(&asked, 5, 120));
    assert!(matches!(answer, Opened::Conflict(_)), "{answer:?}");
    assert_eq!(life.everything(), before);
    life.assert_nothing_left();
}

#[test]
fn a_window_is_changed_so_often_and_no_more() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    life.world.set_time(minute(40));
    let last = i64::try_from(CHANGES_MAX).unwrap();
    for n in 1..=last {
        assert!(matches!(life.open(&approved_again(&asked, n, 60 + n)), Opened::Changed { .. }), "{n}");
    }
    let before = life.everything();
    let answer = life.open(&approved_again(&asked, last + 1, 120));
    assert!(matches!(&answer, Opened::NotChanged { why: Illegal::TooManyChanges, .. }), "{answer:?}");
    assert_eq!(life.everything(), before);
    assert_agreed(&life, &grant, window(0, 60 + last));
}

#[test]
fn a_role_that_attaches_something_else_by_now_can_not_change_what_was_attached() {
    let inline = "[role.ops]\ndescription = \"Handle an incident\"\npermissions = [\"read_data\"]";
    let managed = "[role.ops]\ndescription = \"Handle an incident\"\naccess = \"managed\"\n\
                   managed_policy = \"arn:aws:iam::${account}:policy/${tenant}-audit\"";
    assert!(CATALOG.contains(inline));
    let text = CATALOG.replace(inline, managed);
    let other = Catalog::parse(&[CatalogFile { name: "catalog.toml".to_owned(), text }]).unwrap();
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let before = life.everything();
    let ports = life.world.invocation();
    let changing = open(&ports, permissive(&other), approved_again(&asked, 5, 120), life.settings());
    let answer = life.world.finish(changing).unwrap().unwrap();
    assert!(matches!(&answer, Opened::NotChanged { why: Illegal::OtherAccess, .. }), "{answer:?}");
    assert_eq!(life.everything(), before);
    assert_agreed(&life, &grant, grant.window());
}

#[test]
fn a_window_that_has_not_begun_moves_as_a_whole() {
    let life = Life::new();
    let mut asked = request("CHG-1");
    asked.window.starts_at = Some(minute(60));
    asked.window.end = Some(curfew_domain::request::WindowEnd::At(minute(120)));
    let grant = life.active(&asked);
    assert_agreed(&life, &grant, window(60, 120));
    life.world.set_time(minute(10));
    for (approved, start, end) in [(1, 180, 240), (2, 30, 60)] {
        let mut again = approved_again(&asked, approved, end);
        again.window.starts_at = Some(minute(start));
        assert!(matches!(life.open(&again), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(start, end));
        assert!(!life.allows(ANA));
    }
    life.pass_the_end_of(grant.id());
    life.assert_nothing_left();
}

#[test]
fn an_approval_of_a_later_window_grants_nothing_between_the_two() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let mut later = approved_again(&asked, 5, 200);
    later.window.starts_at = Some(minute(140));
    let answer = life.open(&later);
    // Nobody approved the time from 60 to 140.
    assert!(
        !life.world.look(|aws| aws.iam.allows(&principal(ANA), minute(100))),
        "access in a time that nobody approved: {answer:?}"
    );
    assert!(matches!(answer, Opened::Denied(_)), "{answer:?}");
    assert_agreed(&life, &grant, grant.window());
    // One that follows at once, or overlaps, leaves no gap.
    for (approved, start) in [(6, 60), (7, 30)] {
        let mut next = approved_again(&asked, approved, 200);
        next.window.starts_at = Some(minute(start));
        assert!(matches!(life.open(&next), Opened::Changed { .. }), "{start}");
        assert_agreed(&life, &grant, window(0, 200));
    }
}

#[test]
fn both_kinds_of_timer_move() {
    for kind in [TimerKind::Scheduler, TimerKind::Rule] {
        for end in [120, 30] {
            let life = Life::new();
            let settings = OpenSettings { timer: kind, ..life.settings() };
            let asked = managed_request("CHG-1");
            let opened = |asked| {
                let ports = life.world.invocation();
                life.world.finish(open(&ports, permissive(&life.catalog), asked, settings)).unwrap().unwrap()
            };
            let Opened::Activated(grant) = opened(asked.clone()) else { panic!("not opened") };
            life.world.set_time(minute(10));
            assert!(matches!(opened(approved_again(&asked, 5, end)), Opened::Changed { .. }));
            assert_agreed(&life, &grant, window(0, end));
            life.world.set_time(minute(end));
            assert_eq!(life.fire_timers(), 1);
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn a_timer_that_fires_at_the_old_end_ends_nothing() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let (life, grant) = begun(&asked);
        assert!(matches!(life.open(&approved_again(&asked, 5, 120)), Opened::Changed { .. }));
        // EventBridge delivers at least once: a firing of the old time may still come, now and later.
        for at in [60, 61, 119] {
            life.world.set_time(minute(at));
            let before = life.everything();
            let expired = life.expire(grant.id());
            assert!(matches!(expired, curfew_app::revoke::Revoked::NotDue(_)), "{expired:?}");
            assert_eq!(life.sweep().items, []);
            assert_eq!(life.everything(), before);
            assert!(life.allows(ANA));
        }
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

#[test]
fn the_sweep_ends_a_changed_grant_whose_timer_never_fires() {
    for (asked, end) in
        [(request("CHG-1"), 120), (managed_request("CHG-1"), 120), (managed_request("CHG-1"), 30)]
    {
        let (life, grant) = begun(&asked);
        assert!(matches!(life.open(&approved_again(&asked, 5, end)), Opened::Changed { .. }));
        life.world.set_time(plus(minute(end + 1), SignedDuration::from_secs(-1)));
        assert_eq!(life.sweep().items, []);
        life.world.set_time(minute(end + 1));
        let items = life.sweep().items;
        assert!(matches!(items.as_slice(), [(_, Swept::Closed(Outcome::Expired))]), "{items:?}");
        assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired));
        life.assert_nothing_left();
    }
}

#[test]
fn a_change_that_aws_refuses_ends_the_grant_and_says_so() {
    for name in [Attach, SetTimer] {
        for delivery in [Delivery::Refused, Delivery::Forbidden] {
            for end in [120, 30] {
                let asked = request("CHG-1");
                let (life, grant) = begun(&asked);
                life.world.plan(Fault::once(name, delivery));
                let answer = life.open(&approved_again(&asked, 5, end));
                assert!(matches!(&answer, Opened::ChangeRefused { .. }), "{name:?} {delivery:?}: {answer:?}");
                assert!(!life.allows(ANA));
                life.settle();
                assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
                let events = life.events(grant.id());
                assert_eq!(events[4..], ["RevocationRequested", "Revoked"], "{events:?}");
                life.assert_nothing_left();
            }
        }
    }
}

#[test]
fn a_change_that_an_outage_cuts_short_is_made_by_the_sweep() {
    for name in [Attach, SetTimer] {
        for delivery in [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Throttled] {
            let asked = request("CHG-1");
            let (life, grant) = begun(&asked);
            life.world.plan(Fault::always(name, delivery));
            let again = approved_again(&asked, 5, 120);
            assert!(matches!(life.open(&again), Opened::Retry { .. }));
            // Nobody else makes it as long as a request of it may be under way.
            assert_eq!(life.sweep().items, []);
            assert!(matches!(life.open(&again), Opened::Retry { .. }));
            life.pass(3);
            assert!(matches!(life.state(grant.id()), State::Active { changing: Some(_), .. }));
            let resumed = life.events(grant.id()).iter().filter(|name| **name == "ChangeResumed").count();
            assert!((1..=3).contains(&resumed), "{resumed}");
            life.world.heal();
            life.pass(2);
            assert_eq!(life.events(grant.id()).last(), Some(&"Activated"));
            assert_agreed(&life, &grant, window(0, 120));
            life.pass_the_end_of(grant.id());
            life.assert_nothing_left();
        }
    }
}

#[test]
fn whoever_brings_the_approval_again_makes_its_change_again() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let again = approved_again(&asked, 5, 30);
    let mut changing = life.opening(&again);
    life.world.plan(Fault::hold(Attach));
    life.world.run(&mut changing).unwrap_err();
    changing.crash();
    for call in life.world.in_flight() {
        life.world.lose(call.id);
    }
    assert!(matches!(life.open(&again), Opened::Retry { .. }));
    life.world.set_time(plus(minute(10), LEASE));
    let resumed = life.open(&again);
    assert!(matches!(resumed, Opened::Changed { .. }), "{resumed:?}");
    assert_eq!(life.events(grant.id())[3..], ["Shortened", "ChangeResumed", "Activated"]);
    assert_agreed(&life, &grant, window(0, 30));
}

#[test]
fn a_change_whose_window_is_over_is_not_made_again_but_expired() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let (life, grant) = begun(&asked);
        life.world.plan(Fault::once(Attach, Delivery::LostRequest));
        life.world.plan(Fault::once(SetTimer, Delivery::LostRequest));
        assert!(matches!(life.open(&approved_again(&asked, 5, 30)), Opened::Retry { .. }));
        // The sweep is away until then. In AWS is still the window before.
        life.world.set_time(minute(30));
        assert!(life.allows(ANA));
        let items = life.sweep().items;
        assert!(matches!(items.as_slice(), [(_, Swept::Closed(Outcome::Expired))]), "{items:?}");
        assert!(!life.allows(ANA));
        assert_eq!(life.events(grant.id())[3..], ["Shortened", "Expired", "Revoked"]);
        life.assert_nothing_left();
    }
}

#[test]
fn no_request_of_one_change_lands_after_the_next() {
    for delivery in [Delivery::Late, Delivery::Twice] {
        let asked = request("CHG-1");
        let (life, grant) = begun(&asked);
        life.world.plan(Fault::once(Attach, delivery));
        let extended = life.open(&approved_again(&asked, 5, 120));
        assert_eq!(delivery == Delivery::Twice, matches!(extended, Opened::Changed { .. }), "{extended:?}");
        let late = life.world.late();
        assert_eq!(late.len(), 1);
        // As long as it is under way, nothing is changed over it, whoever asks and however often.
        let shorter = approved_again(&asked, 6, 30);
        life.world.set_time(plus(minute(10), LEASE - SignedDuration::from_secs(1)));
        let held = life.open(&shorter);
        assert!(matches!(held, Opened::Retry { .. }), "{held:?}");
        assert_eq!(life.sweep().items, []);
        life.world.land(late[0].id);
        life.world.set_time(plus(minute(10), LEASE));
        assert!(matches!(life.open(&shorter), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(0, 30));
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

#[test]
fn a_grant_whose_change_may_still_land_is_not_closed_before() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    life.world.plan(Fault::once(Attach, Delivery::Late));
    assert!(matches!(life.open(&approved_again(&asked, 5, 120)), Opened::Retry { .. }));
    let revoked = life.revoke(grant.id());
    assert!(!closed(&revoked), "{revoked:?}");
    assert!(!life.allows(ANA));
    let late = life.world.late();
    life.world.land(late[0].id);
    assert!(life.allows(ANA));
    life.settle();
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}

#[test]
fn a_shortened_end_that_is_not_a_whole_minute_is_kept_to_the_second() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let end: Timestamp = plus(minute(20), SignedDuration::from_secs(17));
    let mut again = approved_again(&asked, 5, 20);
    again.window.end = Some(curfew_domain::request::WindowEnd::At(end));
    assert!(matches!(life.open(&again), Opened::Changed { .. }));
    assert_agreed(&life, &grant, Window::new(minute(0), end).unwrap());
}

#[test]
fn a_later_approval_whose_end_is_past_when_it_comes_ends_the_grant() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let shorter = approved_again(&asked, 5, 15);
    life.world.set_time(minute(16));
    let told = life.open(&shorter);
    assert!(matches!(told, Opened::RevokedMeanwhile(_)), "{told:?}");
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    assert!(!life.allows(ANA));
    // An extension that comes too late ends nothing.
    let asked = request("CHG-2");
    let other = life.active(&asked);
    let longer = approved_again(&asked, 5, 90);
    life.world.set_time(minute(100));
    assert!(matches!(life.open(&longer), Opened::Denied(_)));
    assert!(matches!(life.state(other.id()), State::Active { .. }));
}

#[test]
fn an_approval_of_the_requesters_own_counts_for_nothing_in_the_order() {
    let mut asked = request("CHG-1");
    asked.approvals.push(Approval { approver: person("ana"), at: minute(4) });
    let (life, grant) = begun(&asked);
    let shorter = approved_again(&request("CHG-1"), 3, 30);
    assert!(
        matches!(life.open(&shorter), Opened::Changed { .. }),
        "approved before ana's own, which is none"
    );
    assert_agreed(&life, &grant, window(0, 30));
}

#[test]
fn an_older_approval_is_not_tried_after_a_newer_one_failed() {
    let life = Life::new();
    let older = request("CHG-1");
    life.world.plan(Fault::once(Attach, Delivery::Refused));
    assert!(matches!(life.open(&older), Opened::Refused { .. }));
    life.world.set_time(minute(6));
    let newer = approved_again(&older, 5, 30);
    life.world.plan(Fault::once(Attach, Delivery::Refused));
    assert!(matches!(life.open(&newer), Opened::Refused { .. }));
    assert!(matches!(life.open(&older), Opened::Superseded(_)));
    assert!(!life.allows(ANA));
}
