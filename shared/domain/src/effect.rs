//! Effects: what has to be done in AWS after a transition, as plain data.
//!
//! An effect leaves no choice to whoever performs it; names and times in it were fixed before the first
//! side effect. What came of it returns as [`Proof`] or as a failure. Does not know how it is performed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Route};
use crate::ids::{GrantId, Source, TicketId};

/// Which AWS service fires a grant's timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// A one-time EventBridge Scheduler schedule, which deletes itself after it fired.
    Scheduler,
    /// An EventBridge rule with a one-time cron, which stays until it is removed.
    Rule,
}

/// A grant's expiry timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which service fires it.
    pub kind: TimerKind,
    /// The schedule's or rule's name, after the grant.
    pub name: String,
    /// When it fires: the window's end, rounded up to a whole minute.
    pub fires_at: Timestamp,
    /// When the sweep takes over, because the timer should have fired by then.
    pub overdue_at: Timestamp,
}

/// A change of access in AWS, with what is needed to get there and to trace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// The grant that asks for the change.
    pub grant_id: GrantId,
    /// The source of its ticket (goes into the session's tags).
    pub source: Source,
    /// Its ticket (goes into the session's tags).
    pub ticket: TicketId,
    /// The way to the tenant's account.
    pub route: Route,
    /// What is attached or detached.
    pub access: Access,
}

/// One thing to be done in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make the access take effect.
    Attach(AccessChange),
    /// End the access.
    Detach(AccessChange),
    /// Set the expiry timer, which calls the revoke function with the grant's id.
    SetTimer {
        /// The grant to end.
        grant_id: GrantId,
        /// When and by which service.
        timer: Timer,
    },
    /// Remove the expiry timer.
    ClearTimer(Timer),
}

/// AWS's word that an effect holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What AWS confirmed.
    pub found: Found,
    /// When its answer was here.
    pub at: Timestamp,
    /// AWS's id of the request, to be found in CloudTrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
    /// Whether an earlier try at the same request went without an answer, and may land late.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsettled: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Proof {
    /// Whether nothing of the request can land any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.unsettled
    }
}

/// What AWS confirmed about an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was made, or was there already just as wanted.
    Applied,
    /// It was deleted by this request.
    Deleted,
    /// It was not there (any more).
    Absent,
    /// It stays, because other live grants hold the shared attachment.
    HeldByOthers,
}

impl Found {
    /// Whether this proves that a grant's own access is gone.
    #[must_use]
    pub fn proves_removal(self) -> bool {
        match self {
            Self::Deleted | Self::Absent | Self::HeldByOthers => true,
            Self::Applied => false,
        }
    }
}
