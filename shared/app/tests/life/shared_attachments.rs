//! Overlapping grants of one managed policy: the attachment follows its holders (P3).

use curfew_domain::access::Attachment;
use curfew_domain::effect::Found;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_testkit::fixtures::{ANA, AUDIT_POLICY, LEASE, catalog, managed_request, principal};
use curfew_testkit::{CallName, Choices, Delivery, Fault, explore};
use jiff::SignedDuration;

use crate::support::{Crash, Life, Played, Runner, id_of};

fn attachment() -> Attachment {
    Attachment { principal: principal(ANA), policy_arn: AUDIT_POLICY.to_owned() }
}

fn is_attached(life: &Life) -> bool {
    life.world.look(|aws| aws.iam.has_attached(&attachment()))
}

fn pair(life: &Life) -> (Grant, Grant) {
    (life.active(&managed_request("CHG-1")), life.active(&managed_request("CHG-2")))
}

#[test]
fn ending_one_of_two_keeps_what_the_other_needs() {
    let life = Life::new();
    let (first, second) = pair(&life);
    life.revoke(first.id());
    let State::Closed { proof, .. } = life.state(first.id()) else { panic!("not closed") };
    assert_eq!(proof.found, Found::HeldByOthers);
    assert!(is_attached(&life));
    assert!(matches!(life.state(second.id()), State::Active { .. }));
    life.revoke(second.id());
    let State::Closed { proof, .. } = life.state(second.id()) else { panic!("not closed") };
    assert_eq!(proof.found, Found::Deleted);
    assert!(!is_attached(&life));
    life.assert_nothing_left();
}

#[test]
fn both_end_at_once_in_every_order_and_nothing_is_left() {
    let catalog = catalog();
    for crash in [Crash::Nobody, Crash::Somebody] {
        let runs = explore(|choices| {
            let life = Life::of(&catalog);
            let (first, second) = pair(&life);
            let mut one = Runner::new(life.revoking(first.id()));
            let mut other = Runner::new(life.revoking(second.id()));
            if life.race(choices, crash, &mut [&mut one, &mut other]) == Played::Before {
                return life.sound();
            }
            // Whoever crashed before the ledger knew is asked again.
            life.revoke(first.id());
            life.revoke(second.id());
            life.settle();
            life.ensure(!is_attached(&life), "still attached")?;
            life.sound_to_the_end()
        });
        let runs = runs.unwrap();
        assert!(runs > 100, "{runs}");
    }
}

/// One grant is driven by two (a timer that is delivered twice, an operator beside the sweep), and what the slower
/// one attached for the other holder comes when both grants have ended.
#[test]
fn an_attach_for_others_that_comes_when_all_have_ended_is_taken_back() {
    let life = Life::new();
    let (first, second) = pair(&life);
    let mut slow = life.revoking_as_who_gives(first.id());
    life.world.plan(Fault::hold(CallName::Attach).of(first.id()));
    assert!(life.world.run(&mut slow).is_err(), "it waits for its attach");
    life.world.heal();
    life.revoke(second.id());
    life.revoke(first.id());
    let both = [first.id(), second.id()].map(|id| life.outcome(id));
    assert_eq!(both, [None, Some(Outcome::Revoked)], "the slow one's attach may still land");
    assert!(!is_attached(&life));

    let attach = life.world.in_flight().into_iter().find(|call| call.name == CallName::Attach).unwrap();
    life.world.deliver(attach.id, Delivery::Done);
    assert!(is_attached(&life));
    life.run(slow).unwrap();
    assert!(!is_attached(&life));
    assert_eq!(life.outcome(first.id()), Some(Outcome::Revoked));
}

/// The same, but the slower one dies: nobody waits for its attach any more when it lands.
#[test]
fn an_attach_for_others_whose_sender_died_is_taken_back_when_it_lands_after_all_have_ended() {
    let life = Life::new();
    let (first, second) = pair(&life);
    let mut slow = life.revoking_as_who_gives(first.id());
    life.world.plan(Fault::hold(CallName::Attach).of(first.id()));
    assert!(life.world.run(&mut slow).is_err(), "it waits for its attach");
    life.world.heal();
    slow.crash();
    life.revoke(second.id());
    life.revoke(first.id());
    life.world.advance(LEASE - SignedDuration::from_secs(1));
    life.sweep();
    assert_eq!([first.id(), second.id()].map(|id| life.outcome(id)), [None, Some(Outcome::Revoked)]);

    let attach = life.world.in_flight().into_iter().find(|call| call.name == CallName::Attach).unwrap();
    life.world.deliver(attach.id, Delivery::Done);
    assert!(is_attached(&life));
    life.pass(2);
    assert!(!is_attached(&life));
    assert_eq!(life.outcome(first.id()), Some(Outcome::Revoked));
}

/// What whoever ends a grant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closer {
    /// Take access away, and no more: the revoke function.
    Removes,
    /// Give it, too: the grant function and the sweep.
    Gives,
}

/// One grant ends while another of the same policy begins.
fn one_ends_while_another_begins(
    choices: &mut Choices,
    life: &Life,
    crash: Crash,
    closer: Closer,
) -> Result<(), String> {
    let first = life.active(&managed_request("CHG-1"));
    let second = id_of(life, &managed_request("CHG-2"));
    let mut closing = Runner::new(match closer {
        Closer::Removes => life.revoking(first.id()),
        Closer::Gives => life.revoking_as_who_gives(first.id()),
    });
    let mut opening = Runner::new(life.opening(&managed_request("CHG-2")));
    if life.race(choices, crash, &mut [&mut closing, &mut opening]) == Played::Before {
        return life.sound();
    }
    life.sound()?;
    if crash == Crash::Nobody {
        if closer == Closer::Removes && life.outcome(first.id()).is_none() {
            // What had to be attached again was not its to attach: the grant stays `Closing`, and the sweep does it.
            life.settle();
        }
        life.ensure(is_attached(life), "the new grant has no access")?;
        life.ensure(matches!(life.state(&second), State::Active { .. }), "the new grant is not active")?;
        life.ensure(life.outcome(first.id()).is_some(), "the old grant has not ended")?;
    }
    life.settle();
    let second_is_active = life.world.look(|aws| aws.ledger.row(&second).is_some())
        && matches!(life.state(&second), State::Active { .. });
    if second_is_active {
        life.ensure(is_attached(life), "the new grant is active without access")?;
    }
    life.pass_the_end();
    life.ensure(!is_attached(life), "still attached after all ended")?;
    life.sound_to_the_end()
}

#[test]
fn one_ends_while_another_begins_in_every_order() {
    let catalog = catalog();
    for closer in [Closer::Removes, Closer::Gives] {
        let runs = explore(|choices| {
            one_ends_while_another_begins(choices, &Life::of(&catalog), Crash::Nobody, closer)
        });
        let runs = runs.unwrap();
        assert!(runs > 100, "{runs}");
    }
}

#[test]
fn one_crashes_while_another_begins_or_ends_in_every_order() {
    let catalog = catalog();
    for closer in [Closer::Removes, Closer::Gives] {
        let runs = explore(|choices| {
            // What a crashed invocation had sent lands while the race goes on, or never.
            one_ends_while_another_begins(choices, &Life::of(&catalog), Crash::Somebody, closer)
        });
        let runs = runs.unwrap();
        assert!(runs > 1_000, "{runs}");
    }
}

#[test]
fn an_opening_that_fails_takes_nothing_from_the_other_holder() {
    for delivery in [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Late, Delivery::Refused] {
        let life = Life::new();
        let first = life.active(&managed_request("CHG-1"));
        life.world.plan(Fault::once(CallName::Attach, delivery));
        let _ = life.open(&managed_request("CHG-2"));
        assert!(is_attached(&life), "{delivery:?}");
        for call in life.world.late() {
            life.world.land(call.id);
        }
        life.settle();
        assert!(is_attached(&life), "{delivery:?}");
        assert!(matches!(life.state(first.id()), State::Active { .. }));
        life.pass_the_end();
        life.assert_nothing_left();
    }
}

#[test]
fn grants_of_their_own_policy_share_nothing() {
    let life = Life::new();
    let first = life.active(&curfew_testkit::fixtures::request("CHG-1"));
    let second = life.active(&curfew_testkit::fixtures::request("CHG-2"));
    life.revoke(first.id());
    assert!(life.allows(ANA));
    life.revoke(second.id());
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}
