//! Reviews: which grants somebody has to look at afterwards, because the guardrail that permitted them says so; and
//! that somebody did.
//!
//! Changes no access. Whether a grant owes a review is its own word, not the index's through which it is found.

use curfew_domain::event::OperatorName;
use curfew_domain::grant::Grant;
use curfew_domain::ids::GrantId;
use curfew_domain::retry::ROUNDS_MAX;
use curfew_domain::transition::{Command, Illegal, transition};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::ports::{Clock, Commit, CommitWrite, Ledger, LedgerError, Ports};

/// How many grants are read side by side.
const READ_CONCURRENT_MAX: usize = 16;

/// What came of recording a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// It is on the grant's record.
    Recorded(Box<Grant>),
    /// There is nothing to record, as `why` says. Nothing was changed.
    NotOwed {
        /// The grant as it is.
        grant: Box<Grant>,
        /// Why not.
        why: Illegal,
    },
    /// There is no such grant.
    NoSuchGrant(GrantId),
}

/// Every grant that somebody owes a review, those first that owe it longest. Live ones too: they are reviewed once
/// they have ended.
///
/// # Errors
/// [`LedgerError`], if the ledger could not be read.
pub async fn owed<P: Ports>(ports: &P) -> Result<Vec<Grant>, LedgerError> {
    let ids = ports.ledger().reviews_owed().await?;
    let reads = ids.into_iter().map(|id| async move { ports.ledger().load(&id).await });
    let stored: Vec<_> = stream::iter(reads).buffered(READ_CONCURRENT_MAX).try_collect().await?;
    // The index is behind: what was reviewed a moment ago is found, and owes nothing any more.
    let grants = stored.into_iter().flatten().map(|stored| stored.grant);
    Ok(grants.filter(|grant| grant.review_owed_since().is_some()).collect())
}

/// Records that somebody looked at an ended grant, and what they found.
///
/// # Errors
/// [`LedgerError`], if the ledger could not be read or written. If it may have been written, the same again says so.
pub async fn done<P: Ports>(
    ports: &P,
    id: &GrantId,
    operator: &OperatorName,
    note: &str,
) -> Result<Reviewed, LedgerError> {
    for _ in 0..ROUNDS_MAX {
        let Some(stored) = ports.ledger().load(id).await? else {
            return Ok(Reviewed::NoSuchGrant(id.clone()));
        };
        let command = Command::Review { operator: operator.clone(), note: note.to_owned() };
        let next = match transition(&stored.grant, command, ports.clock().now()) {
            Ok(next) => next,
            Err(why) => return Ok(Reviewed::NotOwed { grant: Box::new(stored.grant), why }),
        };
        let mut events = stored.unwritten;
        events.extend(next.events);
        let commit = Commit { grant: &next.grant, events: &events, shared: None };
        if ports.ledger().commit(commit).await? == CommitWrite::Written {
            return Ok(Reviewed::Recorded(Box::new(next.grant)));
        }
    }
    let message = format!("grant {id} kept changing");
    Err(LedgerError { operation: "record a review", message, retryable: true })
}
