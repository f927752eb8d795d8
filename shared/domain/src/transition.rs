//! The life of a grant: a pure function from state, command and time to the next state, its events and
//! the effects to perform. Every pair of state and command is decided here and nowhere else.
//!
//! Knows no storage: a claim's [`Guard`] is data, so that a ledger can evaluate the very same condition in
//! one conditional write.

mod claim;
mod guard;
mod illegal;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::Access;
use crate::decision::Permitted;
use crate::effect::{Effect, Proof, Timer, TimerKind};
use crate::event::{Actor, Chain, Drift, DriftResponse, Event, Fact, OperatorName, WindowChange};
use crate::grant::{Cause, Changing, Grant, Outcome, Review, State};
use crate::ids::GrantId;
use crate::operator::OperatorAct;
use crate::retry::RETRY_PAUSE_FIRST;
use crate::window::{Window, plus, whole_minute_up};

pub use claim::{Claim, Stored};
pub use guard::Guard;
pub use illegal::Illegal;

pub use crate::retry::{CLOSER_HEADSTART, RETRY_PAUSE_MAX, TICKET_DUE_AFTER};

/// How often one grant's window may be changed. Each approval stays on record, and a grant is one item of
/// bounded size.
pub const CHANGES_MAX: usize = 16;

/// What a transition leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The grant afterwards.
    pub grant: Grant,
    /// What happened, in order. To be written together with the grant.
    pub events: Vec<Event>,
    /// What is to be done once that is written.
    pub effects: Vec<Effect>,
}

/// What is needed to open a grant, beyond its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Which try on this approval it is, from 0.
    pub attempt: u32,
    /// The service that fires its timer.
    pub timer: TimerKind,
    /// Until when this invocation may have a change in flight.
    pub lease_until: Timestamp,
    /// How long after the timer's time the sweep waits for it.
    pub sweep_grace: SignedDuration,
}

/// Writes a grant down: the first transition, from nothing to `Opening`.
#[must_use]
pub fn open(permitted: Permitted, opening: Opening, now: Timestamp) -> Transition {
    let decided = permitted.decided();
    let Permitted { plan, permit } = permitted;
    let id = plan.grant_id(opening.attempt);
    let access = plan.access(&id);
    let timer = timer_for(&id, opening.timer, plan.window, opening.sweep_grace);
    let mut chain = Chain::new();
    let mut events = vec![
        chain.append(
            &id,
            now,
            Actor::Source(plan.request.source.clone()),
            Fact::Requested { request: Box::new(plan.request.clone()), decided: decided.clone() },
        ),
        chain.append(
            &id,
            now,
            Actor::GrantFunction,
            Fact::Opened {
                access: access.to_string(),
                document_sha256: document_sha256(&access),
                window: plan.window,
                timer: timer.clone(),
                lease_until: opening.lease_until,
            },
        ),
    ];
    let review = permit.review.map(|reason| {
        events.push(chain.append(&id, now, Actor::GrantFunction, Fact::ReviewOwed { reason }));
        Review::Owed { since: now }
    });
    let grant = Grant {
        id,
        version: 1,
        request_digest: plan.request.digest(),
        request: plan.request,
        superseded: Vec::new(),
        privileged: plan.privileged,
        approved_at: plan.approved_at,
        attempt: opening.attempt,
        access,
        route: plan.route,
        window: plan.window,
        timer,
        decided,
        review,
        opened_at: now,
        chain,
        state: State::Opening { lease_until: opening.lease_until },
    };
    let effects = grant.opening_effects();
    Transition { grant, events, effects }
}

fn timer_for(id: &GrantId, kind: TimerKind, window: Window, sweep_grace: SignedDuration) -> Timer {
    let fires_at = whole_minute_up(window.expires_at());
    Timer { kind, name: id.object_name(), fires_at, overdue_at: plus(fires_at, sweep_grace) }
}

fn document_sha256(access: &Access) -> Option<String> {
    match access {
        Access::Inline { document, .. } => Some(data_encoding::HEXLOWER.encode(&Sha256::digest(document))),
        Access::Managed { .. } => None,
    }
}

/// A later approval's change of an active grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// What was decided on it: its window is the whole one, from the grant's start to the new end.
    pub permitted: Permitted,
    /// If an operator approved it by hand: who, and why. None, if the ticket's source sent the approval.
    pub by: Option<OperatorAct>,
    /// How long after the timer's time the sweep waits for it.
    pub sweep_grace: SignedDuration,
    /// Until when this invocation may have a change in flight.
    pub lease_until: Timestamp,
}

/// What is asked of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A later approval changes its window.
    Amend(Box<Amendment>),
    /// Make a change again that AWS has not confirmed.
    Resume {
        /// Who does.
        actor: Actor,
        /// Until when this try may have a change in flight.
        lease_until: Timestamp,
    },
    /// AWS holds something else than the ledger says.
    FindDrift {
        /// What was found.
        drift: Drift,
        /// What is done about it.
        response: DriftResponse,
        /// Until when a restoring attach may be in flight.
        lease_until: Timestamp,
    },
    /// What was found under an ended grant's name is gone.
    ConfirmDriftRemoved {
        /// AWS's word on it.
        access: Proof,
    },
    /// AWS confirmed access and timer.
    Activate {
        /// Who made it so.
        by: Actor,
        /// AWS's word on the attachment.
        attached: Proof,
        /// AWS's word on the timer.
        timer_set: Proof,
    },
    /// End it.
    BeginClosing(BeginClosing),
    /// A revocation of a grant whose opening failed: what it approved must not be tried anew.
    Overrule {
        /// By whom.
        actor: Actor,
        /// In which words.
        reason: String,
    },
    /// A removal was tried and could not be proven.
    RecordFailure {
        /// Who tried.
        actor: Actor,
        /// What went wrong.
        error: String,
    },
    /// AWS confirmed the removal.
    Close(Removal),
    /// Somebody looked at an ended grant that a review was owed on.
    Review {
        /// Who.
        operator: OperatorName,
        /// What they found.
        note: String,
    },
}

impl Command {
    /// The command's name, for errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Amend(_) => "change the window of",
            Self::Resume { .. } => "resume the change of",
            Self::FindDrift { .. } => "record drift of",
            Self::ConfirmDriftRemoved { .. } => "record the removal of drift of",
            Self::Activate { .. } => "activate",
            Self::BeginClosing(_) => "begin closing",
            Self::Overrule { .. } => "overrule the failed opening of",
            Self::RecordFailure { .. } => "record a failed removal of",
            Self::Close(_) => "close",
            Self::Review { .. } => "record the review of",
        }
    }
}

/// The command that begins a removal. The ledger keeps it as it is (a *claim*), so that writer and
/// later readers derive the same state and event from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginClosing {
    /// Why.
    pub cause: Cause,
    /// By whom.
    pub actor: Actor,
    /// In which words.
    pub reason: String,
    /// Whether the opening invocation itself says that none of its changes is in flight any more.
    pub settled: bool,
}

/// A removal as AWS confirmed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Who saw to it.
    pub actor: Actor,
    /// When the removal's first request was sent.
    pub began_at: Timestamp,
    /// Whether it was done by the opening invocation after its own attach had been answered: then no
    /// late attach can land after it, whatever the lease says.
    pub by_lease_holder: bool,
    /// AWS's word on the access.
    pub access: Proof,
    /// AWS's word on the timer; none where it deletes itself after firing.
    pub timer: Option<Proof>,
}

/// Applies `command` to `grant` at `now`.
///
/// # Errors
/// [`Illegal`], if the command does not apply to the grant's state. Nothing has changed then.
pub fn transition(grant: &Grant, command: Command, now: Timestamp) -> Result<Transition, Illegal> {
    match (&grant.state, command) {
        (State::Opening { lease_until }, Command::Activate { by, attached, timer_set }) => {
            Ok(activate(grant, by, *lease_until, attached, timer_set, now))
        }
        (
            State::Active { changing: Some(_), unsettled_until: Some(lease), .. },
            Command::Activate { by, attached, timer_set },
        ) => Ok(activate(grant, by, *lease, attached, timer_set, now)),
        (State::Active { .. }, Command::Activate { .. }) => Err(Illegal::AlreadyActive),
        // Revocation wins over an opening that comes too late.
        (State::Closing { .. }, Command::Activate { .. }) => Err(Illegal::AlreadyClosing),

        (State::Opening { .. }, Command::Amend(_) | Command::Resume { .. } | Command::FindDrift { .. }) => {
            Err(Illegal::NotActive)
        }
        (State::Active { .. }, Command::Amend(amendment)) => amend(grant, *amendment, now),
        (
            State::Active { activated_at, changing: Some(changing), .. },
            Command::Resume { actor, lease_until },
        ) => {
            settled(grant, now)?;
            let state = State::Active {
                activated_at: *activated_at,
                unsettled_until: Some(lease_until),
                changing: Some(*changing),
            };
            let mut transition = step(grant, state, actor, Fact::ChangeResumed { lease_until }, now);
            transition.effects = grant.opening_effects();
            Ok(transition)
        }
        (State::Active { changing: None, .. }, Command::Resume { .. }) => Err(Illegal::NotChanging),
        (
            State::Active { activated_at, changing: None, .. },
            Command::FindDrift { drift: drift @ (Drift::Missing | Drift::Edited), response, lease_until },
        ) => {
            settled(grant, now)?;
            // What is over is not restored any more: the timer or the sweep is about to end it.
            if grant.window.is_over_at(now) {
                return Err(Illegal::NoDrift);
            }
            let restores = response == DriftResponse::Restore;
            let state = State::Active {
                activated_at: *activated_at,
                unsettled_until: restores.then_some(lease_until),
                changing: restores.then_some(Changing { previous_end: grant.window.expires_at() }),
            };
            let mut transition = step(grant, state, Actor::Sweep, Fact::DriftFound { drift, response }, now);
            if restores {
                transition.effects = grant.opening_effects();
            }
            Ok(transition)
        }
        (
            State::Closed { .. },
            Command::FindDrift {
                drift: drift @ Drift::Leftover,
                response: response @ DriftResponse::Remove,
                ..
            },
        ) => {
            let fact = Fact::DriftFound { drift, response };
            let mut transition = step(grant, grant.state.clone(), Actor::Sweep, fact, now);
            transition.effects = vec![Effect::Detach(grant.access_change())];
            Ok(transition)
        }
        (State::Active { .. } | State::Closed { .. }, Command::FindDrift { .. }) => Err(Illegal::NoDrift),
        (State::Closed { .. }, Command::ConfirmDriftRemoved { access }) => {
            if !access.found.proves_removal() {
                return Err(Illegal::NotProven);
            }
            Ok(step(grant, grant.state.clone(), Actor::Sweep, Fact::DriftRemoved { access }, now))
        }
        (
            State::Opening { .. } | State::Active { .. } | State::Closing { .. },
            Command::ConfirmDriftRemoved { .. },
        ) => Err(Illegal::NoDrift),
        (State::Closing { .. }, Command::Amend(_) | Command::Resume { .. } | Command::FindDrift { .. }) => {
            Err(Illegal::AlreadyClosing)
        }

        (_, Command::BeginClosing(begin)) => {
            Guard::of(begin.cause, now).check(grant)?;
            Ok(begin_closing(grant, begin, now))
        }

        (
            State::Closing { cause, actor: by, reason, begun_at, settle_after, failures, .. },
            Command::RecordFailure { actor, error },
        ) => {
            let failures = failures.saturating_add(1);
            let retry_at = plus(now, retry_pause(failures));
            let state = State::Closing {
                cause: *cause,
                actor: by.clone(),
                reason: reason.clone(),
                begun_at: *begun_at,
                settle_after: *settle_after,
                failures,
                retry_at,
            };
            Ok(step(grant, state, actor, Fact::RevocationFailed { error, failures, retry_at }, now))
        }
        (State::Closing { cause, settle_after, .. }, Command::Close(removal)) => {
            if !removal.access.found.proves_removal()
                || removal.timer.as_ref().is_some_and(|timer| !timer.found.proves_removal())
            {
                return Err(Illegal::NotProven);
            }
            if removal.began_at < *settle_after && !removal.by_lease_holder {
                return Err(Illegal::NotSettled { after: *settle_after });
            }
            let outcome = (*cause).into();
            let state = State::Closed { outcome, closed_at: now, proof: removal.access.clone() };
            let fact = Fact::Revoked { outcome, access: removal.access, timer: removal.timer };
            Ok(step(grant, state, removal.actor, fact, now))
        }
        (
            State::Closing {
                cause: Cause::OpeningFailed | Cause::Abandoned,
                begun_at,
                settle_after,
                failures,
                retry_at,
                ..
            },
            Command::Overrule { actor, reason },
        ) => {
            let fact = Fact::RevocationRequested { reason: reason.clone() };
            let state = State::Closing {
                cause: Cause::Revoked,
                actor: actor.clone(),
                reason,
                begun_at: *begun_at,
                settle_after: *settle_after,
                failures: *failures,
                retry_at: *retry_at,
            };
            Ok(step(grant, state, actor, fact, now))
        }
        (
            State::Closed { outcome: Outcome::Failed, closed_at, proof },
            Command::Overrule { actor, reason },
        ) => {
            let state =
                State::Closed { outcome: Outcome::Revoked, closed_at: *closed_at, proof: proof.clone() };
            Ok(step(grant, state, actor, Fact::RevocationRequested { reason }, now))
        }
        (State::Closing { .. }, Command::Overrule { .. }) => Err(Illegal::AlreadyClosing),
        (State::Closed { .. }, Command::Review { operator, note }) => {
            if grant.review_owed_since().is_none() {
                return Err(Illegal::NoReviewOwed);
            }
            if operator.as_str().trim().eq_ignore_ascii_case(grant.request().requester.as_str()) {
                return Err(Illegal::OwnReview);
            }
            let actor = Actor::Operator(operator);
            let mut transition = step(grant, grant.state.clone(), actor, Fact::Reviewed { note }, now);
            transition.grant.review = Some(Review::Done { at: now });
            Ok(transition)
        }
        (State::Opening { .. } | State::Active { .. } | State::Closing { .. }, Command::Review { .. }) => {
            Err(Illegal::ReviewTooEarly)
        }
        (
            State::Opening { .. } | State::Active { .. },
            Command::Overrule { .. } | Command::RecordFailure { .. } | Command::Close(_),
        ) => Err(Illegal::NotClosing),

        (
            State::Closed { .. },
            Command::Activate { .. }
            | Command::Amend(_)
            | Command::Resume { .. }
            | Command::Overrule { .. }
            | Command::RecordFailure { .. }
            | Command::Close(_),
        ) => Err(Illegal::AlreadyClosed),
    }
}

/// AWS's word that access and timer are as the ledger says.
fn activate(
    grant: &Grant,
    by: Actor,
    lease_until: Timestamp,
    attached: Proof,
    timer_set: Proof,
    now: Timestamp,
) -> Transition {
    // A timer that lands late would undo a change, whatever its kind.
    let settled = attached.is_settled() && timer_set.is_settled();
    let unsettled_until = (!settled).then_some(lease_until);
    let state = State::Active { activated_at: now, unsettled_until, changing: None };
    step(grant, state, by, Fact::Activated { attached, timer_set }, now)
}

/// That no attach of an active grant is under way any more.
fn settled(grant: &Grant, now: Timestamp) -> Result<(), Illegal> {
    match &grant.state {
        State::Active { unsettled_until: Some(until), .. } if now < *until => {
            Err(Illegal::ChangeHeld { until: *until })
        }
        _ => Ok(()),
    }
}

/// A later approval's window takes the place of the one in force. What is in AWS follows.
fn amend(grant: &Grant, amendment: Amendment, now: Timestamp) -> Result<Transition, Illegal> {
    let Amendment { permitted, by, sweep_grace, lease_until } = amendment;
    let decided = permitted.decided();
    let Permitted { plan, permit } = permitted;
    let State::Active { activated_at, .. } = &grant.state else {
        return Err(Illegal::NotActive);
    };
    settled(grant, now)?;
    // Who has an approval has approved less than it, too: to take time away needs no newer one.
    let rests_on_it = plan.approved_at == grant.approved_at && plan.window.shortens(grant.window);
    if plan.approved_at <= grant.approved_at && !rests_on_it {
        return Err(Illegal::NotNewer);
    }
    if grant.superseded.len() >= CHANGES_MAX {
        return Err(Illegal::TooManyChanges);
    }
    let access = plan.access(&grant.id);
    if !access.replaces(&grant.access) {
        return Err(Illegal::OtherAccess);
    }
    let timer = timer_for(&grant.id, grant.timer.kind, plan.window, sweep_grace);
    let (actor, reason) = match by {
        Some(act) => (Actor::Operator(act.operator), Some(act.reason)),
        None => (Actor::Source(plan.request.source.clone()), None),
    };
    let change = Box::new(WindowChange {
        request: plan.request.clone(),
        decided: decided.clone(),
        from: grant.window,
        to: plan.window,
        document_sha256: document_sha256(&access),
        timer: timer.clone(),
        lease_until,
        reason,
    });
    let fact = if plan.window.expires_at() < grant.window.expires_at() {
        Fact::Shortened { change }
    } else {
        Fact::Extended { change }
    };
    let state = State::Active {
        activated_at: *activated_at,
        unsettled_until: Some(lease_until),
        changing: Some(Changing { previous_end: grant.ends_in_aws_by() }),
    };
    let mut transition = step(grant, state, actor, fact, now);
    let changed = &mut transition.grant;
    changed.superseded.push(std::mem::replace(&mut changed.request_digest, plan.request.digest()));
    changed.request = plan.request;
    changed.access = access;
    changed.route = plan.route;
    changed.window = plan.window;
    changed.timer = timer;
    changed.decided = decided;
    changed.privileged = plan.privileged;
    changed.approved_at = plan.approved_at;
    // One review answers for the whole grant.
    if let (Some(reason), None) = (permit.review, changed.review) {
        changed.review = Some(Review::Owed { since: now });
        let owed = Fact::ReviewOwed { reason };
        transition.events.push(changed.chain.append(&grant.id, now, Actor::GrantFunction, owed));
    }
    transition.effects = transition.grant.opening_effects();
    Ok(transition)
}

fn begin_closing(grant: &Grant, begin: BeginClosing, now: Timestamp) -> Transition {
    let settle_after = match &grant.state {
        State::Opening { lease_until } if !begin.settled => now.max(*lease_until),
        State::Active { unsettled_until: Some(until), .. } => now.max(*until),
        _ => now,
    };
    let fact = Fact::of_cause(begin.cause, &begin.reason);
    // As long as something may land, that may be another setting of the timer.
    let settled = matches!(&grant.state, State::Active { unsettled_until: None, .. });
    let timer_is_spent = begin.actor == Actor::Timer && grant.timer.kind == TimerKind::Scheduler && settled;
    let state = State::Closing {
        cause: begin.cause,
        actor: begin.actor.clone(),
        reason: begin.reason,
        begun_at: now,
        settle_after,
        failures: 0,
        retry_at: plus(now, CLOSER_HEADSTART),
    };
    let mut transition = step(grant, state, begin.actor, fact, now);
    transition.effects = grant.closing_effects();
    if timer_is_spent {
        // A schedule that fired deletes itself (`ActionAfterCompletion`): one call less for every expiry.
        transition.effects.retain(|effect| !matches!(effect, Effect::ClearTimer(_)));
    }
    transition
}

fn step(grant: &Grant, state: State, actor: Actor, fact: Fact, now: Timestamp) -> Transition {
    let mut grant = grant.clone();
    grant.version = grant.version.saturating_add(1);
    grant.state = state;
    let event = grant.chain.append(&grant.id, now, actor, fact);
    Transition { grant, events: vec![event], effects: Vec::new() }
}

/// How long the sweep waits after the `failures`-th failed removal: [`RETRY_PAUSE_FIRST`], doubling up to
/// [`RETRY_PAUSE_MAX`].
#[must_use]
pub fn retry_pause(failures: u32) -> SignedDuration {
    let doublings = failures.saturating_sub(1).min(10);
    RETRY_PAUSE_FIRST.saturating_mul(1 << doublings).min(RETRY_PAUSE_MAX)
}
