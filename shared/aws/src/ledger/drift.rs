//! What the search for drift keeps: how far the lap over an account is, and what no grant accounts for.

use aws_sdk_dynamodb::types::ReturnValue;
use curfew_app::ports::{DriftLap, LedgerError, Stray};
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::item::{self, Item, key, text};
use super::keys;
use super::open::ABSENT;
use super::{DynamoLedger, unfit};

const READ: &str = "read how far the drift lap is";
const SAVE: &str = "keep how far the drift lap is";
const RECORD: &str = "record a stray";

/// Reads how far the lap over an account is.
pub(super) async fn lap(ledger: &DynamoLedger, account: &str) -> Result<Option<DriftLap>, LedgerError> {
    let output = ledger
        .client()
        .get_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::drift_pk(account), keys::LAP)))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| ledger.failed(READ, &error))?;
    output.item.map(|item| lap_of(&item)).transpose()
}

fn lap_of(item: &Item) -> Result<DriftLap, LedgerError> {
    let missing = |attribute| unfit(READ, &item::missing(item, attribute));
    let began_at = item::text_of(item, "began_at").and_then(|at| at.parse::<Timestamp>().ok());
    let next = item.get("next").map(|_| item::text_of(item, "next").ok_or_else(|| missing("next")));
    Ok(DriftLap {
        began_at: began_at.ok_or_else(|| missing("began_at"))?,
        next: next.transpose()?.map(str::to_owned),
    })
}

/// Keeps how far it is, if it is as it was read. If the answer to a write that took effect was lost, the
/// SDK's next try finds the lap moved on by our own first one: that is told as if somebody else had done
/// it, which costs the caller no more than to stop for now.
pub(super) async fn save_lap(
    ledger: &DynamoLedger,
    account: &str,
    before: Option<&DriftLap>,
    lap: &DriftLap,
) -> Result<bool, LedgerError> {
    let mut item = key(keys::drift_pk(account), keys::LAP);
    item.insert("began_at".to_owned(), text(keys::time(lap.began_at)));
    if let Some(next) = &lap.next {
        item.insert("next".to_owned(), text(next));
    }
    let put = ledger.client().put_item().table_name(&ledger.table).set_item(Some(item));
    let put = match before {
        None => put.condition_expression(ABSENT),
        Some(DriftLap { began_at, next }) => {
            let put = put
                .expression_attribute_names("#next", "next")
                .expression_attribute_values(":began_at", text(keys::time(*began_at)));
            match next {
                None => put.condition_expression("began_at = :began_at AND attribute_not_exists(#next)"),
                Some(next) => put
                    .condition_expression("began_at = :began_at AND #next = :next")
                    .expression_attribute_values(":next", text(next)),
            }
        }
    };
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
            Ok(false)
        }
        Err(error) => Err(ledger.failed(SAVE, &error)),
    }
}

/// Keeps a sighting: the time of the first stays, that of the last is kept up. Once the first is `margin` ago a
/// second call, made once for each stray, marks it as told.
pub(super) async fn record_stray(
    ledger: &DynamoLedger,
    stray: &Stray,
    margin: SignedDuration,
) -> Result<bool, LedgerError> {
    let at = text(keys::time(stray.at));
    let update = || {
        ledger
            .client()
            .update_item()
            .table_name(&ledger.table)
            .set_key(Some(key(keys::stray_pk(stray), keys::stray_sk(stray))))
            .expression_attribute_values(":at", at.clone())
    };
    let output = update()
        .update_expression(
            "SET principal = :principal, #policy = :policy, what = :what, \
             first_seen_at = if_not_exists(first_seen_at, :at), last_seen_at = :at",
        )
        .expression_attribute_names("#policy", "policy")
        .expression_attribute_values(":principal", text(stray.principal.arn()))
        .expression_attribute_values(":policy", text(&stray.policy))
        .expression_attribute_values(":what", text(&stray.what))
        .return_values(ReturnValue::AllNew)
        .send()
        .await
        .map_err(|error| ledger.failed(RECORD, &error))?;
    let seen = output.attributes.unwrap_or_default();
    let told = item::text_of(&seen, "told_at").is_some();
    let first = item::text_of(&seen, "first_seen_at").and_then(|at| at.parse::<Timestamp>().ok());
    if told || first.is_none_or(|first| stray.at < plus(first, margin)) {
        return Ok(false);
    }
    let sent = update()
        .update_expression("SET told_at = :at")
        // Our own first try, whose answer was lost, is not somebody else who told it.
        .condition_expression("attribute_not_exists(told_at) OR told_at = :at")
        .send()
        .await;
    match sent {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
            Ok(false)
        }
        Err(error) => Err(ledger.failed(RECORD, &error)),
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
