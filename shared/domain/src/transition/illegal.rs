//! Why a command does not apply: the refusals of the transition function, one for each reason.

use jiff::Timestamp;

use super::CHANGES_MAX;

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
    /// An attach may still be under way, and could undo a change.
    #[error("the grant may still be changed by a request under way until {until}")]
    ChangeHeld {
        /// From when it can be changed.
        until: Timestamp,
    },
    /// Nothing of it is waiting for AWS's word.
    #[error("the grant has no change that AWS has yet to confirm")]
    NotChanging,
    /// It is not active (yet).
    #[error("the grant is still being opened")]
    NotActive,
    /// The approval is not newer than the one in force.
    #[error("the approval is not newer than the one in force")]
    NotNewer,
    /// Its access is of another kind, or on another principal, than what is asked for.
    #[error("the grant attaches something else than what is asked for now")]
    OtherAccess,
    /// Its window was changed as often as it may be.
    #[error("the grant's window was changed {CHANGES_MAX} times, which is as often as it may be")]
    TooManyChanges,
    /// No guardrail asked for a review of it, or it was reviewed already.
    #[error("no review of the grant is owed")]
    NoReviewOwed,
    /// Whoever had the access is not who looks at it afterwards.
    #[error("whoever had the access can't review it: somebody else has to")]
    OwnReview,
    /// It has not ended, so there is no whole story to be reviewed.
    #[error("the grant has not ended yet; its review comes after that")]
    ReviewTooEarly,
    /// It has not ended, so nothing of it is left over; or it has, so nothing of it is missing.
    #[error("what was found is no drift of the grant as it is")]
    NoDrift,
}
