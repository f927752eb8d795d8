//! Properties of every sequence of commands.

use std::sync::LazyLock;

use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{Current, DecisionFacts, decide_change};
use curfew_domain::effect::{Found, TimerKind};
use curfew_domain::event::{Drift, DriftResponse, verify_chain};
use curfew_domain::grant::{Cause, Grant, Outcome, Review, State};
use curfew_domain::request::{Approval, WindowEnd, WindowRequest};
use curfew_domain::transition::{
    Amendment, CHANGES_MAX, Claim, Command, Illegal, RETRY_PAUSE_MAX, Removal, Stored, Transition,
    retry_pause, transition,
};
use curfew_domain::window::{plus, whole_minute_up};
use curfew_testkit::fixtures::{LEASE, OWN_ACCOUNT, catalog, managed_request, person, request};
use curfew_testkit::guardrails::permit;
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::commands::{
    activate, activate_at_second_try, at, begin, find_drift, opened_with, overrule, permit_with_review, plan,
    proof, record_failure, removal, resume, review,
};

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
    ActivateUnsettled,
    /// Approved so long before it comes (or when the window in force was), to last so long after; and whether somebody
    /// has to look at it afterwards.
    Amend {
        approved_ago: Option<i64>,
        lasts: i64,
        review: bool,
    },
    Review,
    Resume,
    Drift(Drift, DriftResponse),
    DriftRemoved(Found),
    Begin(Cause, bool),
    Overrule,
    Fail,
    Close {
        access: Found,
        timer: Option<Found>,
        began_ago: i64,
        by_lease_holder: bool,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Activate),
        1 => Just(Kind::ActivateUnsettled),
        3 => (prop::option::weighted(0.7, 0..120_i64), 2..12_000_i64, prop::bool::weighted(0.3))
            .prop_map(|(approved_ago, lasts, review)| Kind::Amend { approved_ago, lasts, review }),
        1 => Just(Kind::Review),
        1 => Just(Kind::Resume),
        1 => (drift(), response()).prop_map(|(drift, response)| Kind::Drift(drift, response)),
        1 => found().prop_map(Kind::DriftRemoved),
        1 => Just(Kind::Overrule),
        2 => (cause(), any::<bool>()).prop_map(|(cause, settled)| Kind::Begin(cause, settled)),
        1 => Just(Kind::Fail),
        3 => (found(), prop::option::of(found()), 0..120_i64, prop::bool::weighted(0.2)).prop_map(
            |(access, timer, began_ago, by_lease_holder)| Kind::Close { access, timer, began_ago, by_lease_holder }
        ),
    ]
}

fn drift() -> impl Strategy<Value = Drift> {
    prop_oneof![Just(Drift::Missing), Just(Drift::Edited), Just(Drift::Leftover)]
}

fn response() -> impl Strategy<Value = DriftResponse> {
    prop_oneof![Just(DriftResponse::Close), Just(DriftResponse::Restore), Just(DriftResponse::Remove)]
}

/// Commands, each with how many seconds after the one before it is given.
fn life() -> impl Strategy<Value = Vec<(Kind, i64)>> {
    let pause = prop_oneof![0..30_i64, 30..120_i64, 3_000..4_000_i64];
    prop::collection::vec((kind(), pause), 1..20)
}

fn start() -> impl Strategy<Value = Transition> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(managed, rule, review)| {
        let request = if managed { managed_request("CHG-1") } else { request("CHG-1") };
        let kind = if rule { TimerKind::Rule } else { TimerKind::Scheduler };
        let permit = if review { permit_with_review() } else { permit() };
        opened_with(plan(&CATALOG, &request), permit, kind)
    })
}

/// A command for a grant as it is; none, if the catalog would deny what is asked.
fn command(kind: &Kind, grant: &Grant, seconds: i64) -> Option<Command> {
    let now = at(seconds);
    Some(match kind {
        Kind::Activate => activate(now),
        Kind::ActivateUnsettled => activate_at_second_try(now),
        Kind::Amend { approved_ago, lasts, review } => {
            let mut request = grant.request().clone();
            let approved_at = approved_ago.map_or(grant.approved_at(), |ago| at(seconds - ago));
            request.approvals = vec![Approval { approver: person("carl"), at: approved_at }];
            request.window = WindowRequest {
                starts_at: None,
                end: Some(WindowEnd::After(SignedDuration::from_secs(*lasts))),
            };
            let facts = DecisionFacts { now, own_account: OWN_ACCOUNT.to_owned() };
            let plan = decide_change(
                &CATALOG,
                &request,
                &facts,
                Current { window: grant.window(), approved_at: grant.approved_at() },
            )
            .ok()?;
            let sweep_grace = SignedDuration::from_secs(60);
            let permitted = plan.permitted(if *review { permit_with_review() } else { permit() });
            Command::Amend(Box::new(Amendment {
                permitted,
                by: None,
                sweep_grace,
                lease_until: plus(now, LEASE),
            }))
        }
        Kind::Resume => resume(now),
        Kind::Drift(drift, response) => find_drift(*drift, *response, now),
        Kind::DriftRemoved(found) => Command::ConfirmDriftRemoved { access: proof(*found, now) },
        Kind::Begin(cause, settled) => begin(*cause, *settled),
        Kind::Overrule => overrule(),
        Kind::Review => review(),
        Kind::Fail => record_failure(),
        Kind::Close { access, timer, began_ago, by_lease_holder } => Command::Close(Removal {
            began_at: at(seconds - began_ago),
            by_lease_holder: *by_lease_holder,
            ..removal(now, *access, *timer)
        }),
    })
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

/// Until when something that was sent for a live grant may still land.
fn unsettled_until(state: &State) -> Option<jiff::Timestamp> {
    match state {
        State::Opening { lease_until } => Some(*lease_until),
        State::Active { unsettled_until, .. } => *unsettled_until,
        State::Closing { .. } | State::Closed { .. } => None,
    }
}

/// What of a grant a transition may change, and what it has to say about how long access may last.
fn check_ends(grant: &Grant, command: &Command, next: &Grant) -> Result<(), TestCaseError> {
    // Who gets what is never changed, only until when.
    prop_assert_eq!(next.id(), grant.id());
    prop_assert_eq!(next.opened_at(), grant.opened_at());
    prop_assert!(next.access().replaces(grant.access()));
    let (end, before) = (next.window().expires_at(), grant.ends_in_aws_by());
    prop_assert_eq!(next.timer().fires_at, whole_minute_up(end));
    prop_assert!(next.ends_in_aws_by() >= end);
    match command {
        Command::Amend(amendment) => {
            let plan = amendment.permitted.plan();
            prop_assert_eq!(next.window(), plan.window);
            prop_assert_eq!(next.window().starts_at(), grant.window().starts_at());
            prop_assert!(next.window().length() <= SignedDuration::from_hours(4));
            // Nothing is confirmed yet: what was there before may be there still.
            prop_assert_eq!(next.ends_in_aws_by(), end.max(before));
            // No time was added that is not approved anew.
            prop_assert!(next.approved_at() >= grant.approved_at());
            let shortens = next.window().shortens(grant.window());
            prop_assert!(next.approved_at() > grant.approved_at() || shortens);
            prop_assert!(next.knows(grant.request_digest()) && next.knows(&plan.request.digest()));
        }
        other => {
            prop_assert_eq!(next.request(), grant.request());
            prop_assert_eq!(next.window(), grant.window());
            prop_assert_eq!(next.access(), grant.access());
            prop_assert_eq!(next.timer(), grant.timer());
            match other {
                Command::Activate { .. } => prop_assert_eq!(next.ends_in_aws_by(), end),
                Command::Resume { .. } | Command::FindDrift { .. } => {
                    prop_assert_eq!(next.ends_in_aws_by(), before);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// That nothing is written over what may still land.
fn check_leases(
    grant: &Grant,
    command: &Command,
    next: &Grant,
    now: jiff::Timestamp,
) -> Result<(), TestCaseError> {
    let unsettled = unsettled_until(grant.state());
    match (command, next.state()) {
        (Command::Amend(_) | Command::Resume { .. }, State::Active { changing, unsettled_until, .. }) => {
            prop_assert!(unsettled.is_none_or(|until| until <= now));
            prop_assert!(changing.is_some() && unsettled_until.is_some());
        }
        (Command::FindDrift { .. }, State::Active { .. }) => {
            prop_assert!(unsettled.is_none_or(|until| until <= now));
        }
        (Command::BeginClosing(begin), State::Closing { settle_after, .. }) => {
            let settled = begin.settled && matches!(grant.state(), State::Opening { .. });
            let expected = unsettled.filter(|_| !settled).map_or(now, |until| until.max(now));
            prop_assert_eq!(*settle_after, expected);
        }
        (Command::Close(removal), State::Closed { outcome, proof, .. }) => {
            let State::Closing { cause, settle_after, .. } = grant.state() else {
                return Err(TestCaseError::fail("closed without having been closing"));
            };
            prop_assert_eq!(*outcome, Outcome::from(*cause));
            prop_assert_eq!(proof, &removal.access);
            prop_assert!(proof.found.proves_removal());
            prop_assert!(removal.timer.as_ref().is_none_or(|timer| timer.found.proves_removal()));
            prop_assert!(removal.by_lease_holder || removal.began_at >= *settle_after);
        }
        _ => {}
    }
    Ok(())
}

/// That a review which is owed stays owed until somebody says what they found.
fn check_review(grant: &Grant, command: &Command, next: &Grant) -> Result<(), TestCaseError> {
    let owed = |review| matches!(review, Some(Review::Owed { .. }));
    match command {
        Command::Review { .. } => {
            prop_assert!(owed(grant.review()) && grant.review_owed_since().is_some());
            prop_assert_eq!(next.review_owed_since(), None);
        }
        // One review answers for the whole grant.
        Command::Amend(_) if grant.review().is_none() => {
            prop_assert!(next.review().is_none() || owed(next.review()));
        }
        _ => prop_assert_eq!(next.review(), grant.review()),
    }
    if let State::Closed { outcome: Outcome::Failed, .. } = next.state() {
        prop_assert_eq!(next.review_owed_since(), None);
    }
    Ok(())
}

/// That nothing leads back, and out of the end nothing at all.
fn check_stages(grant: &Grant, command: &Command, next: &Grant) -> Result<(), TestCaseError> {
    let (before, after) = (stage(grant.state()), stage(next.state()));
    let forward = match command {
        Command::Activate { .. } => after == 1 && before <= 1,
        Command::Amend(_) | Command::Resume { .. } => (before, after) == (1, 1),
        Command::FindDrift { .. } => before == after && (before == 1 || before == 3),
        Command::ConfirmDriftRemoved { .. } => (before, after) == (3, 3),
        Command::Overrule { .. } => before == after && before >= 2,
        Command::BeginClosing(_) => before < 2 && after == 2,
        Command::RecordFailure { .. } => (before, after) == (2, 2),
        Command::Close(_) => (before, after) == (2, 3),
        Command::Review { .. } => (before, after) == (3, 3),
    };
    prop_assert!(forward, "{:?} led from {:?} to {:?}", command, grant.state(), next.state());
    if before == 3 && !matches!(command, Command::Overrule { .. }) {
        prop_assert_eq!(next.state(), grant.state());
    }
    // Only what has not ended owes work, and an active one no later than when its timer is overdue.
    prop_assert_eq!(next.due_at().is_none(), after == 3);
    if after == 1 {
        prop_assert!(next.due_at().is_some_and(|due_at| due_at <= next.timer().overdue_at));
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_sequence_of_commands_breaks_the_life(start in start(), life in life()) {
        let (mut grant, mut events, mut seconds, mut changes) = (start.grant, start.events, 0, 0);
        for (kind, pause) in &life {
            seconds += pause;
            let now = at(seconds);
            let Some(command) = command(kind, &grant, seconds) else { continue };
            let next = match transition(&grant, command.clone(), now) {
                Ok(next) => next,
                Err(illegal) => {
                    if let State::Closed { .. } = grant.state() {
                        prop_assert!(matches!(
                            illegal,
                            Illegal::AlreadyClosed
                                | Illegal::NoDrift
                                | Illegal::NotProven
                                | Illegal::NoReviewOwed
                                | Illegal::OwnReview
                        ));
                    }
                    continue;
                }
            };
            check_stages(&grant, &command, &next.grant)?;
            check_ends(&grant, &command, &next.grant)?;
            check_leases(&grant, &command, &next.grant, now)?;
            check_review(&grant, &command, &next.grant)?;

            // Each transition counts once, has one event (and one more, if a review is owed from now on), and chains
            // them.
            let owed = grant.review().is_none() && next.grant.review().is_some();
            prop_assert_eq!(next.events.len(), 1 + usize::from(owed));
            prop_assert_eq!(next.grant.version(), grant.version() + 1);
            prop_assert_eq!(next.grant.chain().seq, grant.chain().seq + 1 + u32::from(owed));
            events.extend(next.events.clone());
            prop_assert_eq!(verify_chain(&events, next.grant.chain()), Ok(()));

            changes += usize::from(matches!(command, Command::Amend(_)));
            prop_assert!(changes <= CHANGES_MAX);
            grant = next.grant;
        }
    }

    #[test]
    fn a_claim_means_the_same_to_its_writer_and_to_every_later_reader(start in start(), life in life()) {
        let (mut grant, mut seconds) = (start.grant, 0);
        for (kind, pause) in &life {
            seconds += pause;
            let now = at(seconds);
            let Some(command) = command(kind, &grant, seconds) else { continue };
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
