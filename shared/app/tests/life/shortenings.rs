//! Shortenings without a new approval: a ticket's planned end was edited, and whoever approved it has approved less
//! of it, too.

use curfew_app::open::Opened;
use curfew_domain::grant::Outcome;
use curfew_domain::request::{AccessRequest, WindowEnd};
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{ANA, managed_request, request};
use jiff::SignedDuration;

use crate::amendments::{assert_agreed, begun, window};
use crate::support::{Life, approved_again, minute};

/// The same approval (given when the grant began), with another planned end.
fn planned_until(asked: &AccessRequest, end: i64) -> AccessRequest {
    approved_again(asked, 0, end)
}

#[test]
fn an_earlier_end_rests_on_the_approval_in_force_and_replays_change_nothing() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let (life, grant) = begun(&asked);
        let shorter = planned_until(&asked, 30);
        assert!(matches!(life.open(&shorter), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(0, 30));
        assert_eq!(life.events(grant.id())[3..], ["Shortened", "Activated"]);
        let before = life.everything();
        for known in [&asked, &shorter] {
            assert!(matches!(life.open(known), Opened::Duplicate(_)));
        }
        // Back to where it was takes somebody's word; so does the same end in other words.
        for end in [30, 31, 60, 120] {
            let mut longer = planned_until(&asked, end);
            longer.justification.push_str(", once more");
            let told = life.open(&longer);
            assert!(matches!(told, Opened::Conflict(_)), "{end}: {told:?}");
        }
        assert_eq!(life.everything(), before);
        assert!(matches!(life.open(&planned_until(&asked, 20)), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(0, 20));
        // A later approval counts as ever.
        assert!(matches!(life.open(&approved_again(&asked, 5, 90)), Opened::Changed { .. }));
        assert_agreed(&life, &grant, window(0, 90));
        // And now the first one is older than what is in force: it shortens nothing any more.
        let told = life.open(&planned_until(&asked, 25));
        assert!(matches!(told, Opened::Superseded(_)), "{told:?}");
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

#[test]
fn of_several_edits_the_earliest_end_holds_in_whatever_order_they_come() {
    for ends in [[50, 40, 30], [30, 40, 50], [40, 30, 50]] {
        let asked = request("CHG-1");
        let (life, grant) = begun(&asked);
        for end in ends {
            life.open(&planned_until(&asked, end));
        }
        assert_agreed(&life, &grant, window(0, 30));
    }
}

#[test]
fn a_planned_end_that_is_past_when_it_comes_ends_the_grant() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    let told = life.open(&planned_until(&asked, 5));
    assert!(matches!(told, Opened::RevokedMeanwhile(_)), "{told:?}");
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    assert!(!life.allows(ANA));
    let before = life.everything();
    assert!(matches!(life.open(&asked), Opened::Duplicate(_)));
    assert!(matches!(life.open(&planned_until(&asked, 5)), Opened::Denied(_)));
    assert!(!life.allows(ANA));
    assert_ne!(life.everything(), before, "the second one is on record as denied");
    life.assert_nothing_left();
}

#[test]
fn an_older_approval_ends_nothing_either() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    assert!(matches!(life.open(&approved_again(&asked, 5, 90)), Opened::Changed { .. }));
    assert!(matches!(life.open(&planned_until(&asked, 5)), Opened::Denied(_)));
    assert_agreed(&life, &grant, window(0, 90));
}

#[test]
fn the_approval_in_force_may_be_as_old_as_it_is() {
    let life = Life::new();
    let mut asked = request("CHG-1");
    // Just young enough to open, and for a fixed end.
    asked.approvals[0].at = plus(minute(0), SignedDuration::from_hours(-24));
    asked.window.end = Some(WindowEnd::At(minute(200)));
    let grant = life.active(&asked);
    life.world.set_time(minute(90));
    let mut shorter = asked.clone();
    shorter.window.end = Some(WindowEnd::At(minute(120)));
    assert!(matches!(life.open(&shorter), Opened::Changed { .. }));
    assert_agreed(&life, &grant, window(0, 120));
    let mut past = asked.clone();
    past.window.end = Some(WindowEnd::At(minute(80)));
    assert!(matches!(life.open(&past), Opened::RevokedMeanwhile(_)));
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}

#[test]
fn a_window_that_has_not_begun_is_shortened_and_not_moved() {
    let life = Life::new();
    let mut asked = request("CHG-1");
    asked.window.starts_at = Some(minute(60));
    asked.window.end = Some(WindowEnd::At(minute(180)));
    let grant = life.active(&asked);
    life.world.set_time(minute(10));
    let planned = |start: Option<i64>, end: i64| {
        let mut planned = asked.clone();
        planned.window.starts_at = start.map(minute);
        planned.window.end = Some(WindowEnd::At(minute(end)));
        planned
    };
    for (start, end) in [(Some(30), 90), (None, 90), (Some(90), 200), (Some(90), 180)] {
        let told = life.open(&planned(start, end));
        assert!(matches!(told, Opened::Conflict(_)), "{start:?} {end}: {told:?}");
        assert_agreed(&life, &grant, window(60, 180));
    }
    assert!(matches!(life.open(&planned(Some(60), 150)), Opened::Changed { .. }));
    assert_agreed(&life, &grant, window(60, 150));
    assert!(matches!(life.open(&planned(Some(90), 120)), Opened::Changed { .. }));
    assert_agreed(&life, &grant, window(90, 120));
    life.pass_the_end_of(grant.id());
    life.assert_nothing_left();
}
