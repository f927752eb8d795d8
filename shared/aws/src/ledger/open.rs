//! What is written before anything is done: new grants; and denials.
//!
//! A retry by the SDK carries the same `ClientRequestToken`, so a transaction whose answer was lost is
//! answered as the success that it was (for 10 minutes,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>). The
//! token is drawn anew for every call: derived from the grant, two invocations with the same approval
//! would both be told that *they* had opened it.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use curfew_app::ports::{DeniedRequest, LedgerError, OpenWrite};
use curfew_domain::access::Attachment;
use curfew_domain::event::Event;
use curfew_domain::grant::{Grant, Outcome};
use curfew_domain::ids::GrantId;

use super::conflicts::{condition_failed, passing, shown};
use super::item::{self, Item, key, number, text};
use super::keys;
use super::stream::DENIED;
use super::{DynamoLedger, query, unfit};

const OPEN: &str = "open a grant";

/// Only if the item is not there yet.
pub(super) const ABSENT: &str = "attribute_not_exists(pk)";

/// The places of two actions whose conditions mean something.
const STATE_ACTION: usize = 0;
const TICKET_ACTION: usize = 1;

pub(super) async fn open(
    ledger: &DynamoLedger,
    grant: &Grant,
    events: &[Event],
) -> Result<OpenWrite, LedgerError> {
    let mut actions =
        vec![put_state(ledger, grant)?, check_ticket_open(ledger, grant)?, put_link(ledger, grant)?];
    for event in events {
        actions.push(put_event(&ledger.table, event, OPEN)?);
    }
    // Of the third such action, if there was an earlier try.
    let mut earlier_action = None;
    if let Some(earlier) = grant.earlier_try() {
        earlier_action = Some(actions.len());
        actions.push(check_failed(ledger, &earlier)?);
    }
    if let Some(attachment) = grant.access().shared() {
        actions.push(hold(ledger, &attachment, grant.id())?);
    }
    let sent = ledger.client().transact_write_items().set_transact_items(Some(actions)).send().await;
    let error = match sent {
        Ok(_) => return Ok(OpenWrite::Written),
        Err(error) => error,
    };
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            refused(ledger, grant.id(), canceled.cancellation_reasons(), earlier_action).await
        }
        _ => Err(ledger.failed(OPEN, &error)),
    }
}

/// What a cancelled opening means. A grant that is there is the better answer, even on a closed ticket or
/// after another try: whoever delivers an approval again shall hear what became of it. A closed ticket comes
/// before the earlier try, since it stays closed, and the tries may be looked at again.
async fn refused(
    ledger: &DynamoLedger,
    id: &GrantId,
    reasons: &[CancellationReason],
    earlier_action: Option<usize>,
) -> Result<OpenWrite, LedgerError> {
    if condition_failed(reasons, STATE_ACTION) {
        if let Some(item) = reasons.get(STATE_ACTION).and_then(CancellationReason::item) {
            let stored = item::stored(item).map_err(|error| unfit(OPEN, &error))?;
            return Ok(OpenWrite::Exists(Box::new(stored)));
        }
        if let Some(stored) = query::load(ledger, id).await? {
            return Ok(OpenWrite::Exists(Box::new(stored)));
        }
    }
    if condition_failed(reasons, TICKET_ACTION) {
        return Ok(OpenWrite::TicketClosed);
    }
    if earlier_action.is_some_and(|n| condition_failed(reasons, n)) {
        return Ok(OpenWrite::EarlierTryChanged);
    }
    Err(LedgerError { operation: OPEN, message: shown(reasons), retryable: passing(reasons) })
}

fn put_state(ledger: &DynamoLedger, grant: &Grant) -> Result<TransactWriteItem, LedgerError> {
    let put = Put::builder()
        .table_name(&ledger.table)
        .set_item(Some(item::state_item(grant).map_err(|error| unfit(OPEN, &error))?))
        .condition_expression(ABSENT)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build();
    action(OPEN, put, |built, put| built.put(put))
}

fn check_ticket_open(ledger: &DynamoLedger, grant: &Grant) -> Result<TransactWriteItem, LedgerError> {
    let request = grant.request();
    let check = ConditionCheck::builder()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::ticket_pk(&request.ticket), keys::tombstone_sk(&request.source))))
        .condition_expression(ABSENT)
        .build();
    action(OPEN, check, |built, check| built.condition_check(check))
}

/// That the try before this one has failed, and was not revoked since.
fn check_failed(ledger: &DynamoLedger, earlier: &GrantId) -> Result<TransactWriteItem, LedgerError> {
    let check = ConditionCheck::builder()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::grant_pk(earlier), keys::STATE)))
        .condition_expression("#state = :closed AND outcome = :failed")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":closed", text("closed"))
        .expression_attribute_values(":failed", text(Outcome::Failed.to_string()))
        .build();
    action(OPEN, check, |built, check| built.condition_check(check))
}

fn put_link(ledger: &DynamoLedger, grant: &Grant) -> Result<TransactWriteItem, LedgerError> {
    let request = grant.request();
    let mut item = key(keys::ticket_pk(&request.ticket), keys::link_sk(&request.source, grant.id()));
    let mut set = |name: &str, value: &str| item.insert(name.to_owned(), text(value));
    set("person", request.requester.as_str());
    set("role", request.role.as_str());
    set("tenant", request.tenant.as_str());
    set("opened_at", &keys::time(grant.opened_at()));
    let put = Put::builder().table_name(&ledger.table).set_item(Some(item)).build();
    action(OPEN, put, |built, put| built.put(put))
}

/// Writes an event that must not be there yet.
pub(super) fn put_event(
    table: &str,
    event: &Event,
    operation: &'static str,
) -> Result<TransactWriteItem, LedgerError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item::event_item(event)))
        .condition_expression(ABSENT)
        .build();
    action(operation, put, |built, put| built.put(put))
}

/// Adds a grant to the holders of its shared attachment.
fn hold(
    ledger: &DynamoLedger,
    attachment: &Attachment,
    id: &GrantId,
) -> Result<TransactWriteItem, LedgerError> {
    let update = Update::builder()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::attachment_pk(attachment), keys::HOLDERS)))
        .update_expression("SET principal = :principal, policy_arn = :policy ADD #version :one, holders :id")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":principal", text(attachment.principal.arn()))
        .expression_attribute_values(":policy", text(&attachment.policy_arn))
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":id", AttributeValue::Ss(vec![id.as_str().to_owned()]))
        .build();
    action(OPEN, update, |built, update| built.update(update))
}

/// Wraps one action of a transaction.
pub(super) fn action<T>(
    operation: &'static str,
    built: Result<T, aws_sdk_dynamodb::error::BuildError>,
    wrap: impl FnOnce(
        aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
        T,
    ) -> aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
) -> Result<TransactWriteItem, LedgerError> {
    match built {
        Ok(built) => Ok(wrap(TransactWriteItem::builder(), built).build()),
        // Only an action without its table or key: a defect here, not something that happens.
        Err(error) => Err(LedgerError { operation, message: error.to_string(), retryable: false }),
    }
}

/// Writes a denial down, once for what was asked.
pub(super) async fn record_denial(ledger: &DynamoLedger, denied: &DeniedRequest) -> Result<(), LedgerError> {
    let mut item: Item = HashMap::from([
        ("type".to_owned(), text(DENIED)),
        ("person".to_owned(), text(denied.requester.as_str())),
        ("tenant".to_owned(), text(denied.tenant.as_str())),
        ("role".to_owned(), text(denied.role.as_str())),
        ("delivery".to_owned(), text(denied.delivery.as_str())),
        ("code".to_owned(), text(&denied.code)),
        ("reason".to_owned(), text(&denied.reason)),
        ("at".to_owned(), text(keys::time(denied.at))),
    ]);
    let decided =
        [("catalog_digest", &denied.catalog_digest), ("guardrails_digest", &denied.guardrails_digest)];
    for (name, digest) in decided.into_iter().filter(|(_, digest)| !digest.is_empty()) {
        item.insert(name.to_owned(), text(digest));
    }
    if let Some(operator) = &denied.operator {
        item.insert("operator".to_owned(), text(operator.as_str()));
    }
    if !denied.guardrails.is_empty() {
        // A list and no set: the order is the guardrails' own.
        let guardrails = denied.guardrails.iter().map(|id| text(id.as_str())).collect();
        item.insert("guardrails".to_owned(), AttributeValue::L(guardrails));
    }
    item.extend(key(
        keys::ticket_pk(&denied.ticket),
        keys::denial_sk(&denied.source, &denied.request_digest, &denied.code),
    ));
    put_once(ledger, item, "record a denial").await
}

/// Writes an item unless it is there already, which is just as good.
pub(super) async fn put_once(
    ledger: &DynamoLedger,
    item: Item,
    operation: &'static str,
) -> Result<(), LedgerError> {
    let sent = ledger
        .client()
        .put_item()
        .table_name(&ledger.table)
        .set_item(Some(item))
        .condition_expression(ABSENT)
        .send()
        .await;
    match sent {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
            Ok(())
        }
        Err(error) => Err(ledger.failed(operation, &error)),
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
pub(super) mod tests;
