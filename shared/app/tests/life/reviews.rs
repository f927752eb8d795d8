//! Reviews: owed until somebody says what they found, whatever else happens to the grant meanwhile.

use curfew_app::guard::Rules;
use curfew_app::open::{Opened, open};
use curfew_app::review::{self, Reviewed};
use curfew_domain::decision::Permit;
use curfew_domain::event::OperatorName;
use curfew_domain::grant::{Grant, Review};
use curfew_domain::request::AccessRequest;
use curfew_domain::transition::Illegal;
use curfew_testkit::fixtures::{ANA, catalog, managed_request, request};
use curfew_testkit::guardrails::{Scripted, permit};
use curfew_testkit::{CallName, Choices, Delivery, Fault, Task, explore};

use crate::support::{Crash, Life, Played, Runner, minute};

fn opened(life: &Life, asked: &AccessRequest) -> Grant {
    let review = Some("break-glass is looked at".to_owned());
    let guardrails = Scripted::new(move |_, _| Ok(Permit { review: review.clone(), ..permit() }));
    let rules = Rules { catalog: &life.catalog, guardrails: &guardrails };
    let ports = life.world.invocation();
    match life.world.finish(open(&ports, rules, asked.clone(), life.settings())).unwrap().unwrap() {
        Opened::Activated(grant) => *grant,
        other => panic!("not activated: {other:?}"),
    }
}

fn olga() -> OperatorName {
    OperatorName::new("olga").unwrap()
}

fn done(life: &Life, grant: &Grant) -> Reviewed {
    let ports = life.world.invocation();
    life.world.finish(review::done(&ports, grant.id(), &olga(), "as it should be")).unwrap().unwrap()
}

fn owed(life: &Life) -> Vec<Grant> {
    life.world.finish(review::owed(&life.world.invocation())).unwrap().unwrap()
}

#[test]
fn a_review_is_owed_after_every_end_and_done_once() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for early in [true, false] {
            let life = Life::new();
            let grant = opened(&life, &asked);
            if early {
                life.revoke(grant.id());
            } else {
                life.pass_the_end();
            }
            assert_eq!(owed(&life).iter().map(Grant::id).collect::<Vec<_>>(), [grant.id()]);
            assert!(matches!(done(&life, &grant), Reviewed::Recorded(_)));
            assert!(owed(&life).is_empty());
            assert_eq!(life.events(grant.id()).last(), Some(&"Reviewed"));
            let before = life.everything();
            let again = done(&life, &grant);
            assert!(matches!(again, Reviewed::NotOwed { why: Illegal::NoReviewOwed, .. }), "{again:?}");
            assert_eq!(life.everything(), before);
            life.assert_nothing_left();
        }
    }
}

#[test]
fn what_has_not_ended_is_listed_and_can_not_be_reviewed() {
    let life = Life::new();
    let grant = opened(&life, &request("CHG-1"));
    assert_eq!(owed(&life).len(), 1);
    let told = done(&life, &grant);
    assert!(matches!(told, Reviewed::NotOwed { why: Illegal::ReviewTooEarly, .. }), "{told:?}");
    // A removal that AWS did not confirm is no end either.
    life.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    life.revoke(grant.id());
    assert!(matches!(done(&life, &grant), Reviewed::NotOwed { why: Illegal::ReviewTooEarly, .. }));
    life.settle();
    assert!(matches!(done(&life, &grant), Reviewed::Recorded(_)));
    life.assert_nothing_left();
}

#[test]
fn a_failed_opening_owes_none_and_a_later_try_that_succeeds_does() {
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let guardrails = Scripted::new(|_, _| Ok(Permit { review: Some("look".to_owned()), ..permit() }));
    let rules = Rules { catalog: &life.catalog, guardrails: &guardrails };
    let ports = life.world.invocation();
    let refused = life.world.finish(open(&ports, rules, request("CHG-1"), life.settings())).unwrap();
    assert!(matches!(refused, Ok(Opened::Refused { .. })), "{refused:?}");
    assert!(owed(&life).is_empty());
    let grant = opened(&life, &request("CHG-1"));
    assert_eq!(owed(&life).iter().map(Grant::id).collect::<Vec<_>>(), [grant.id()]);
    assert!(life.allows(ANA));
}

#[test]
fn those_come_first_that_are_owed_longest() {
    let life = Life::new();
    let mut expected = Vec::new();
    for n in [3, 1, 2] {
        expected.push(opened(&life, &managed_request(&format!("CHG-{n}"))).id().clone());
        life.world.advance(jiff::SignedDuration::from_mins(1));
    }
    assert_eq!(owed(&life).iter().map(|grant| grant.id().clone()).collect::<Vec<_>>(), expected);
}

/// A name is a claim, but nobody has to lie to be found out.
#[test]
fn whoever_had_the_access_does_not_review_it() {
    let life = Life::new();
    let grant = opened(&life, &request("CHG-1"));
    life.revoke(grant.id());
    let ports = life.world.invocation();
    let before = life.everything();
    for name in ["ana@example.com", " Ana@Example.com "] {
        let ana = OperatorName::new(name).unwrap();
        let own = life.world.finish(review::done(&ports, grant.id(), &ana, "all fine")).unwrap().unwrap();
        assert!(matches!(own, Reviewed::NotOwed { why: Illegal::OwnReview, .. }), "{own:?}");
    }
    assert_eq!(life.everything(), before);
    assert_eq!(owed(&life).len(), 1);
    assert!(matches!(done(&life, &grant), Reviewed::Recorded(_)));
}

#[test]
fn of_two_reviews_at_once_one_is_recorded() {
    let catalog = catalog();
    let runs = explore(|choices| two_at_once(choices, &Life::of(&catalog)));
    assert!(runs.unwrap() > 2);
}

fn two_at_once(choices: &mut Choices, life: &Life) -> Result<(), String> {
    let grant = opened(life, &request("CHG-1"));
    life.revoke(grant.id());
    let reviewing = || {
        let id = grant.id().clone();
        Task::new(async { review::done(&life.world.invocation(), &{ id }, &olga(), "fine").await })
    };
    let (mut one, mut other) = (Runner::new(reviewing()), Runner::new(reviewing()));
    if life.race(choices, Crash::Nobody, &mut [&mut one, &mut other]) == Played::Before {
        return Ok(());
    }
    let recorded = [one.output, other.output].map(|output| matches!(output, Some(Ok(Reviewed::Recorded(_)))));
    life.ensure(
        recorded.iter().filter(|recorded| **recorded).count() == 1,
        "not one was told that it is recorded",
    )?;
    let events = life.events(grant.id());
    life.ensure(events.iter().filter(|name| **name == "Reviewed").count() == 1, "not one review on record")?;
    life.ensure(life.grant(grant.id()).review() == Some(Review::Done { at: minute(0) }), "still owed")?;
    life.sound_to_the_end()
}
