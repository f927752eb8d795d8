//! What is written after something was done: transitions with their events, and released holders.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use curfew_app::ports::{Commit, CommitWrite, Holders, LedgerError};
use curfew_domain::access::Attachment;
use curfew_domain::grant::Grant;
use curfew_domain::ids::GrantId;

use super::conflicts::{condition_failed, passing, shown};
use super::item::{self, Item, key, number, text};
use super::keys;
use super::open::{action, put_event};
use super::{DynamoLedger, unfit};

const COMMIT: &str = "write a grant's transition";
const RELEASE: &str = "release a shared attachment";

/// The place of the grant itself among the actions.
const STATE_ACTION: usize = 0;

pub(super) async fn commit(ledger: &DynamoLedger, commit: Commit<'_>) -> Result<CommitWrite, LedgerError> {
    let Commit { grant, events, unchanged } = commit;
    let mut actions = vec![replace_state(ledger, grant)?];
    for event in events {
        actions.push(put_event(&ledger.table, event, COMMIT)?);
    }
    let holders_action = actions.len();
    if let Some((attachment, version)) = unchanged {
        actions.push(check_holders(ledger, attachment, version)?);
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

/// Checks that an attachment has the holders that it had when they were read. Version 0 is none yet.
fn check_holders(
    ledger: &DynamoLedger,
    attachment: &Attachment,
    version: u64,
) -> Result<TransactWriteItem, LedgerError> {
    let check = ConditionCheck::builder()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::attachment_pk(attachment), keys::HOLDERS)))
        .expression_attribute_names("#version", "version");
    let check = if version == 0 {
        check.condition_expression("attribute_not_exists(#version)")
    } else {
        check
            .condition_expression("#version = :version")
            .expression_attribute_values(":version", number(version))
    };
    action(COMMIT, check.build(), |built, check| built.condition_check(check))
}

/// Takes a grant off the holders. If it is not on them, because it never was or because an earlier try
/// took it off, nothing changes, and they are read by the very same call.
pub(super) async fn release(
    ledger: &DynamoLedger,
    attachment: &Attachment,
    id: &GrantId,
) -> Result<Holders, LedgerError> {
    let sent = ledger
        .client()
        .update_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::attachment_pk(attachment), keys::HOLDERS)))
        .update_expression("ADD #version :one DELETE holders :ids")
        .condition_expression("contains(holders, :id)")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":ids", AttributeValue::Ss(vec![id.as_str().to_owned()]))
        .expression_attribute_values(":id", text(id.as_str()))
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match sent {
        Ok(output) => holders(&output.attributes.unwrap_or_default()),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
                Some(item) => holders(item),
                None => Ok(Holders { version: 0, grants: Vec::new() }),
            },
            _ => Err(ledger.failed(RELEASE, &error)),
        },
    }
}

/// Reads holders. One that can't be read is an error, never nobody: it would be detached.
fn holders(item: &Item) -> Result<Holders, LedgerError> {
    let version =
        item::number_of(item, "version").ok_or_else(|| unfit(RELEASE, &item::missing(item, "version")))?;
    let grants = item::ids_of(item, "holders").map_err(|error| unfit(RELEASE, &error))?;
    Ok(Holders { version, grants })
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
