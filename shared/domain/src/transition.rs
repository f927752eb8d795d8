//! The life of a grant: a pure function from state, command and time to the next state, its events and
//! the effects to perform. Every pair of state and command is decided here and nowhere else.
//!
//! Knows no storage: a claim's [`Guard`] is data, so that a ledger can evaluate the very same condition in
//! one conditional write.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::Access;
use crate::decision::Plan;
use crate::effect::{Effect, Proof, Timer, TimerKind};
use crate::event::{Actor, Chain, Event, Fact};
use crate::grant::{Cause, Grant, Outcome, State};
use crate::window::{plus, whole_minute_up};

/// How long whoever began a removal has it for themselves, before the sweep tries too.
pub const CLOSER_HEADSTART: SignedDuration = SignedDuration::from_secs(60);

/// The longest pause between two tries of a removal that keeps failing.
pub const RETRY_PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);

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
pub fn open(plan: Plan, opening: Opening, now: Timestamp) -> Transition {
    let id = plan.grant_id(opening.attempt);
    let access = plan.access(&id);
    let fires_at = whole_minute_up(plan.window.expires_at());
    let timer = Timer {
        kind: opening.timer,
        name: id.object_name(),
        fires_at,
        overdue_at: plus(fires_at, opening.sweep_grace),
    };
    let document_sha256 = match &access {
        Access::Inline { document, .. } => Some(data_encoding::HEXLOWER.encode(&Sha256::digest(document))),
        Access::Managed { .. } => None,
    };
    let mut chain = Chain::new();
    let events = vec![
        chain.append(
            &id,
            now,
            Actor::Source(plan.request.source.clone()),
            Fact::Requested {
                request: Box::new(plan.request.clone()),
                catalog_digest: plan.catalog_digest.clone(),
            },
        ),
        chain.append(
            &id,
            now,
            Actor::GrantFunction,
            Fact::Opened {
                access: access.to_string(),
                document_sha256,
                window: plan.window,
                timer: timer.clone(),
                lease_until: opening.lease_until,
            },
        ),
    ];
    let grant = Grant {
        id,
        version: 1,
        request_digest: plan.request.digest(),
        request: plan.request,
        attempt: opening.attempt,
        access,
        route: plan.route,
        window: plan.window,
        timer,
        catalog_digest: plan.catalog_digest,
        opened_at: now,
        chain,
        state: State::Opening { lease_until: opening.lease_until },
    };
    let effects = grant.opening_effects();
    Transition { grant, events, effects }
}

/// What is asked of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// AWS confirmed access and timer.
    Activate {
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
}

impl Command {
    /// The command's name, for errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Activate { .. } => "activate",
            Self::BeginClosing(_) => "begin closing",
            Self::Overrule { .. } => "overrule the failed opening of",
            Self::RecordFailure { .. } => "record a failed removal of",
            Self::Close(_) => "close",
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

/// The condition under which a grant may begin closing: what a ledger checks in its conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Whether an `Active` grant may (an `Opening` one always may, if the times below hold).
    pub from_active: bool,
    /// If set: the window must be over at this time.
    pub expired_at: Option<Timestamp>,
    /// If set: an opening's lease must have run out at this time.
    pub abandoned_at: Option<Timestamp>,
}

impl Guard {
    /// The condition for a cause at a time.
    #[must_use]
    pub fn of(cause: Cause, now: Timestamp) -> Self {
        match cause {
            Cause::Expired => Self { from_active: true, expired_at: Some(now), abandoned_at: None },
            Cause::Revoked => Self { from_active: true, expired_at: None, abandoned_at: None },
            Cause::OpeningFailed => Self { from_active: false, expired_at: None, abandoned_at: None },
            Cause::Abandoned => Self { from_active: false, expired_at: None, abandoned_at: Some(now) },
        }
    }

    fn check(self, grant: &Grant) -> Result<(), Illegal> {
        match &grant.state {
            State::Opening { lease_until } => {
                if self.abandoned_at.is_some_and(|now| now < *lease_until) {
                    return Err(Illegal::LeaseHeld { until: *lease_until });
                }
            }
            State::Active { .. } => {
                if !self.from_active {
                    return Err(Illegal::AlreadyActive);
                }
            }
            State::Closing { .. } => return Err(Illegal::AlreadyClosing),
            State::Closed { .. } => return Err(Illegal::AlreadyClosed),
        }
        let until = grant.window.expires_at();
        if self.expired_at.is_some_and(|now| now < until) {
            return Err(Illegal::NotExpired { until });
        }
        Ok(())
    }
}

/// Why a command does not apply to a grant as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// It has not ended yet.
    #[error("the grant's window lasts until {until}")]
    NotExpired {
        /// Its end.
        until: Timestamp,
    },
    /// Its opening may still be going on.
    #[error("the grant's opening holds a lease until {until}")]
    LeaseHeld {
        /// The lease's end.
        until: Timestamp,
    },
    /// It took effect already.
    #[error("the grant is active already")]
    AlreadyActive,
    /// Its removal began already.
    #[error("the grant's removal began already")]
    AlreadyClosing,
    /// It ended already.
    #[error("the grant is closed already")]
    AlreadyClosed,
    /// A removal that began before a late attach could have landed.
    #[error(
        "a removal counts as proof only if it began after {after}, because an attach may land until then"
    )]
    NotSettled {
        /// From when a removal counts.
        after: Timestamp,
    },
    /// What is offered as proof proves nothing.
    #[error("the removal is not proven: AWS did not say that the access is gone")]
    NotProven,
    /// Its removal has not begun.
    #[error("the grant's removal has not begun")]
    NotClosing,
}

/// Applies `command` to `grant` at `now`.
///
/// # Errors
/// [`Illegal`], if the command does not apply to the grant's state. Nothing has changed then.
pub fn transition(grant: &Grant, command: Command, now: Timestamp) -> Result<Transition, Illegal> {
    match (&grant.state, command) {
        (State::Opening { lease_until }, Command::Activate { attached, timer_set }) => {
            let unsettled_until = (!attached.found.is_settled()).then_some(*lease_until);
            let state = State::Active { activated_at: now, unsettled_until };
            Ok(step(grant, state, Actor::GrantFunction, Fact::Activated { attached, timer_set }, now))
        }
        (State::Active { .. }, Command::Activate { .. }) => Err(Illegal::AlreadyActive),
        // Revocation wins over an opening that comes too late.
        (State::Closing { .. }, Command::Activate { .. }) => Err(Illegal::AlreadyClosing),

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
        (
            State::Opening { .. } | State::Active { .. },
            Command::Overrule { .. } | Command::RecordFailure { .. } | Command::Close(_),
        ) => Err(Illegal::NotClosing),

        (
            State::Closed { .. },
            Command::Activate { .. }
            | Command::Overrule { .. }
            | Command::RecordFailure { .. }
            | Command::Close(_),
        ) => Err(Illegal::AlreadyClosed),
    }
}

fn begin_closing(grant: &Grant, begin: BeginClosing, now: Timestamp) -> Transition {
    let settle_after = match &grant.state {
        State::Opening { lease_until } if !begin.settled => now.max(*lease_until),
        State::Active { unsettled_until: Some(until), .. } => now.max(*until),
        _ => now,
    };
    let fact = Fact::of_cause(begin.cause, &begin.reason);
    let timer_is_spent = begin.actor == Actor::Timer && grant.timer.kind == TimerKind::Scheduler;
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

/// How long the sweep waits after the `failures`-th failed removal: one minute, doubling up to
/// [`RETRY_PAUSE_MAX`].
#[must_use]
pub fn retry_pause(failures: u32) -> SignedDuration {
    let doublings = failures.saturating_sub(1).min(10);
    SignedDuration::from_mins(1).saturating_mul(1 << doublings).min(RETRY_PAUSE_MAX)
}

/// A claim as the ledger keeps it: the command and its time, atomically guarded by [`Guard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The command.
    #[serde(flatten)]
    pub begin: BeginClosing,
    /// When it was given.
    pub at: Timestamp,
}

/// A grant as it was found in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The grant.
    pub grant: Grant,
    /// Events that have happened but have no item of their own yet: they are written with the next
    /// transition. Only a claim leaves one.
    pub unwritten: Vec<Event>,
}

impl Stored {
    /// A grant with all its events written.
    #[must_use]
    pub fn settled(grant: Grant) -> Self {
        Self { grant, unwritten: Vec::new() }
    }

    /// The grant that `before` became by `claim`.
    ///
    /// # Errors
    /// [`Illegal`], if the claim does not apply: the ledger's condition and [`Guard`] disagree then.
    pub fn claimed(before: &Grant, claim: Claim) -> Result<Self, Illegal> {
        let Transition { grant, events, .. } =
            transition(before, Command::BeginClosing(claim.begin), claim.at)?;
        Ok(Self { grant, unwritten: events })
    }
}
