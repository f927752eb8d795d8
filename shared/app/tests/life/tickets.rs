//! Tickets: what a closed ticket ends, and that nothing is opened on it any more.

use curfew_app::open::Opened;
use curfew_app::sweep::Swept;
use curfew_domain::grant::{Outcome, State};
use curfew_testkit::fixtures::{ANA, catalog, managed_request, request, request_of, ticket_closed};
use curfew_testkit::{CallName, Delivery, Fault, explore};
use jiff::SignedDuration;

use crate::support::{Crash, Life, Played, Runner, approved_again, closed, id_of, minute};

#[test]
fn an_approval_on_a_closed_ticket_opens_nothing() {
    let life = Life::new();
    assert_eq!(life.close_ticket(&ticket_closed("CHG-1")), []);
    let before = life.everything();
    for _ in 0..2 {
        assert_eq!(life.open(&request("CHG-1")), Opened::TicketClosed);
    }
    assert_eq!(life.everything(), before);
    assert!(!life.allows(ANA));
    life.active(&request("CHG-2"));
}

#[test]
fn a_closed_ticket_ends_all_that_it_justified_and_nothing_else() {
    let life = Life::new();
    let first = life.active(&request("CHG-1"));
    let second = life.active(&managed_request("CHG-1"));
    let other = life.active(&managed_request("CHG-2"));
    let ends = life.close_ticket(&ticket_closed("CHG-1"));
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|(_, end)| end.as_ref().is_ok_and(closed)), "{ends:?}");
    for id in [first.id(), second.id()] {
        assert_eq!(life.outcome(id), Some(Outcome::Revoked));
    }
    assert!(matches!(life.state(other.id()), State::Active { .. }));
    life.assert_sound();
    let before = life.everything();
    // The same message again, and the approval again.
    let again = life.close_ticket(&ticket_closed("CHG-1"));
    assert_eq!(again.len(), 2);
    let answer = life.open(&request("CHG-1"));
    assert!(matches!(answer, Opened::Duplicate(_) | Opened::TicketClosed), "{answer:?}");
    assert_eq!(life.everything(), before);
}

#[test]
fn the_same_ticket_of_another_source_stays_open() {
    let life = Life::new();
    let mut elsewhere = ticket_closed("CHG-1");
    elsewhere.source = curfew_domain::ids::Source::new("jira").unwrap();
    let grant = life.active(&request("CHG-1"));
    assert_eq!(life.close_ticket(&elsewhere), []);
    assert!(matches!(life.state(grant.id()), State::Active { .. }));
}

#[test]
fn a_ticket_that_closes_while_its_grant_opens_leaves_no_access_in_any_order() {
    let catalog = catalog();
    for crash in [Crash::Nobody, Crash::Somebody] {
        let runs = explore(|choices| {
            let life = Life::of(&catalog);
            let id = id_of(&life, &request("CHG-1"));
            let mut opening = Runner::new(life.opening(&request("CHG-1")));
            let mut closing = Runner::new(life.closing_ticket(&ticket_closed("CHG-1")));
            if life.race(choices, crash, &mut [&mut opening, &mut closing]) == Played::Before {
                return life.sound();
            }
            life.sound()?;
            let told = closing.output.is_some();
            if told && opening.output.is_some() {
                life.ensure(!life.allows(ANA), "access is left although the ticket is closed")?;
            }
            // A message whose invocation crashed is sent again.
            life.run(life.closing_ticket(&ticket_closed("CHG-1"))).map_err(|error| error.to_string())?;
            life.settle();
            life.ensure(!life.allows(ANA), "access is left although the ticket is closed")?;
            let opened = life.world.look(|aws| aws.ledger.row(&id).is_some());
            let ended = !opened || life.outcome(&id).is_some();
            life.ensure(ended, "its grant has not ended")?;
            life.sound_to_the_end()
        });
        let runs = runs.unwrap();
        assert!(runs > 30, "{runs}");
    }
}

#[test]
fn a_failed_try_on_a_ticket_that_closed_is_not_tried_again() {
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let Opened::Refused { grant, .. } = life.open(&request("CHG-1")) else { panic!("not refused") };
    life.close_ticket(&ticket_closed("CHG-1"));
    let again = life.open(&request("CHG-1"));
    assert!(matches!(&again, Opened::Duplicate(same) if same.id() == grant.id()), "{again:?}");
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}

/// The function that was told dies anywhere, and its message never comes again: the sweep alone sees to it.
#[test]
fn a_ticket_whose_closing_dies_anywhere_is_ended_by_the_sweep() {
    let catalog = catalog();
    let runs = explore(|choices| {
        let life = Life::of(&catalog);
        let first = life.active(&request("CHG-1"));
        let second = life.active(&managed_request("CHG-1"));
        let mut closing = Runner::new(life.closing_ticket(&ticket_closed("CHG-1")));
        if life.race(choices, Crash::Somebody, &mut [&mut closing]) == Played::Before {
            return life.sound();
        }
        life.sound()?;
        let is_closed = life.open(&request_of("ben", "acme", "ops", "CHG-1")) == Opened::TicketClosed;
        if !is_closed {
            // It died before its first word was written down: nobody knows of it.
            return life.ensure(life.allows(ANA), "access ended without a word in the ledger");
        }
        life.pass(2);
        life.ensure(!life.allows(ANA), "access is left two minutes after")?;
        for id in [first.id(), second.id()] {
            life.ensure(life.outcome(id) == Some(Outcome::Revoked), "not ended as revoked")?;
            let events = life.events(id);
            life.ensure(events[3..] == ["RevocationRequested", "Revoked"], "another story")?;
        }
        // Nothing is due any more, the ticket included.
        life.sound_to_the_end()
    });
    let runs = runs.unwrap();
    assert!(runs > 30, "{runs}");
}

#[test]
fn a_closed_ticket_stays_due_until_the_end_of_all_its_grants_was_begun() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.plan(Fault::always(CallName::Claim, Delivery::LostRequest));
    life.close_ticket(&ticket_closed("CHG-1"));
    for _ in 0..3 {
        life.world.advance(SignedDuration::from_mins(1));
        let report = life.sweep();
        assert!(matches!(report.items.as_slice(), [(_, Swept::Failed(_))]), "{report:?}");
        assert!(life.allows(ANA));
    }
    life.world.heal();
    let report = life.sweep();
    assert!(matches!(report.items.as_slice(), [(_, Swept::TicketEnded(1))]), "{report:?}");
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
    assert_eq!(life.sweep().items, []);
}

#[test]
fn a_ticket_that_closes_in_the_ordinary_way_leaves_the_sweep_nothing() {
    let life = Life::new();
    life.active(&request("CHG-1"));
    life.close_ticket(&ticket_closed("CHG-1"));
    life.assert_nothing_left();
    life.world.advance(SignedDuration::from_mins(2));
    assert_eq!(life.sweep().items, []);
}

#[test]
fn a_later_approval_that_comes_after_its_ticket_closed_does_not_outlive_the_sweep() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(minute(10));
    let mut closing = life.closing_ticket(&ticket_closed("CHG-1"));
    assert!(closing.poll().is_none());
    assert!(life.world.step());
    closing.crash();
    life.open(&approved_again(&request("CHG-1"), 5, 120));
    life.pass(2);
    assert!(!life.allows(ANA));
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}
