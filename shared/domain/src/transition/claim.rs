//! Claims: a begun closing as the ledger keeps it until its event is written, and what every reader makes of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BeginClosing, Command, Illegal, Transition, transition};
use crate::event::Event;
use crate::grant::Grant;

/// A claim as the ledger keeps it: the command and its time, atomically guarded by [`Guard`](super::Guard).
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
    /// [`Illegal`], if the claim does not apply: the ledger's condition and [`Guard`](super::Guard) disagree then.
    pub fn claimed(before: &Grant, claim: Claim) -> Result<Self, Illegal> {
        let Transition { grant, events, .. } =
            transition(before, Command::BeginClosing(claim.begin), claim.at)?;
        Ok(Self { grant, unwritten: events })
    }
}
