//! What is due, in the order of work, page by page.
//!
//! The index keeps each rank (privileged, normal) in partitions of its own, and each partition in the order
//! of its keys, which within a rank is the order of work. So the next items of the whole are among the next
//! of each partition: one query for each, side by side, and a merge.

use curfew_app::ports::{Due, LedgerError};
use curfew_domain::window::{plus, whole_second};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use super::item::{self, Item, text};
use super::keys::{self, PK, SK};
use super::{DynamoLedger, unfit};

const DUE: &str = "find what is due";

pub(super) async fn due(
    ledger: &DynamoLedger,
    now: Timestamp,
    after: Option<&Due>,
    limit: usize,
) -> Result<Vec<Due>, LedgerError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let to = keys::last_due_order(now);
    let shards = keys::due_shards().map(|(privileged, shard)| {
        let from = after.map(|after| lowest(after, privileged));
        due_in(ledger, Shard { privileged, shard, from, to: to.clone() }, limit)
    });
    let mut due: Vec<Due> = try_join_all(shards).await?.into_iter().flatten().collect();
    due.sort_by(Due::order);
    due.truncate(limit);
    Ok(due)
}

/// The lowest key that comes after `after` among the items of a rank.
fn lowest(after: &Due, privileged: bool) -> String {
    let second = after.due_at.as_second().rem_euclid(60);
    let minute = plus(whole_second(after.due_at), -SignedDuration::from_secs(second));
    match (after.privileged, privileged) {
        (true, true) | (false, false) => keys::after_due_order(after.due_at, &after.item),
        // The turn of this rank in that minute is still to come.
        (true, false) => keys::time(minute),
        // It was over before.
        (false, true) => keys::time(plus(minute, SignedDuration::from_mins(1))),
    }
}

/// A stretch of one partition, both ends included.
struct Shard {
    privileged: bool,
    shard: String,
    from: Option<String>,
    to: String,
}

/// The first items of a stretch that can be read: as many as are wanted, or all.
async fn due_in(ledger: &DynamoLedger, shard: Shard, limit: usize) -> Result<Vec<Due>, LedgerError> {
    let Shard { privileged, shard, from, to } = shard;
    // DynamoDB refuses a range whose ends are the wrong way round.
    if from.as_ref().is_some_and(|from| *from > to) {
        return Ok(Vec::new());
    }
    let query = ledger
        .client()
        .query()
        .table_name(&ledger.table)
        .index_name(keys::DUE_INDEX)
        .expression_attribute_values(":shard", text(shard))
        .expression_attribute_values(":to", text(to))
        .limit(i32::try_from(limit).unwrap_or(i32::MAX));
    let query = match from {
        None => query.key_condition_expression("due_shard = :shard AND due_order <= :to"),
        Some(from) => query
            .key_condition_expression("due_shard = :shard AND due_order BETWEEN :from AND :to")
            .expression_attribute_values(":from", text(from)),
    };
    let mut pages = query.into_paginator().send();
    let mut due = Vec::new();
    while let Some(page) = pages.next().await {
        let items = page.map_err(|error| ledger.failed(DUE, &error))?.items.unwrap_or_default();
        // One that can't be read is logged and left out, and does not count: it must not keep the sweep
        // from the others.
        due.extend(items.iter().filter_map(|item| {
            due_of(item, privileged).map_err(|error| tracing::error!(%error, "a due item is unreadable")).ok()
        }));
        if due.len() >= limit {
            break;
        }
    }
    Ok(due)
}

/// Reads an entry of the index.
fn due_of(item: &Item, privileged: bool) -> Result<Due, LedgerError> {
    let missing = |attribute| unfit(DUE, &item::missing(item, attribute));
    let due_at = item::text_of(item, "due_order").and_then(keys::time_of_due_order);
    let of = item::text_of(item, PK).zip(item::text_of(item, SK));
    Ok(Due {
        item: of.and_then(|(pk, sk)| keys::due_item(pk, sk)).ok_or_else(|| missing(PK))?,
        due_at: due_at.ok_or_else(|| missing("due_order"))?,
        privileged,
    })
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
