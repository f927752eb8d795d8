//! Changes of a window beside everything else that can happen to their grant, in every order of their calls, with
//! and without a crash: access never outlasts the later of both ends, and in the end all is as the ledger says.

use curfew_domain::access::Access;
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::GrantId;
use curfew_domain::request::AccessRequest;
use curfew_domain::window::{plus, whole_minute_up};
use curfew_testkit::fixtures::{ANA, catalog, managed_request, principal, request, ticket_closed};
use curfew_testkit::{CallName, Choices, Delivery, Fault, explore};
use jiff::SignedDuration;

use crate::extensions::order;
use crate::support::{Crash, Life, Played, Racer, Runner, approved_again, closed, minute};

/// Who comes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    Revocation,
    Timer,
    Sweep,
    Amendment,
    Ticket,
    Operator,
}

/// Who approves a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Source,
    Operator,
}

/// A change of a grant's end, who approves it, and when it is asked for.
#[derive(Debug, Clone, Copy)]
struct Change {
    by: By,
    now: i64,
    end: i64,
}

const EXTENSION: Change = Change { by: By::Source, now: 10, end: 120 };
const SHORTENING: Change = Change { by: By::Source, now: 10, end: 30 };
/// At the very end of the window, when the timer fires.
const AT_THE_END: Change = Change { by: By::Source, now: 60, end: 120 };
/// When the sweep takes over from a timer that did not fire.
const OVERDUE: Change = Change { by: By::Source, now: 61, end: 120 };
const BY_HAND: Change = Change { by: By::Operator, ..EXTENSION };
const SHORTENED_BY_HAND: Change = Change { by: By::Operator, ..SHORTENING };

/// What AWS holds is what the ledger says: the window of an active grant, or nothing.
fn is_agreed(life: &Life, id: &GrantId) -> Result<(), String> {
    let grant = life.grant(id);
    let State::Active { changing: None, .. } = grant.state() else {
        return life.ensure(!life.allows(ANA), "access, although it has not settled as active");
    };
    let (end, second) = (grant.window().expires_at(), SignedDuration::from_secs(1));
    let timers: Vec<_> = life.world.look(|aws| aws.timers.set_timers().map(|(_, at)| at).collect());
    life.ensure(timers == [whole_minute_up(end)], "its timer is not at its end")?;
    if let Access::Inline { .. } = grant.access() {
        let allows = |at| life.world.look(|aws| aws.iam.allows(&principal(ANA), at));
        life.ensure(allows(plus(end, -second)), "its access ends early")?;
        life.ensure(!allows(end), "its access ends late")?;
    }
    Ok(())
}

/// A change that has not begun.
fn changing<'a>(life: &'a Life, asked: &AccessRequest, grant: &Grant, change: Change) -> Box<dyn Racer + 'a> {
    match change.by {
        By::Source => Box::new(Runner::new(life.opening(&approved_again(asked, 5, change.end)))),
        By::Operator => Box::new(Runner::new(life.extending(&order(grant, change.end, "r-1")))),
    }
}

/// One change beside somebody else. [`curfew_testkit::checks`] looks at the ends after every step.
fn race(
    choices: &mut Choices,
    life: &Life,
    asked: &AccessRequest,
    change: Change,
    (other, crash): (Other, Crash),
) -> Result<(), String> {
    let grant = life.active(asked);
    let id = grant.id();
    life.world.set_time(minute(change.now));
    let mut changing = changing(life, asked, &grant, change);
    let mut revoking = Runner::new(life.revoking(id));
    let mut expiring = Runner::new(life.expiring(id));
    let mut sweeping = Runner::new(life.sweeping());
    let mut amending = Runner::new(life.opening(&approved_again(asked, 6, 90)));
    let mut closing = Runner::new(life.closing_ticket(&ticket_closed("CHG-1")));
    let mut extending = Runner::new(life.extending(&order(&grant, 40, "r-2")));
    let beside: &mut dyn Racer = match other {
        Other::Revocation => &mut revoking,
        Other::Timer => {
            life.world.change(|aws| aws.timers.fire(aws.now));
            &mut expiring
        }
        Other::Sweep => &mut sweeping,
        Other::Amendment => &mut amending,
        Other::Ticket => &mut closing,
        Other::Operator => &mut extending,
    };
    if life.race(choices, crash, &mut [&mut *changing, beside]) == Played::Before {
        return life.sound();
    }
    life.sound()?;
    if closing.output.is_none() && other == Other::Ticket {
        // Its message is delivered again; the sweep alone is tried in `tickets`.
        life.close_ticket(&ticket_closed("CHG-1"));
    }
    life.settle();
    let ended = life.events(id).iter().any(|name| matches!(*name, "RevocationRequested" | "Expired"));
    life.ensure(ended == life.outcome(id).is_some(), "its end was begun, but it has not ended")?;
    let told = match other {
        Other::Revocation => revoking.output.is_some(),
        Other::Ticket => true,
        Other::Timer | Other::Sweep | Other::Amendment | Other::Operator => false,
    };
    life.ensure(!told || ended, "told as revoked, and live")?;
    is_agreed(life, id)?;
    life.pass_the_end_of(id);
    life.sound_to_the_end()
}

fn explored(asked: &AccessRequest, change: Change, other: Other, crash: Crash) -> usize {
    let catalog = catalog();
    explore(|choices| race(choices, &Life::of(&catalog), asked, change, (other, crash))).unwrap()
}

fn every_way(change: Change, other: Other) {
    let asked = request("CHG-1");
    let runs = explored(&asked, change, other, Crash::Nobody);
    assert!(runs > 3, "{runs}");
    // A ticket's closing is three calls and a revocation, which is tried here by itself in all its ways.
    if other == Other::Ticket {
        return;
    }
    let crashing = explored(&asked, change, other, Crash::Somebody);
    assert!(crashing > runs, "{crashing}");
    // Of a shared attachment the orders alone: what crashes leave of one is seen in `shared_attachments`.
    assert!(explored(&managed_request("CHG-1"), change, other, Crash::Nobody) > 3);
}

#[test]
fn an_extension_and_a_revocation() {
    every_way(EXTENSION, Other::Revocation);
}

#[test]
fn a_shortening_and_a_revocation() {
    every_way(SHORTENING, Other::Revocation);
}

#[test]
fn an_extension_and_a_ticket_that_closes() {
    every_way(EXTENSION, Other::Ticket);
}

#[test]
fn an_extension_and_the_timer_of_the_end_before() {
    every_way(AT_THE_END, Other::Timer);
}

#[test]
fn a_shortening_and_a_timer_that_comes_once_more() {
    every_way(SHORTENING, Other::Timer);
}

#[test]
fn an_extension_and_the_sweep_at_the_end_before() {
    every_way(OVERDUE, Other::Sweep);
}

#[test]
fn a_shortening_and_the_sweep() {
    every_way(SHORTENING, Other::Sweep);
}

#[test]
fn an_extension_and_another_amendment() {
    every_way(EXTENSION, Other::Amendment);
}

#[test]
fn a_shortening_and_another_amendment() {
    every_way(SHORTENING, Other::Amendment);
}

#[test]
fn an_operators_extension_and_a_revocation() {
    every_way(BY_HAND, Other::Revocation);
}

#[test]
fn an_operators_extension_and_a_ticket_that_closes() {
    every_way(BY_HAND, Other::Ticket);
}

#[test]
fn an_operators_shortening_and_the_sweep() {
    every_way(SHORTENED_BY_HAND, Other::Sweep);
}

#[test]
fn an_operators_extension_and_a_later_approval() {
    every_way(BY_HAND, Other::Amendment);
}

#[test]
fn an_operators_extension_and_another_operators() {
    every_way(BY_HAND, Other::Operator);
}

#[test]
fn a_later_approval_and_an_operators_shortening() {
    every_way(EXTENSION, Other::Operator);
}

/// A change that crashes anywhere, and nobody but the sweep to come after it.
#[test]
fn a_change_that_crashes_anywhere_is_made_again_by_the_sweep() {
    let catalog = catalog();
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for change in [EXTENSION, SHORTENING, BY_HAND, SHORTENED_BY_HAND] {
            let mut resumed = 0;
            let runs = explore(|choices| {
                let life = Life::of(&catalog);
                let grant = life.active(&asked);
                life.world.set_time(minute(change.now));
                let mut changing = changing(&life, &asked, &grant, change);
                if life.race(choices, Crash::Somebody, &mut [&mut *changing]) == Played::Before {
                    return life.sound();
                }
                life.settle();
                let events = life.events(grant.id());
                let written = events.contains(&"Extended") || events.contains(&"Shortened");
                resumed += usize::from(events.contains(&"ChangeResumed"));
                let end = if written { minute(change.end) } else { grant.window().expires_at() };
                life.ensure(life.grant(grant.id()).window().expires_at() == end, "another window")?;
                life.ensure(life.allows(ANA), "access ended by a crash")?;
                is_agreed(&life, grant.id())?;
                life.pass_the_end_of(grant.id());
                life.sound_to_the_end()
            });
            let runs = runs.unwrap();
            assert!(runs > 8 && resumed >= 4, "{runs}, {resumed}");
        }
    }
}

/// The sweep that makes a change again crashes too.
#[test]
fn a_resumption_that_crashes_anywhere_is_resumed() {
    let catalog = catalog();
    explore(|choices| {
        let life = Life::of(&catalog);
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(minute(SHORTENING.now));
        life.world.plan(Fault::once(CallName::Attach, Delivery::LostRequest));
        life.open(&approved_again(&request("CHG-1"), 5, SHORTENING.end));
        life.world.advance(SignedDuration::from_mins(1));
        let mut sweeping = Runner::new(life.sweeping());
        if life.race(choices, Crash::Somebody, &mut [&mut sweeping]) == Played::Before {
            return life.sound();
        }
        life.settle();
        is_agreed(&life, grant.id())?;
        life.ensure(life.allows(ANA), "access ended by a crash")?;
        life.pass_the_end_of(grant.id());
        life.sound_to_the_end()
    })
    .unwrap();
}

/// Every fault of every call of a change, and everything late landing before the lease is over.
#[test]
fn every_failure_of_every_call_of_a_change_ends_on_time() {
    let deliveries = [Delivery::ALL.as_slice(), &[Delivery::Twice]].concat();
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for change in [EXTENSION, SHORTENING] {
            for (name, skipped) in
                [(CallName::Commit, 0), (CallName::Attach, 0), (CallName::SetTimer, 0), (CallName::Commit, 1)]
            {
                for delivery in &deliveries {
                    let life = Life::new();
                    let grant = life.active(&asked);
                    life.world.set_time(minute(change.now));
                    life.world.plan(Fault::once(name, *delivery).after(skipped));
                    let again = approved_again(&asked, 5, change.end);
                    let told = life.run(life.opening(&again));
                    for call in life.world.late() {
                        life.world.land(call.id);
                    }
                    life.settle();
                    // Whoever was not told tries again.
                    if told.is_err() {
                        let _ = life.run(life.opening(&again));
                    }
                    life.settle();
                    let context = format!("{name:?} {skipped} {delivery:?} {told:?}");
                    is_agreed(&life, grant.id()).map_err(|error| format!("{context}: {error}")).unwrap();
                    life.pass_the_end_of(grant.id());
                    life.sound_to_the_end().map_err(|error| format!("{context}: {error}")).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_revocation_in_the_middle_of_a_change_wins() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(minute(10));
    let mut changing = life.opening(&approved_again(&request("CHG-1"), 5, 120));
    life.world.plan(Fault::hold(CallName::Attach));
    life.world.run(&mut changing).unwrap_err();
    let revoked = life.revoke(grant.id());
    assert!(!closed(&revoked), "closed although an attach may still land");
    let attach = life.world.in_flight().into_iter().find(|call| call.name == CallName::Attach).unwrap();
    life.world.deliver(attach.id, Delivery::Done);
    assert!(life.allows(ANA));
    let told = life.run(changing).unwrap();
    assert!(matches!(told, curfew_app::open::Opened::RevokedMeanwhile(_)), "{told:?}");
    assert!(!life.allows(ANA));
    life.settle();
    life.assert_nothing_left();
}
