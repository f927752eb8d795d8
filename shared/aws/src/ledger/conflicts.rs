//! Has the SDK retry what failed only because another write was on the same item at that moment.
//!
//! DynamoDB cancels a transaction that meets another write, and refuses a write that meets a
//! transaction; the SDK retries neither by itself
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>).
//! A retry here keeps the SDK's pauses, its limits and its `ClientRequestToken`.

use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;

/// Retries writes that met another write.
#[derive(Debug)]
pub(crate) struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let Some(error) = error.as_operation_error() else {
            return RetryAction::NoActionIndicated;
        };
        let conflict = if let Some(error) = error.downcast_ref::<TransactWriteItemsError>() {
            match error {
                TransactWriteItemsError::TransactionCanceledException(canceled) => {
                    passing(canceled.cancellation_reasons())
                }
                _ => false,
            }
        } else if let Some(error) = error.downcast_ref::<UpdateItemError>() {
            error.code() == Some(CONFLICT)
        } else if let Some(error) = error.downcast_ref::<PutItemError>() {
            error.code() == Some(CONFLICT)
        } else {
            false
        };
        if conflict { RetryAction::throttling_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "CurfewRetryConflicts"
    }
}

const CONFLICT: &str = "TransactionConflictException";

/// Codes of a cancellation that has nothing to do with what was asked.
const PASSING: &[&str] =
    &["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];

/// Whether a transaction was cancelled for passing reasons alone. If a condition failed besides, the
/// answer is known, and a retry would only hear it again.
pub(super) fn passing(reasons: &[CancellationReason]) -> bool {
    let mut codes =
        reasons.iter().filter_map(|reason| reason.code()).filter(|code| *code != "None").peekable();
    codes.peek().is_some() && codes.all(|code| PASSING.contains(&code))
}

/// Whether the condition of the transaction's `n`-th action failed.
pub(super) fn condition_failed(reasons: &[CancellationReason], n: usize) -> bool {
    reasons.get(n).is_some_and(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

/// The reasons of a cancellation in words, for an error that nobody expected.
pub(super) fn shown(reasons: &[CancellationReason]) -> String {
    let shown: Vec<String> = reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| reason.code() != Some("None"))
        .map(|(n, reason)| {
            format!(
                "action {n}: {}: {}",
                reason.code().unwrap_or("?"),
                reason.message().unwrap_or("no message")
            )
        })
        .collect();
    format!("the transaction was cancelled: {}", shown.join("; "))
}
