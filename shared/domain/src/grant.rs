//! The grant: one role for one principal over one window, with one life.
//!
//! States own their data: only a closing grant has a cause, only a closed one a proof. A grant changes by
//! [`crate::transition`] alone; its fields can't be set from outside. Knows nothing of storage.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Route};
use crate::effect::{AccessChange, Effect, Proof, Timer};
use crate::event::{Actor, Chain, Decided};
use crate::ids::{GrantId, GrantIdentity};
use crate::request::AccessRequest;
use crate::window::Window;

/// Why a grant is being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its window is over.
    Expired,
    /// An operator, a closed ticket or a later decision ended it early.
    Revoked,
    /// Its opening invocation could not finish and says so.
    OpeningFailed,
    /// Its opening invocation went away without a word, and its lease ran out.
    Abandoned,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At the end of its window.
    Expired,
    /// Early.
    Revoked,
    /// It never took effect.
    Failed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Failed => "failed",
        })
    }
}

impl Outcome {
    /// The outcome that is shown so; none, if there is no such one.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Expired, Self::Revoked, Self::Failed].into_iter().find(|outcome| outcome.to_string() == name)
    }
}

impl From<Cause> for Outcome {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Expired => Self::Expired,
            Cause::Revoked => Self::Revoked,
            Cause::OpeningFailed | Cause::Abandoned => Self::Failed,
        }
    }
}

/// Where a grant is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// Written down; access may or may not hold yet.
    Opening {
        /// Until then the opening invocation may still have a change in flight in AWS.
        lease_until: Timestamp,
    },
    /// AWS confirmed access and timer.
    Active {
        /// When it did so last.
        activated_at: Timestamp,
        /// If set: until then an attach may still land, so a removal proves nothing, and a change of the
        /// window could be undone by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsettled_until: Option<Timestamp>,
        /// If set: AWS has yet to confirm what the ledger says already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changing: Option<Changing>,
    },
    /// To be removed; access may still hold until the removal is proven.
    Closing {
        /// Why.
        cause: Cause,
        /// By whom.
        actor: Actor,
        /// In which words.
        reason: String,
        /// Since when.
        begun_at: Timestamp,
        /// A removal that began earlier proves nothing: a late attach could land after it.
        settle_after: Timestamp,
        /// How often in a row the removal failed.
        failures: u32,
        /// When the sweep tries (again).
        retry_at: Timestamp,
    },
    /// AWS confirmed that nothing is left.
    Closed {
        /// How it ended.
        outcome: Outcome,
        /// When.
        closed_at: Timestamp,
        /// AWS's word on it.
        proof: Proof,
    },
}

/// A change of an active grant that AWS has not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changing {
    /// Until the change is confirmed, what is in AWS may last until then, if that is later than the
    /// grant's window.
    pub previous_end: Timestamp,
}

impl State {
    /// The state's name, as in the ledger and in replies.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opening { .. } => "opening",
            Self::Active { .. } => "active",
            Self::Closing { .. } => "closing",
            Self::Closed { .. } => "closed",
        }
    }
}

/// A review that a guardrail asks for after the access has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Review {
    /// Nobody has looked at it yet.
    Owed {
        /// Since when.
        since: Timestamp,
    },
    /// An operator has.
    Done {
        /// When.
        at: Timestamp,
    },
}

/// One role for one principal over one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub(crate) id: GrantId,
    pub(crate) version: u64,
    pub(crate) request: AccessRequest,
    pub(crate) request_digest: String,
    /// Digests of approvals that a later one replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) superseded: Vec<String>,
    #[serde(default)]
    pub(crate) privileged: bool,
    pub(crate) approved_at: Timestamp,
    pub(crate) attempt: u32,
    pub(crate) access: Access,
    pub(crate) route: Route,
    pub(crate) window: Window,
    pub(crate) timer: Timer,
    #[serde(flatten)]
    pub(crate) decided: Decided,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) review: Option<Review>,
    pub(crate) opened_at: Timestamp,
    pub(crate) chain: Chain,
    pub(crate) state: State,
}

impl Grant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &GrantId {
        &self.id
    }

    /// Counts its transitions, from 1. Every write is conditional on it.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What was approved.
    #[must_use]
    pub fn request(&self) -> &AccessRequest {
        &self.request
    }

    /// The digest of what was approved, to tell a duplicate from a different request.
    #[must_use]
    pub fn request_digest(&self) -> &str {
        &self.request_digest
    }

    /// Whether this very approval was taken before: it is the one in force, or one that a later one replaced.
    #[must_use]
    pub fn knows(&self, digest: &str) -> bool {
        self.request_digest == digest || self.superseded.iter().any(|known| known == digest)
    }

    /// When the newest of its approvals that count was given. Only a later one can change its window.
    #[must_use]
    pub fn approved_at(&self) -> Timestamp {
        self.approved_at
    }

    /// Whether its role is privileged: of what is due in the same minute, it is ended first.
    #[must_use]
    pub fn privileged(&self) -> bool {
        self.privileged
    }

    /// The latest end that what is in AWS may have: the window's, or until a shortening is confirmed the
    /// one before.
    #[must_use]
    pub fn ends_in_aws_by(&self) -> Timestamp {
        let end = self.window.expires_at();
        match &self.state {
            State::Active { changing: Some(changing), .. } => end.max(changing.previous_end),
            _ => end,
        }
    }

    /// 0, or how many earlier tries on the same approval failed.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The grant of the try before this one, on the same approval. Only if that one failed may this one be.
    #[must_use]
    pub fn earlier_try(&self) -> Option<GrantId> {
        let attempt = self.attempt.checked_sub(1)?;
        Some(GrantId::derive(GrantIdentity {
            source: &self.request.source,
            ticket: &self.request.ticket,
            tenant: &self.request.tenant,
            role: &self.request.role,
            principal: self.access.principal(),
            attempt,
        }))
    }

    /// What is attached in AWS.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The way to the tenant's account.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Over which time access holds.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// What ends it.
    #[must_use]
    pub fn timer(&self) -> &Timer {
        &self.timer
    }

    /// The catalog and the guardrails that decided it.
    #[must_use]
    pub fn decided(&self) -> &Decided {
        &self.decided
    }

    /// Since when somebody owes it a review. What never took effect is owed none.
    #[must_use]
    pub fn review_owed_since(&self) -> Option<Timestamp> {
        match (&self.state, self.review) {
            (State::Closed { outcome: Outcome::Failed, .. }, _) => None,
            (_, Some(Review::Owed { since })) => Some(since),
            (_, None | Some(Review::Done { .. })) => None,
        }
    }

    /// Whether somebody has to look at it afterwards, or did.
    #[must_use]
    pub fn review(&self) -> Option<Review> {
        self.review
    }

    /// When it was written down.
    #[must_use]
    pub fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// The end of its chain of events.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When the sweep has to look at it, unless it changes before; none once it is closed.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Opening { lease_until } => Some(*lease_until),
            // A change that was cut short is finished once nothing of it can land any more.
            State::Active { changing: Some(_), unsettled_until: Some(lease), .. } => {
                Some(self.timer.overdue_at.min(*lease))
            }
            State::Active { .. } => Some(self.timer.overdue_at),
            State::Closing { retry_at, .. } => Some(*retry_at),
            State::Closed { .. } => None,
        }
    }

    /// The change of access that attaching or detaching it means.
    #[must_use]
    pub fn access_change(&self) -> AccessChange {
        AccessChange {
            grant_id: self.id.clone(),
            source: self.request.source.clone(),
            ticket: self.request.ticket.clone(),
            route: self.route.clone(),
            access: self.access.clone(),
        }
    }

    /// Whether its opening failed, so that a redelivery of its approval may try anew.
    #[must_use]
    pub fn may_be_tried_anew(&self) -> bool {
        matches!(
            self.state,
            State::Closing { cause: Cause::OpeningFailed | Cause::Abandoned, .. }
                | State::Closed { outcome: Outcome::Failed, .. }
        )
    }

    /// What makes it take effect.
    #[must_use]
    pub fn opening_effects(&self) -> Vec<Effect> {
        vec![
            Effect::Attach(self.access_change()),
            Effect::SetTimer { grant_id: self.id.clone(), timer: self.timer.clone() },
        ]
    }

    /// What removes whatever it may have left. Harmless to repeat.
    #[must_use]
    pub fn closing_effects(&self) -> Vec<Effect> {
        vec![Effect::Detach(self.access_change()), Effect::ClearTimer(self.timer.clone())]
    }
}
