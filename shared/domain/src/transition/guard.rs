//! The guard of a claim: under which condition a grant may begin closing. Data, so that a ledger can evaluate the
//! very same condition in one conditional write.

use jiff::Timestamp;

use super::Illegal;
use crate::grant::{Cause, Grant, State};

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

    pub(super) fn check(self, grant: &Grant) -> Result<(), Illegal> {
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
