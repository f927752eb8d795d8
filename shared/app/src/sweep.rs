//! The sweep: drives every overdue or stuck grant to its end, whatever became of those who should have.
//!
//! Its work grows with what is due, not with what exists. One grant that fails holds up no other.

use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Outcome, State};
use curfew_domain::ids::GrantId;
use curfew_domain::transition::BeginClosing;
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use crate::close::{self, Drive, Ended};
use crate::ports::{Clock, Due, Ledger, LedgerError, Ports};
use crate::revoke::{self, Revoked};

/// How many grants are worked on side by side: IAM throttles an account's writes as a whole.
const CONCURRENT_MAX: usize = 8;

/// Bounds of one lap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lap {
    /// At most so many grants are looked at.
    pub limit: usize,
    /// No work is begun after this time, so that what was begun can be finished.
    pub stop_at: Timestamp,
}

/// What became of one due grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// Its removal is proven.
    Closed(Outcome),
    /// Its removal began but can't be proven yet.
    Settling,
    /// Its removal failed again, or the ledger did.
    Failed(String),
    /// It was not due after all: the index lagged, or somebody else was faster.
    NotDue,
    /// The lap's time was over before its turn; the next lap takes it.
    LeftOver,
}

/// What a lap did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every grant that was due, and what became of it.
    pub grants: Vec<(Due, Swept)>,
    /// Whether there may be more than the limit.
    pub truncated: bool,
}

impl Report {
    /// How many grants still owe work after the lap.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.grants
            .iter()
            .filter(|(_, swept)| match swept {
                Swept::Settling | Swept::Failed(_) | Swept::LeftOver => true,
                Swept::Closed(_) | Swept::NotDue => false,
            })
            .count()
    }
}

/// One lap over everything that is due.
///
/// # Errors
/// [`LedgerError`], if it could not be found out what is due.
pub async fn sweep<P: Ports>(ports: &P, lap: Lap) -> Result<Report, LedgerError> {
    let due = ports.ledger().due(ports.clock().now(), lap.limit).await?;
    let truncated = due.len() >= lap.limit;
    let grants = stream::iter(due)
        .map(|due| async move {
            let swept = if ports.clock().now() >= lap.stop_at {
                Swept::LeftOver
            } else {
                finish(ports, &due.grant_id).await.unwrap_or_else(|error| Swept::Failed(error.to_string()))
            };
            (due, swept)
        })
        .buffer_unordered(CONCURRENT_MAX)
        .collect()
        .await;
    Ok(Report { grants, truncated })
}

/// Drives one grant to its end, if it is due.
async fn finish<P: Ports>(ports: &P, id: &GrantId) -> Result<Swept, LedgerError> {
    let Some(stored) = ports.ledger().load(id).await? else {
        return Ok(Swept::NotDue);
    };
    let now = ports.clock().now();
    if stored.grant.due_at().is_none_or(|due_at| now < due_at) {
        return Ok(Swept::NotDue);
    }
    let begin = |cause, reason: &str| BeginClosing {
        cause,
        actor: Actor::Sweep,
        reason: reason.to_owned(),
        settled: false,
    };
    let ended = match stored.grant.state() {
        State::Closed { .. } => return Ok(Swept::NotDue),
        State::Closing { .. } => {
            let effects = stored.grant.closing_effects();
            let drive = Drive { actor: Actor::Sweep, by_lease_holder: false, effects };
            close::drive(ports, stored, drive).await?
        }
        State::Opening { .. } => {
            let begin = begin(Cause::Abandoned, "its opening did not finish within its lease");
            match revoke::revoke(ports, id, begin).await? {
                Revoked::Ended(ended) => ended,
                _ => return Ok(Swept::NotDue),
            }
        }
        State::Active { .. } => {
            let begin = begin(Cause::Expired, "the window is over and the timer did not end it");
            match revoke::revoke(ports, id, begin).await? {
                Revoked::Ended(ended) => ended,
                _ => return Ok(Swept::NotDue),
            }
        }
    };
    Ok(match ended {
        Ended::Closed(grant) => match grant.state() {
            State::Closed { outcome, .. } => Swept::Closed(*outcome),
            _ => Swept::Settling,
        },
        Ended::Settling { .. } => Swept::Settling,
        Ended::Unproven { error, .. } => Swept::Failed(error),
    })
}
