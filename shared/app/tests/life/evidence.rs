//! Evidence (P7): every life has exactly the events of its transitions, chained so that no change of them
//! goes unseen.

use curfew_domain::event::{BrokenChain, Event, Fact, verify_chain};
use curfew_testkit::fixtures::{managed_request, request, ticket_closed};
use curfew_testkit::{CallName, Delivery, Fault, checks};

use crate::support::Life;

#[test]
fn every_life_tells_what_happened_and_nothing_else() {
    let asked = || request("CHG-1");

    let life = Life::new();
    let id = life.active(&asked()).id().clone();
    assert_eq!(life.events(&id), ["Requested", "Opened", "Activated"]);
    life.pass(62);
    assert_eq!(life.events(&id), ["Requested", "Opened", "Activated", "Expired", "Revoked"]);

    let life = Life::new();
    let id = life.active(&asked()).id().clone();
    life.revoke(&id);
    assert_eq!(life.events(&id), ["Requested", "Opened", "Activated", "RevocationRequested", "Revoked"]);

    let life = Life::new();
    let id = life.active(&asked()).id().clone();
    life.close_ticket(&ticket_closed("CHG-1"));
    assert_eq!(life.events(&id), ["Requested", "Opened", "Activated", "RevocationRequested", "Revoked"]);
    let story = life.world.look(|aws| aws.ledger.row(&id).unwrap().story().unwrap());
    assert_eq!(story.events[3].actor.to_string(), "dora@example.com");
    assert_eq!(
        story.events[3].fact,
        Fact::RevocationRequested { reason: "ticket CHG-1 was closed: solved".to_owned() }
    );
}

#[test]
fn a_claim_is_told_at_once_though_its_event_is_written_with_the_next_transition() {
    let life = Life::new();
    let id = life.active(&request("CHG-1")).id().clone();
    let mut revoking = life.revoking(&id);
    assert!(revoking.poll().is_none());
    assert!(life.world.step());
    life.world.look(|aws| {
        let row = aws.ledger.row(&id).unwrap();
        assert_eq!(row.events.len(), 3);
        assert_eq!(row.story().unwrap().events.len(), 4);
        assert_eq!(checks::evidence(row), []);
    });
    life.run(revoking).unwrap();
    life.world.look(|aws| assert_eq!(aws.ledger.row(&id).unwrap().events.len(), 5));
    life.assert_sound();
}

#[test]
fn events_have_the_time_and_the_number_of_their_transition() {
    let life = Life::new();
    let id = life.active(&request("CHG-1")).id().clone();
    life.world.plan(Fault::once(CallName::Detach, Delivery::Forbidden));
    life.revoke(&id);
    life.pass(2);
    let story = life.world.look(|aws| aws.ledger.row(&id).unwrap().story().unwrap());
    let numbers: Vec<u32> = story.events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert!(story.events.is_sorted_by_key(|event| event.at));
    assert!(story.events.iter().all(|event| event.grant_id == id));
}

/// The events of a whole life, and where its chain ends.
fn whole_life() -> (Vec<Event>, curfew_domain::event::Chain) {
    let life = Life::new();
    let id = life.active(&managed_request("CHG-1")).id().clone();
    life.revoke(&id);
    life.world.look(|aws| {
        let story = aws.ledger.row(&id).unwrap().story().unwrap();
        (story.events, story.stored.grant.chain().clone())
    })
}

#[test]
fn a_changed_event_is_found_wherever_it_stands() {
    let (events, end) = whole_life();
    assert_eq!(verify_chain(&events, &end), Ok(()));
    for n in 0..events.len() {
        let mut changed = events.clone();
        changed[n].at = changed[n].at.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        let found = verify_chain(&changed, &end);
        let expected = if n + 1 < events.len() {
            BrokenChain::Altered { seq: u32::try_from(n + 2).unwrap() }
        } else {
            BrokenChain::End { expected: end.seq, found: end.seq }
        };
        assert_eq!(found, Err(expected), "event {n}");
    }
}

#[test]
fn every_part_of_an_event_is_under_its_digest() {
    let (events, _) = whole_life();
    let event = &events[3];
    let changes: [fn(&mut Event); 6] = [
        |event| event.seq += 1,
        |event| event.at = jiff::Timestamp::UNIX_EPOCH,
        |event| event.actor = curfew_domain::event::Actor::Sweep,
        |event| event.fact = Fact::RevocationRequested { reason: "another".to_owned() },
        |event| event.prev = curfew_domain::event::GENESIS.to_owned(),
        |event| {
            event.grant_id = curfew_domain::ids::GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut changed = event.clone();
        change(&mut changed);
        assert_ne!(changed.digest(), event.digest(), "change {n}");
    }
}

#[test]
fn a_dropped_doubled_or_moved_event_is_found() {
    let (events, end) = whole_life();
    for n in 0..events.len() {
        let mut dropped = events.clone();
        dropped.remove(n);
        assert!(verify_chain(&dropped, &end).is_err(), "dropped {n}");
        let mut doubled = events.clone();
        doubled.insert(n, events[n].clone());
        assert!(verify_chain(&doubled, &end).is_err(), "doubled {n}");
        if n > 0 {
            let mut moved = events.clone();
            moved.swap(n - 1, n);
            assert!(verify_chain(&moved, &end).is_err(), "moved {n}");
        }
    }
    assert!(verify_chain(&[], &end).is_err());
}

#[test]
fn the_checks_of_this_suite_see_what_is_tampered_with() {
    // The judge itself must be able to say no.
    let life = Life::new();
    let id = life.active(&request("CHG-1")).id().clone();
    life.world.change(|aws| {
        aws.ledger.tamper(&id, |row| {
            row.events.pop();
        });
    });
    life.world.look(|aws| assert_eq!(checks::evidence(aws.ledger.row(&id).unwrap()).len(), 2));
    let told = checks::after_the_end(&life.world);
    for promise in ["P2", "P5", "P6", "P7"] {
        assert!(told.iter().any(|violation| violation.promise == promise), "{promise}: {told:?}");
    }
}
