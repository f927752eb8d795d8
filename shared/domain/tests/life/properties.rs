//! Properties of every sequence of commands.

use std::sync::LazyLock;

use curfew_domain::catalog::Catalog;
use curfew_domain::effect::{Found, TimerKind};
use curfew_domain::event::verify_chain;
use curfew_domain::grant::{Cause, Grant, Outcome, State};
use curfew_domain::transition::{
    Claim, Command, Illegal, RETRY_PAUSE_MAX, Removal, Stored, retry_pause, transition,
};
use curfew_testkit::fixtures::{catalog, managed_request, request};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::commands::{activate, at, begin, opened, plan, record_failure, removal};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog);

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        3 => Just(Found::Deleted),
        1 => Just(Found::Absent),
        1 => Just(Found::HeldByOthers),
        1 => Just(Found::Applied),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Expired),
        Just(Cause::Revoked),
        Just(Cause::OpeningFailed),
        Just(Cause::Abandoned)
    ]
}

/// A command without its time.
#[derive(Debug, Clone)]
enum Kind {
    Activate,
    Begin(Cause, bool),
    Fail,
    Close { access: Found, timer: Option<Found>, began_ago: i64, by_lease_holder: bool },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        2 => Just(Kind::Activate),
        2 => (cause(), any::<bool>()).prop_map(|(cause, settled)| Kind::Begin(cause, settled)),
        1 => Just(Kind::Fail),
        3 => (found(), prop::option::of(found()), 0..120_i64, prop::bool::weighted(0.2)).prop_map(
            |(access, timer, began_ago, by_lease_holder)| Kind::Close { access, timer, began_ago, by_lease_holder }
        ),
    ]
}

/// Commands, each with how many seconds after the one before it is given.
fn life() -> impl Strategy<Value = Vec<(Kind, i64)>> {
    let pause = prop_oneof![0..30_i64, 30..120_i64, 3_000..4_000_i64];
    prop::collection::vec((kind(), pause), 1..14)
}

fn start() -> impl Strategy<Value = Grant> {
    (any::<bool>(), any::<bool>()).prop_map(|(managed, rule)| {
        let request = if managed { managed_request("CHG-1") } else { request("CHG-1") };
        let kind = if rule { TimerKind::Rule } else { TimerKind::Scheduler };
        opened(plan(&CATALOG, &request), kind).grant
    })
}

fn command(kind: &Kind, seconds: i64) -> Command {
    match kind {
        Kind::Activate => activate(at(seconds)),
        Kind::Begin(cause, settled) => begin(*cause, *settled),
        Kind::Fail => record_failure(),
        Kind::Close { access, timer, began_ago, by_lease_holder } => Command::Close(Removal {
            began_at: at(seconds - began_ago),
            by_lease_holder: *by_lease_holder,
            ..removal(at(seconds), *access, *timer)
        }),
    }
}

/// How far a life has come: it never goes back.
fn stage(state: &State) -> u8 {
    match state {
        State::Opening { .. } => 0,
        State::Active { .. } => 1,
        State::Closing { .. } => 2,
        State::Closed { .. } => 3,
    }
}

proptest! {
    #[test]
    fn no_sequence_of_commands_breaks_the_life(start in start(), life in life()) {
        let opened = opened(
            plan(&CATALOG, start.request()),
            start.timer().kind,
        );
        let (mut grant, mut events, mut seconds) = (start, opened.events, 0);
        for (kind, pause) in &life {
            seconds += pause;
            let now = at(seconds);
            let command = command(kind, seconds);
            let next = match transition(&grant, command.clone(), now) {
                Ok(next) => next,
                Err(illegal) => {
                    if let State::Closed { .. } = grant.state() {
                        prop_assert_eq!(illegal, Illegal::AlreadyClosed);
                    }
                    continue;
                }
            };
            // Nothing leads out of Closed, and nothing leads back.
            prop_assert_ne!(grant.state().name(), "closed", "{:?}", command);
            let recorded_failure = matches!(command, Command::RecordFailure { .. });
            let forward = stage(next.grant.state()) > stage(grant.state());
            prop_assert!(forward || recorded_failure, "{:?} led from {:?} back", command, grant.state());

            // Each transition counts once, has one event, and chains it.
            prop_assert_eq!(next.grant.version(), grant.version() + 1);
            prop_assert_eq!(next.grant.chain().seq, grant.chain().seq + 1);
            prop_assert_eq!(next.events.len(), 1);
            events.extend(next.events.clone());
            prop_assert_eq!(verify_chain(&events, next.grant.chain()), Ok(()));

            // What was approved never changes.
            prop_assert_eq!(next.grant.id(), grant.id());
            prop_assert_eq!(next.grant.request(), grant.request());
            prop_assert_eq!(next.grant.window(), grant.window());
            prop_assert_eq!(next.grant.access(), grant.access());
            prop_assert_eq!(next.grant.timer(), grant.timer());

            // Only what has not ended owes work.
            prop_assert_eq!(next.grant.due_at().is_none(), stage(next.grant.state()) == 3);

            if let State::Closed { outcome, proof, .. } = next.grant.state() {
                let State::Closing { cause, settle_after, .. } = grant.state() else {
                    return Err(TestCaseError::fail("closed without having been closing"));
                };
                let Command::Close(removal) = &command else {
                    return Err(TestCaseError::fail("closed by another command than close"));
                };
                prop_assert_eq!(*outcome, Outcome::from(*cause));
                prop_assert_eq!(proof, &removal.access);
                prop_assert!(proof.found.proves_removal());
                prop_assert!(removal.timer.as_ref().is_none_or(|timer| timer.found.proves_removal()));
                prop_assert!(removal.by_lease_holder || removal.began_at >= *settle_after);
            }
            if let State::Active { .. } = next.grant.state() {
                prop_assert_eq!(grant.state().name(), "opening");
            }
            grant = next.grant;
        }
    }

    #[test]
    fn a_claim_means_the_same_to_its_writer_and_to_every_later_reader(start in start(), life in life()) {
        let (mut grant, mut seconds) = (start, 0);
        for (kind, pause) in &life {
            seconds += pause;
            let now = at(seconds);
            let command = command(kind, seconds);
            let result = transition(&grant, command.clone(), now);
            if let Command::BeginClosing(begin) = command {
                let claim = Claim { begin, at: now };
                // As it is kept: the grant before it and the command, written and read again.
                let kept: Grant = serde_json::from_str(&serde_json::to_string(&grant).unwrap()).unwrap();
                let read: Claim = serde_json::from_str(&serde_json::to_string(&claim).unwrap()).unwrap();
                prop_assert_eq!(&kept, &grant);
                let later = Stored::claimed(&kept, read);
                let at_once = result.clone().map(|next| Stored { grant: next.grant, unwritten: next.events });
                prop_assert_eq!(later, at_once);
            }
            if let Ok(next) = result {
                grant = next.grant;
            }
        }
    }

    #[test]
    fn pauses_grow_and_stay_bounded(failures in any::<u32>()) {
        let pause = retry_pause(failures);
        prop_assert!(pause >= SignedDuration::from_mins(1));
        prop_assert!(pause <= RETRY_PAUSE_MAX);
        prop_assert!(retry_pause(failures.saturating_add(1)) >= pause);
    }
}
