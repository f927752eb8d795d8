//! What the audit function answers.

use curfew_audit::deliver::{ArchivedAgain, Delivered};
use curfew_audit::seal::Sealed;
use curfew_domain::ids::{GrantId, Source, TicketId};
use jiff::Timestamp;
use serde::Serialize;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a part of the stream.
    Batch(BatchReply),
    /// To a checkpoint.
    Sealed(SealedReply),
    /// To archiving a grant, or a ticket's denials, again.
    ArchivedAgain(ArchivedAgainReply),
}

/// Which items of a part of the stream have to come again. Lambda goes on from the lowest of them, so there is one at
/// most (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchReply {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<ItemFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    sequence: String,
}

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealedReply {
    /// The checkpoints that were written.
    checkpoints: Vec<CheckpointReply>,
    /// Until when the archive is sealed now.
    sealed_until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CheckpointReply {
    number: u64,
    digest: String,
    objects: usize,
    records: usize,
}

/// What was archived again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchivedAgainReply {
    #[serde(flatten)]
    of: Of,
    records: usize,
    objects: Vec<String>,
}

/// Whose records they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Of {
    Grant { grant_id: GrantId },
    Ticket { source: Source, ticket: TicketId },
}

impl From<&Delivered> for Reply {
    fn from(delivered: &Delivered) -> Self {
        let failures =
            delivered.failed_from.iter().map(|sequence| ItemFailure { sequence: sequence.clone() });
        Self::Batch(BatchReply { failures: failures.collect() })
    }
}

impl From<&Sealed> for Reply {
    fn from(sealed: &Sealed) -> Self {
        let checkpoints = sealed.checkpoints.iter().map(|checkpoint| CheckpointReply {
            number: checkpoint.number,
            digest: checkpoint.digest.clone(),
            objects: checkpoint.objects,
            records: checkpoint.records,
        });
        Self::Sealed(SealedReply { checkpoints: checkpoints.collect(), sealed_until: sealed.until })
    }
}

impl Reply {
    /// The answer to archiving a grant again.
    pub(crate) fn grant_archived_again(grant_id: GrantId, archived: ArchivedAgain) -> Self {
        Self::again(Of::Grant { grant_id }, archived)
    }

    /// The answer to archiving a ticket's denials again.
    pub(crate) fn denials_archived_again(source: Source, ticket: TicketId, archived: ArchivedAgain) -> Self {
        Self::again(Of::Ticket { source, ticket }, archived)
    }

    fn again(of: Of, archived: ArchivedAgain) -> Self {
        let ArchivedAgain { keys: objects, records } = archived;
        Self::ArchivedAgain(ArchivedAgainReply { of, records, objects })
    }
}
