//! Tickets: what a closed ticket ends, and that nothing is opened on it any more.

use curfew_app::open::Opened;
use curfew_domain::grant::{Outcome, State};
use curfew_testkit::fixtures::{ANA, catalog, managed_request, request, ticket_closed};
use curfew_testkit::{CallName, Delivery, Fault, explore};

use crate::support::{Crash, Life, Played, Runner, closed, id_of};

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
