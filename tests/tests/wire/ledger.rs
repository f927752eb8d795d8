//! The ledger's other conditions, on DynamoDB's own judgement: written once, in order, and never on a closed ticket.

use curfew_app::Ports as _;
use curfew_app::ports::{Commit, CommitWrite, Ledger as _, OpenWrite};
use curfew_domain::effect::{Found, Proof, TimerKind};
use curfew_domain::event::{Actor, verify_chain};
use curfew_domain::grant::Cause;
use curfew_domain::ids::{DeliveryId, Source, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{
    BeginClosing, Command, Opening, Removal, Stored, Transition, open, transition,
};
use curfew_domain::window::Window;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::curfew::SOURCE;
use curfew_tests::ports::{plan_on, ports};
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Flavour, Person, World, world};
use jiff::{SignedDuration, Timestamp};

/// 2096-01-01T00:00:00Z: no sweep of this world finds these grants due.
const OPENED: Timestamp = Timestamp::constant(3_976_214_400, 0);

fn opened(world: &World, curfew: &Curfew, person: &Person, role: &str, ticket: &str) -> Transition {
    let window = Window::new(OPENED, later(OPENED, 3600)).expect("a window");
    let plan = plan_on(world, curfew, person, role, window, OPENED, ticket);
    let opening = Opening {
        attempt: 0,
        timer: TimerKind::Rule,
        lease_until: later(OPENED, 50),
        sweep_grace: SignedDuration::ZERO,
    };
    open(plan, opening, OPENED)
}

fn proof(found: Found) -> Proof {
    Proof { found, at: later(OPENED, 3), aws_request_id: Some("r-1".to_owned()) }
}

fn activate() -> Command {
    Command::Activate { attached: proof(Found::Applied), timer_set: proof(Found::Applied) }
}

#[tokio::test]
async fn what_is_written_is_written_once_and_in_order() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let opened = opened(world, curfew, &person, "reader", &fresh_ticket());
    let id = opened.grant.id();
    assert_eq!(ledger.load(id).await, Ok(None));
    assert_eq!(ledger.open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
    let exists = OpenWrite::Exists(Box::new(Stored::settled(opened.grant.clone())));
    assert_eq!(ledger.open(&opened.grant, &opened.events).await, Ok(exists));

    let active = transition(&opened.grant, activate(), later(OPENED, 2)).expect("a transition");
    let commit = Commit { grant: &active.grant, events: &active.events, unchanged: None };
    assert_eq!(ledger.commit(commit.clone()).await, Ok(CommitWrite::Written));
    assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Outdated));

    // Somebody else's transition from the state before is outdated as well, and leaves no event behind.
    let rival = transition(&opened.grant, activate(), later(OPENED, 9)).expect("a transition");
    let commit = Commit { grant: &rival.grant, events: &rival.events, unchanged: None };
    assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Outdated));
    let story = ledger.story(id).await.expect("a read").expect("a story");
    assert_eq!(story.stored, Stored::settled(active.grant.clone()));
    assert_eq!(story.events, [opened.events.clone(), active.events].concat());

    // A claim is part of the story before its event has an item of its own.
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::RevokeFunction,
        reason: "to see what happens".to_owned(),
        settled: false,
    };
    ledger.claim(id, &begin, later(OPENED, 10)).await.expect("a claim");
    let story = ledger.story(id).await.expect("a read").expect("a story");
    assert_eq!(story.events.last().map(|event| event.fact.name()), Some("RevocationRequested"));
    verify_chain(&story.events, story.stored.grant.chain()).expect("an unbroken chain");
    let record = curfew.record(id.as_str()).await.expect("a grant");
    assert_eq!(record.story(), ["Requested", "Opened", "Activated"]);
}

#[tokio::test]
async fn nothing_is_opened_on_a_closed_ticket() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let ticket = fresh_ticket();
    let before = opened(world, curfew, &person, "reader", &ticket);
    let after = opened(world, curfew, &person, "auditor", &ticket);
    assert_eq!(ledger.open(&before.grant, &before.events).await, Ok(OpenWrite::Written));
    let closed = |delivery: &str| TicketClosed {
        source: Source::new(SOURCE).expect("a source"),
        ticket: TicketId::new(&*ticket).expect("a ticket"),
        closed_by: None,
        reason: Some(delivery.to_owned()),
        delivery: DeliveryId::new(delivery).expect("a delivery"),
    };
    assert_eq!(ledger.close_ticket(&closed("first"), later(OPENED, 1)).await, Ok(()));
    assert_eq!(ledger.close_ticket(&closed("second"), later(OPENED, 2)).await, Ok(()));
    let mark =
        curfew.items(&format!("TICKET#{ticket}")).await.into_iter().find(|item| item["sk"] == "itsm#CLOSED");
    assert_eq!(mark.expect("a mark")["delivery"], "first", "the first mark stays");

    assert_eq!(ledger.open(&after.grant, &after.events).await, Ok(OpenWrite::TicketClosed));
    assert_eq!(ledger.load(after.grant.id()).await, Ok(None));
    let attachment = after.grant.access().shared().expect("a shared attachment");
    let holders = ledger.release(&attachment, after.grant.id()).await.expect("holders");
    assert_eq!((holders.version, holders.grants), (0, vec![]), "it never held the attachment");
    // Whoever delivers the old approval again hears what became of it.
    let exists = OpenWrite::Exists(Box::new(Stored::settled(before.grant.clone())));
    assert_eq!(ledger.open(&before.grant, &before.events).await, Ok(exists));
}

/// P3: a removal that was decided on who held the attachment counts only if they still do.
#[tokio::test]
async fn a_new_holder_undoes_a_removal_that_did_not_see_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let first = opened(world, curfew, &person, "auditor", &fresh_ticket());
    let second = opened(world, curfew, &person, "auditor", &fresh_ticket());
    assert_eq!(ledger.open(&first.grant, &first.events).await, Ok(OpenWrite::Written));
    let attachment = first.grant.access().shared().expect("a shared attachment");
    let begin = BeginClosing {
        cause: Cause::OpeningFailed,
        actor: Actor::GrantFunction,
        reason: "to see what happens".to_owned(),
        settled: true,
    };
    ledger.claim(first.grant.id(), &begin, later(OPENED, 1)).await.expect("a claim");
    let closing = ledger.load(first.grant.id()).await.expect("a read").expect("a grant");

    let seen = ledger.release(&attachment, first.grant.id()).await.expect("holders");
    assert_eq!(seen.grants, []);
    assert_eq!(ledger.release(&attachment, first.grant.id()).await.as_ref(), Ok(&seen), "once");
    assert_eq!(ledger.open(&second.grant, &second.events).await, Ok(OpenWrite::Written));
    let removal = Removal {
        actor: Actor::GrantFunction,
        began_at: later(OPENED, 2),
        by_lease_holder: true,
        access: proof(Found::Deleted),
        timer: None,
    };
    let closed = transition(&closing.grant, Command::Close(removal), later(OPENED, 3)).expect("a transition");
    let events = [closing.unwritten.clone(), closed.events].concat();
    let commit =
        |version| Commit { grant: &closed.grant, events: &events, unchanged: Some((&attachment, version)) };
    assert_eq!(ledger.commit(commit(seen.version)).await, Ok(CommitWrite::HoldersChanged));
    assert_eq!(ledger.load(first.grant.id()).await, Ok(Some(closing)), "nothing of it was written");

    let seen = ledger.release(&attachment, first.grant.id()).await.expect("holders");
    assert_eq!(seen.grants, [second.grant.id().clone()]);
    assert_eq!(ledger.commit(commit(seen.version)).await, Ok(CommitWrite::Written));
}
