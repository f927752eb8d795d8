//! The claim: begins a grant's closing in one conditional write, without reading it first.
//!
//! The write stores the *command* beside the grant, under exactly the condition under which the domain
//! would accept it; the pure transition then says what it means, here and to every later reader. So a
//! removal begins after one round trip, whoever else is at work on the grant.
//!
//! If the answer to a write was lost and the SDK sends it again, the condition fails, because the grant
//! is `closing` by our own first try. The item that comes back then carries our very claim (same cause,
//! actor, reason and time): it is answered as begun. A twin who gave the same command in the same
//! second is told the same; both then drive the removal, which is safe to do twice, and one of them
//! closes.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use curfew_app::ports::{ClaimWrite, DueItem, LedgerError};
use curfew_domain::ids::GrantId;
use curfew_domain::transition::{BeginClosing, CLOSER_HEADSTART, Claim, Command, Guard, transition};
use curfew_domain::window::{plus, whole_second};
use jiff::Timestamp;

use super::item::{self, Item, key, number, text};
use super::keys;
use super::{DynamoLedger, unfit};

const CLAIM: &str = "begin closing a grant";

pub(super) async fn claim(
    ledger: &DynamoLedger,
    id: &GrantId,
    begin: &BeginClosing,
    now: Timestamp,
) -> Result<ClaimWrite, LedgerError> {
    // The condition compares whole seconds, so the transition must see the same.
    let now = whole_second(now);
    let claim = Claim { begin: begin.clone(), at: now };
    let condition = Condition::of(Guard::of(begin.cause, now));
    let mut values = condition.values;
    values.insert(":closing".to_owned(), text("closing"));
    values.insert(":claim".to_owned(), item::claim_attribute(&claim).map_err(|error| unfit(CLAIM, &error))?);
    values.insert(":one".to_owned(), number(1));
    let due_at = plus(now, CLOSER_HEADSTART);
    values.insert(":due_at".to_owned(), text(keys::time(due_at)));
    values.insert(":now".to_owned(), text(keys::time(now)));
    // Its partition of the due index stays: that depends on the id and the rank alone.
    let due_order = keys::due_order(due_at, &DueItem::Grant(id.clone()));
    values.insert(":due_order".to_owned(), text(due_order));
    let sent = ledger
        .client()
        .update_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::grant_pk(id), keys::STATE)))
        .update_expression(
            "SET #state = :closing, #claim = :claim, #version = #version + :one, due_at = :due_at, \
             due_order = :due_order, closing_since = :now REMOVE lease_until, in_aws_until",
        )
        .condition_expression(condition.expression)
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#claim", "claim")
        .expression_attribute_names("#version", "version")
        .set_expression_attribute_values(Some(values))
        .return_values(ReturnValue::AllOld)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match sent {
        Ok(output) => begun(&output.attributes.unwrap_or_default(), &claim),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
                Some(item) => refused(item, &claim),
                None => Ok(ClaimWrite::Absent),
            },
            _ => Err(ledger.failed(CLAIM, &error)),
        },
    }
}

/// The transition that our claim is, on the grant as it was before.
fn begun(item: &Item, claim: &Claim) -> Result<ClaimWrite, LedgerError> {
    let before = item::grant_before_claim(item).map_err(|error| unfit(CLAIM, &error))?;
    match transition(&before, Command::BeginClosing(claim.begin.clone()), claim.at) {
        Ok(transition) => Ok(ClaimWrite::Begun(Box::new(transition))),
        // The attributes that conditions look at say otherwise than the grant beside them.
        Err(illegal) => Err(LedgerError {
            operation: CLAIM,
            message: format!("the attributes of grant {} contradict it: {illegal}", before.id()),
            retryable: false,
        }),
    }
}

/// What it means that the condition failed on `item`.
fn refused(item: &Item, claim: &Claim) -> Result<ClaimWrite, LedgerError> {
    if item::claim_of(item).map_err(|error| unfit(CLAIM, &error))?.as_ref() == Some(claim) {
        return begun(item, claim);
    }
    let stored = item::stored(item).map_err(|error| unfit(CLAIM, &error))?;
    match transition(&stored.grant, Command::BeginClosing(claim.begin.clone()), claim.at) {
        Err(illegal) => Ok(ClaimWrite::Refused { stored: Box::new(stored), illegal }),
        // Possible within one second, where a lease ends between two whole ones.
        Ok(_) => Err(LedgerError {
            operation: CLAIM,
            message: format!("the attributes of grant {id} contradict it; try again", id = stored.grant.id()),
            retryable: true,
        }),
    }
}

/// A guard as a condition of DynamoDB.
#[derive(Debug, PartialEq)]
struct Condition {
    expression: String,
    values: HashMap<String, AttributeValue>,
}

impl Condition {
    fn of(guard: Guard) -> Self {
        let Guard { from_active, expired_at, abandoned_at } = guard;
        let mut values = HashMap::from([(":opening".to_owned(), text("opening"))]);
        let mut expression = "#state = :opening".to_owned();
        if let Some(at) = abandoned_at {
            values.insert(":abandoned_at".to_owned(), text(keys::time(at)));
            expression = format!("({expression} AND lease_until <= :abandoned_at)");
        }
        if from_active {
            values.insert(":active".to_owned(), text("active"));
            expression = format!("({expression} OR #state = :active)");
        }
        if let Some(at) = expired_at {
            values.insert(":expired_at".to_owned(), text(keys::time(at)));
            expression = format!("{expression} AND expires_at <= :expired_at");
        }
        Self { expression, values }
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
