//! What is written after something was done: transitions with their events.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem};
use curfew_app::ports::{Commit, CommitWrite, LedgerError};
use curfew_domain::grant::Grant;

use super::conflicts::{condition_failed, passing, shown};
use super::holders;
use super::item::{self, number};
use super::open::{action, put_event};
use super::{DynamoLedger, unfit};

const COMMIT: &str = "write a grant's transition";

/// The place of the grant itself among the actions.
const STATE_ACTION: usize = 0;

pub(super) async fn commit(ledger: &DynamoLedger, commit: Commit<'_>) -> Result<CommitWrite, LedgerError> {
    let Commit { grant, events, shared } = commit;
    let mut actions = vec![replace_state(ledger, grant)?];
    for event in events {
        actions.push(put_event(&ledger.table, event, COMMIT)?);
    }
    let holders_action = actions.len();
    if let Some(shared) = shared {
        actions.push(holders::end_removal(&ledger.table, grant.id(), shared, COMMIT)?);
    }
    let sent = ledger.client().transact_write_items().set_transact_items(Some(actions)).send().await;
    let error = match sent {
        Ok(_) => return Ok(CommitWrite::Written),
        Err(error) => error,
    };
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            refused(canceled.cancellation_reasons(), holders_action)
        }
        _ => Err(ledger.failed(COMMIT, &error)),
    }
}

/// What a cancelled commit means. An outdated grant comes first: whoever reads it again sees the rest.
fn refused(reasons: &[CancellationReason], holders_action: usize) -> Result<CommitWrite, LedgerError> {
    if condition_failed(reasons, STATE_ACTION) {
        return Ok(CommitWrite::Outdated);
    }
    if condition_failed(reasons, holders_action) {
        return Ok(CommitWrite::HoldersChanged);
    }
    Err(LedgerError { operation: COMMIT, message: shown(reasons), retryable: passing(reasons) })
}

/// Replaces a grant whole, and with it the claim that its unwritten event came from.
fn replace_state(ledger: &DynamoLedger, grant: &Grant) -> Result<TransactWriteItem, LedgerError> {
    let put = Put::builder()
        .table_name(&ledger.table)
        .set_item(Some(item::state_item(grant).map_err(|error| unfit(COMMIT, &error))?))
        .condition_expression("#version = :before")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":before", number(grant.version().saturating_sub(1)))
        .build();
    action(COMMIT, put, |built, put| built.put(put))
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
