//! The ledger's other conditions, on DynamoDB's own judgement: written once, in order, and never on a closed ticket;
//! removals that know of each other; and what is due, in the order of work.

use curfew_app::Ports as _;
use curfew_app::ports::{
    ClaimWrite, Commit, CommitWrite, DriftLap, Due, DueItem, Holders, Ledger as _, OpenWrite, Released,
    Removing, SharedRemoval, Stray,
};
use curfew_aws::DynamoLedger;
use curfew_domain::access::Attachment;
use curfew_domain::effect::{Found, Proof, TimerKind};
use curfew_domain::event::{Actor, verify_chain};
use curfew_domain::grant::Cause;
use curfew_domain::ids::{DeliveryId, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{
    BeginClosing, CLOSER_HEADSTART, Command, Opening, Removal, Stored, TICKET_DUE_AFTER, Transition, open,
    transition,
};
use curfew_domain::window::Window;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::curfew::SOURCE;
use curfew_tests::ports::{permitted, plan_on, ports};
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Flavour, Person, World, world};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// 2096-01-01T00:00:00Z: no sweep of this world finds these grants due.
const OPENED: Timestamp = Timestamp::constant(3_976_214_400, 0);

fn opened(world: &World, curfew: &Curfew, person: &Person, role: &str, ticket: &str) -> Transition {
    tried(world, curfew, person, role, ticket, 0)
}

fn tried(
    world: &World,
    curfew: &Curfew,
    person: &Person,
    role: &str,
    ticket: &str,
    attempt: u32,
) -> Transition {
    let window = Window::new(OPENED, later(OPENED, 3600)).expect("a window");
    let plan = plan_on(world, curfew, person, role, window, OPENED, ticket);
    let opening = Opening {
        attempt,
        timer: TimerKind::Rule,
        lease_until: later(OPENED, 50),
        sweep_grace: SignedDuration::ZERO,
    };
    open(permitted(plan), opening, OPENED)
}

fn proof(found: Found) -> Proof {
    Proof { found, at: later(OPENED, 3), aws_request_id: Some("r-1".to_owned()), unsettled: false }
}

fn activate() -> Command {
    Command::Activate {
        by: Actor::GrantFunction,
        attached: proof(Found::Applied),
        timer_set: proof(Found::Applied),
    }
}

/// The mark that a removal of a grant by an invocation leaves.
fn mark(id: &GrantId, by: &str, after_close: bool) -> Removing {
    Removing { until: later(OPENED, 60), grant_id: id.clone(), by: by.to_owned(), after_close }
}

/// Releases an attachment whose grant's removal has not ended.
async fn leave(ledger: &DynamoLedger, attachment: &Attachment, mine: &Removing) -> Holders {
    match ledger.release(attachment, &mine.grant_id, mine).await {
        Ok(Released::Left(holders)) => holders,
        other => panic!("{other:?}"),
    }
}

/// The partition of a shared attachment.
fn partition(attachment: &Attachment) -> String {
    format!("ATTACHMENT#{}#{}", attachment.principal, attachment.policy_arn)
}

/// The claim that ends an opening which never took effect, and the removal that follows.
fn failing() -> (BeginClosing, Removal) {
    let begin = BeginClosing {
        cause: Cause::OpeningFailed,
        actor: Actor::GrantFunction,
        reason: "to see what happens".to_owned(),
        settled: true,
    };
    let removal = Removal {
        actor: Actor::GrantFunction,
        began_at: later(OPENED, 2),
        by_lease_holder: true,
        access: proof(Found::Deleted),
        timer: None,
    };
    (begin, removal)
}

fn closed(ticket: &str, delivery: &str) -> TicketClosed {
    TicketClosed {
        source: Source::new(SOURCE).expect("a source"),
        ticket: TicketId::new(ticket).expect("a ticket"),
        closed_by: None,
        reason: Some(delivery.to_owned()),
        delivery: DeliveryId::new(delivery).expect("a delivery"),
    }
}

/// The one item of a partition and sort key, as the console shows it.
async fn item(curfew: &Curfew, pk: &str, sk: &str) -> Value {
    let found = curfew.items(pk).await.into_iter().find(|item| item["sk"] == sk);
    found.unwrap_or_else(|| panic!("{pk} {sk}"))
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
    let commit = Commit { grant: &active.grant, events: &active.events, shared: None };
    assert_eq!(ledger.commit(commit.clone()).await, Ok(CommitWrite::Written));
    assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Outdated));

    // Somebody else's transition from the state before is outdated as well, and leaves no event behind.
    let rival = transition(&opened.grant, activate(), later(OPENED, 9)).expect("a transition");
    let commit = Commit { grant: &rival.grant, events: &rival.events, shared: None };
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
    let (first, second) = (closed(&ticket, "first"), closed(&ticket, "second"));
    assert_eq!(ledger.closed_ticket(&first.source, &first.ticket).await, Ok(None));
    assert_eq!(ledger.close_ticket(&first, later(OPENED, 1)).await, Ok(()));
    assert_eq!(ledger.close_ticket(&second, later(OPENED, 2)).await, Ok(()));
    let read = ledger.closed_ticket(&first.source, &first.ticket).await;
    assert_eq!(read, Ok(Some(first)), "the first mark stays");

    assert_eq!(ledger.open(&after.grant, &after.events).await, Ok(OpenWrite::TicketClosed));
    assert_eq!(ledger.load(after.grant.id()).await, Ok(None));
    let attachment = after.grant.access().shared().expect("a shared attachment");
    let mine = mark(after.grant.id(), "r-1", false);
    let ended = Ok(Released::Ended);
    assert_eq!(ledger.release(&attachment, after.grant.id(), &mine).await, ended, "it never held it");
    assert_eq!(curfew.items(&partition(&attachment)).await, Vec::<Value>::new());
    // Whoever delivers the old approval again hears what became of it.
    let exists = OpenWrite::Exists(Box::new(Stored::settled(before.grant.clone())));
    assert_eq!(ledger.open(&before.grant, &before.events).await, Ok(exists));
}

/// Another try and a revocation of the failed one before it exclude each other (P4).
#[tokio::test]
async fn another_try_is_opened_only_while_the_one_before_it_counts_as_failed() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let (begin, removal) = failing();
    for overruled_first in [true, false] {
        let ticket = fresh_ticket();
        let [first, second] =
            [0, 1].map(|attempt| tried(world, curfew, &person, "auditor", &ticket, attempt));
        let id = first.grant.id();
        let again = async || ledger.open(&second.grant, &second.events).await;
        assert_eq!(again().await, Ok(OpenWrite::EarlierTryChanged), "there is none");
        assert_eq!(ledger.open(&first.grant, &first.events).await, Ok(OpenWrite::Written));
        assert_eq!(again().await, Ok(OpenWrite::EarlierTryChanged), "it is opening");
        ledger.claim(id, &begin, later(OPENED, 1)).await.expect("a claim");
        assert_eq!(again().await, Ok(OpenWrite::EarlierTryChanged), "it has not failed yet");

        let closing = ledger.load(id).await.expect("a read").expect("a grant");
        let failed = transition(&closing.grant, Command::Close(removal.clone()), later(OPENED, 3));
        let failed = failed.expect("a transition");
        let events = [closing.unwritten, failed.events].concat();
        let commit = Commit { grant: &failed.grant, events: &events, shared: None };
        assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Written));
        let by = Actor::RevokeFunction;
        let overrule = Command::Overrule { actor: by, reason: "to see what happens".to_owned() };
        let overruled = transition(&failed.grant, overrule, later(OPENED, 4)).expect("a transition");
        let commit = Commit { grant: &overruled.grant, events: &overruled.events, shared: None };
        if overruled_first {
            assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Written));
            assert_eq!(again().await, Ok(OpenWrite::EarlierTryChanged), "it counts as revoked");
            assert_eq!(ledger.load(second.grant.id()).await, Ok(None));
            let source = &first.grant.request().source;
            let links = ledger.grants_of_ticket(Some(source), &first.grant.request().ticket).await;
            assert_eq!(links, Ok(vec![(source.clone(), id.clone())]), "nothing of it was written");
            assert_eq!(ledger.close_ticket(&closed(&ticket, "msg-1"), later(OPENED, 5)).await, Ok(()));
            assert_eq!(again().await, Ok(OpenWrite::TicketClosed), "which it stays");
        } else {
            assert_eq!(again().await, Ok(OpenWrite::Written));
            assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Written));
            let exists = OpenWrite::Exists(Box::new(Stored::settled(second.grant.clone())));
            assert_eq!(again().await, Ok(exists), "what is there is told, whatever came after");
        }
    }
}

/// P3: a removal counts only if who holds the attachment, and who removes it, is as it was when it was decided on.
#[tokio::test]
async fn a_new_holder_or_another_release_undoes_a_removal_that_did_not_see_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let first = opened(world, curfew, &person, "auditor", &fresh_ticket());
    let second = opened(world, curfew, &person, "auditor", &fresh_ticket());
    assert_eq!(ledger.open(&first.grant, &first.events).await, Ok(OpenWrite::Written));
    let attachment = first.grant.access().shared().expect("a shared attachment");
    let (begin, removal) = failing();
    let id = first.grant.id();
    ledger.claim(id, &begin, later(OPENED, 1)).await.expect("a claim");
    let closing = ledger.load(id).await.expect("a read").expect("a grant");

    let (mine, rival) = (mark(id, "r-1", false), mark(id, "r-2", false));
    let seen = leave(ledger, &attachment, &mine).await;
    assert_eq!((&*seen.grants, &*seen.removing), (&[][..], &[][..]), "one's own mark is not another's");
    let again = Holders { version: seen.version + 1, ..seen.clone() };
    assert_eq!(leave(ledger, &attachment, &mine).await, again, "twice, because an answer was lost: counted");
    assert_eq!(ledger.open(&second.grant, &second.events).await, Ok(OpenWrite::Written));
    let closed = transition(&closing.grant, Command::Close(removal), later(OPENED, 3)).expect("a transition");
    let events = [closing.unwritten.clone(), closed.events].concat();
    let marks = [mine.clone()];
    let commit = |version| Commit {
        grant: &closed.grant,
        events: &events,
        shared: Some(SharedRemoval { attachment: &attachment, version, marks: &marks }),
    };
    for outdated in [seen.version, again.version] {
        assert_eq!(ledger.commit(commit(outdated)).await, Ok(CommitWrite::HoldersChanged));
    }
    assert_eq!(ledger.load(id).await, Ok(Some(closing)), "nothing of it was written");
    let kept = item(curfew, &partition(&attachment), "HOLDERS").await;
    let text = |mark: &Removing| json!(format!("{} {} {}", mark.until, mark.grant_id, mark.by));
    assert_eq!(
        (&kept["removing"], &kept["leaving"]),
        (&json!([text(&mine)]), &json!([id])),
        "the removal is not over"
    );

    let seen = leave(ledger, &attachment, &mine).await;
    assert_eq!(seen.grants, [second.grant.id().clone()]);
    let latest = leave(ledger, &attachment, &rival).await;
    assert_eq!((&latest.grants, &latest.removing), (&seen.grants, &vec![mine.clone()]));
    assert_eq!(ledger.commit(commit(seen.version)).await, Ok(CommitWrite::HoldersChanged));
    assert_eq!(ledger.commit(commit(latest.version)).await, Ok(CommitWrite::Written));
    let kept = item(curfew, &partition(&attachment), "HOLDERS").await;
    assert_eq!((&kept["leaving"], &kept["holders"]), (&Value::Null, &json!([second.grant.id()])));
    assert_eq!(kept["removing"], json!([text(&rival)]), "the other one's goes by time");

    // Whoever does not know that the removal has ended is told so, and changes nothing.
    for late in [&mine, &rival, &mark(id, "r-3", false)] {
        assert_eq!(ledger.release(&attachment, id, late).await, Ok(Released::Ended));
        assert_eq!(item(curfew, &partition(&attachment), "HOLDERS").await, kept);
    }
}

#[tokio::test]
async fn removals_know_of_each_other_until_they_are_over() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let first = opened(world, curfew, &person, "auditor", &fresh_ticket());
    let second = opened(world, curfew, &person, "auditor", &fresh_ticket());
    let attachment = first.grant.access().shared().expect("a shared attachment");
    let (one, two) = (first.grant.id(), second.grant.id());
    // Somebody removes once more what is long over: that mark is taken even where nobody ever held it.
    let early = mark(one, "r-0", true);
    let seen = leave(ledger, &attachment, &early).await;
    assert_eq!(seen, Holders { version: 1, grants: vec![], removing: vec![] });
    for opened in [&first, &second] {
        assert_eq!(ledger.open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
    }

    let (mine, late) = (mark(one, "r-1", false), mark(two, "r-2", true));
    let seen = leave(ledger, &attachment, &mine).await;
    let expected = Holders { version: 4, grants: vec![two.clone()], removing: vec![early.clone()] };
    assert_eq!(seen, expected, "two openings and two releases");
    let others = leave(ledger, &attachment, &late).await;
    let expected =
        Holders { version: 5, grants: vec![two.clone()], removing: vec![early.clone(), mine.clone()] };
    assert_eq!(others, expected, "a mark after the close touches no holder; all marks but its own");
    let kept = item(curfew, &partition(&attachment), "HOLDERS").await;
    assert_eq!((&kept["holders"], &kept["leaving"]), (&json!([two]), &json!([one])));
    // Again, because an answer was lost: the same marks, counted once more.
    assert_eq!(leave(ledger, &attachment, &late).await, Holders { version: 6, ..others });

    assert_eq!(ledger.unmark(&attachment, &[early, mine.clone()]).await, Ok(()));
    assert_eq!(ledger.unmark(&attachment, std::slice::from_ref(&mine)).await, Ok(()), "it is gone already");
    let seen = leave(ledger, &attachment, &mine).await;
    assert_eq!((seen.version, &*seen.removing), (7, &[late][..]), "taking marks off counts nothing");
    let elsewhere = Attachment { policy_arn: "arn:aws:iam::aws:policy/Nobody".to_owned(), ..attachment };
    assert_eq!(ledger.unmark(&elsewhere, &[mine]).await, Ok(()));
    let nothing = Vec::<Value>::new();
    assert_eq!(curfew.items(&partition(&elsewhere)).await, nothing, "taking marks off makes no item");
}

/// Everything that is due from a time on, in pages of two.
async fn due_in_pages(ledger: &DynamoLedger, since: Timestamp, now: Timestamp) -> Vec<Due> {
    let nobody = GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").expect("an id");
    let mut after = Due { item: DueItem::Grant(nobody), due_at: since, privileged: true };
    let mut found = Vec::new();
    loop {
        let page = ledger.due(now, Some(&after), 2).await.expect("what is due");
        let is_last = page.len() < 2;
        found.extend(page);
        match found.last() {
            Some(last) if !is_last => after = last.clone(),
            _ => return found,
        }
    }
}

#[tokio::test]
async fn what_is_due_comes_in_the_order_of_work_page_by_page() {
    /// 2097-01-01T00:00:00Z: what falls due then is this test's alone.
    const MINUTE: Timestamp = Timestamp::constant(4_007_836_800, 0);
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let at = |second| later(MINUTE, second);

    let mut expected = Vec::new();
    // Equal times and both ranks in the first minute, and the turn of the minute.
    let lots =
        [(40, true), (40, true), (5, false), (30, false), (30, false), (30, false), (60, true), (59, false)];
    for (second, privileged) in lots {
        let window = Window::new(MINUTE, at(3600)).expect("a window");
        let mut plan = plan_on(world, curfew, &person, "reader", window, MINUTE, &fresh_ticket());
        plan.privileged = privileged;
        let opening = Opening {
            attempt: 0,
            timer: TimerKind::Rule,
            lease_until: at(second),
            sweep_grace: SignedDuration::ZERO,
        };
        let opened = open(permitted(plan), opening, MINUTE);
        assert_eq!(ledger.open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
        let item = DueItem::Grant(opened.grant.id().clone());
        expected.push(Due { item, due_at: at(second), privileged });
    }
    let ticket = closed(&fresh_ticket(), "msg-1");
    assert_eq!(
        ledger.close_ticket(&ticket, at(40).checked_sub(TICKET_DUE_AFTER).expect("a time")).await,
        Ok(())
    );
    let item = DueItem::Ticket(ticket.source.clone(), ticket.ticket.clone());
    expected.push(Due { item: item.clone(), due_at: at(40), privileged: true });
    expected.sort_by(Due::order);
    assert_eq!(due_in_pages(ledger, MINUTE, at(60)).await, expected);
    assert!(expected[..3].iter().all(|due| due.privileged), "privileged first, although due later");
    let due = expected.iter().filter(|due| due.due_at < at(60)).cloned().collect::<Vec<_>>();
    assert_eq!(due_in_pages(ledger, MINUTE, at(59)).await, due, "what is not due yet is not told");

    // A ticket is due until it is settled, and stays closed then.
    for _ in 0..2 {
        assert_eq!(ledger.settle_ticket(&ticket.source, &ticket.ticket).await, Ok(()));
        assert_eq!(
            ledger.close_ticket(&ticket, at(0)).await,
            Ok(()),
            "the mark that is there stays as it is"
        );
    }
    expected.retain(|due| due.item != item);
    assert_eq!(due_in_pages(ledger, MINUTE, at(60)).await, expected);
    assert_eq!(ledger.closed_ticket(&ticket.source, &ticket.ticket).await, Ok(Some(ticket)));
    let never = closed(&fresh_ticket(), "msg-2");
    assert_eq!(ledger.settle_ticket(&never.source, &never.ticket).await, Ok(()));
    assert_eq!(ledger.closed_ticket(&never.source, &never.ticket).await, Ok(None), "settling closes nothing");

    // A claim moves its grant in the index, and so does a transition.
    let DueItem::Grant(id) = expected[0].item.clone() else { panic!("a grant") };
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::RevokeFunction,
        reason: "to see what happens".to_owned(),
        settled: false,
    };
    let Ok(ClaimWrite::Begun(begun)) = ledger.claim(&id, &begin, at(100)).await else { panic!("a claim") };
    let claimed =
        Due { due_at: at(100).checked_add(CLOSER_HEADSTART).expect("a time"), ..expected.remove(0) };
    expected.push(claimed);
    assert_eq!(due_in_pages(ledger, MINUTE, at(3600)).await, expected);
    let removal = Removal {
        actor: Actor::RevokeFunction,
        began_at: at(101),
        by_lease_holder: false,
        access: proof(Found::Deleted),
        timer: Some(proof(Found::Deleted)),
    };
    let ended = transition(&begun.grant, Command::Close(removal), at(102)).expect("a transition");
    let events = [begun.events, ended.events].concat();
    let commit = Commit { grant: &ended.grant, events: &events, shared: None };
    assert_eq!(ledger.commit(commit).await, Ok(CommitWrite::Written));
    expected.pop();
    assert_eq!(due_in_pages(ledger, MINUTE, at(3600)).await, expected);
}

#[tokio::test]
async fn live_grants_are_found_by_person_by_tenant_and_by_principal() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let (person, other) = (world.person().await, world.person().await);
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let mine = [
        opened(world, curfew, &person, "reader", &fresh_ticket()),
        opened(world, curfew, &person, "auditor", &fresh_ticket()),
    ];
    let theirs = opened(world, curfew, &other, "reader", &fresh_ticket());
    for opened in mine.iter().chain([&theirs]) {
        assert_eq!(ledger.open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
    }
    let tenant = TenantId::new(world.acme().name()).expect("a tenant");
    let principal = mine[0].grant.access().principal();
    let mut ids: Vec<GrantId> = mine.iter().map(|opened| opened.grant.id().clone()).collect();
    ids.sort();
    let sorted = |mut found: Vec<GrantId>| {
        found.sort();
        found
    };
    let found = ledger.live_of_principal(&tenant, principal).await.expect("grants");
    assert_eq!(sorted(found), ids);
    let found = ledger.live_of_person(&mine[0].grant.request().requester).await.expect("grants");
    assert_eq!(sorted(found), ids);
    let found = ledger.live_of_tenant(&tenant).await.expect("grants");
    assert!(ids.iter().chain([theirs.grant.id()]).all(|id| found.contains(id)));
    let elsewhere = TenantId::new(world.globex().name()).expect("a tenant");
    assert_eq!(ledger.live_of_principal(&elsewhere, principal).await, Ok(vec![]));
}

#[tokio::test]
async fn one_lap_over_an_account_is_moved_on_by_one_at_a_time() {
    const ACCOUNT: &str = "444455556666";
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let lap = |second, next: Option<&str>| DriftLap {
        began_at: later(OPENED, second),
        next: next.map(str::to_owned),
    };
    let save = async |before: Option<&DriftLap>, after: &DriftLap| {
        ledger.save_drift_lap(ACCOUNT, before, after).await.expect("a write")
    };
    assert_eq!(ledger.drift_lap(ACCOUNT).await, Ok(None));
    let mut before = None;
    // Each time two set out from the same place; one of them moves it on, to where it says.
    for (here, there) in [
        (lap(0, Some("page-2")), lap(1, Some("page-2"))),
        (lap(0, Some("page-3")), lap(0, None)),
        (lap(3600, None), lap(3600, Some("page-2"))),
        (lap(7200, Some("page-2")), lap(7200, None)),
    ] {
        let won = tokio::join!(save(before.as_ref(), &here), save(before.as_ref(), &there));
        let after = match won {
            (true, false) => here,
            (false, true) => there,
            both => panic!("from {before:?}: {both:?}"),
        };
        assert_eq!(ledger.drift_lap(ACCOUNT).await, Ok(Some(after.clone())));
        assert!(!save(before.as_ref(), &lap(9999, None)).await, "nobody goes back to {before:?}");
        before = Some(after);
    }
}

#[tokio::test]
async fn a_stray_is_told_once_and_its_last_sight_kept_up() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let ports = ports(world, curfew);
    let ledger = ports.ledger();
    let stray = |policy: &str, second| Stray {
        principal: Principal::parse("arn:aws:iam::444455556666:role/Ops").expect("a principal"),
        policy: policy.to_owned(),
        what: "nobody needs it".to_owned(),
        at: later(OPENED, second),
    };
    let margin = SignedDuration::from_secs(5);
    let see = async |policy, second| ledger.record_stray(&stray(policy, second), margin).await;
    assert_eq!(see("curfew-g-x", 1).await, Ok(false), "seen for the first time");
    assert_eq!(see("curfew-g-x", 5).await, Ok(false), "too soon after");
    assert_eq!(see("curfew-g-y", 6).await, Ok(false), "each policy for itself");
    assert_eq!(see("curfew-g-x", 6).await, Ok(true));
    assert_eq!(see("curfew-g-x", 7).await, Ok(false), "told once");
    let kept = item(curfew, "DRIFT#arn:aws:iam::444455556666:role/Ops", "STRAY#curfew-g-x").await;
    let seen = |second: i64| json!(later(OPENED, second));
    assert_eq!((&kept["first_seen_at"], &kept["last_seen_at"]), (&seen(1), &seen(7)));
    assert_eq!(kept["told_at"], seen(6));
    assert_eq!((&kept["policy"], &kept["what"]), (&json!("curfew-g-x"), &json!("nobody needs it")));
}
