//! Reading: consistent by grant and by ticket; through lagging indexes by person, tenant and due time.
//!
//! Every query follows its pages to the end: a page ends after 1 MB whatever was asked for.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use curfew_app::ports::{Due, LedgerError, Story};
use curfew_domain::ids::{GrantId, Source, TicketId};
use curfew_domain::transition::Stored;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::item::{self, Item, key, text};
use super::keys::{self, PK, SK};
use super::{DynamoLedger, unfit};

const LOAD: &str = "read a grant";
const STORY: &str = "read a grant's events";
const TICKET: &str = "find a ticket's grants";
const LIVE: &str = "find live grants";
const DUE: &str = "find due grants";

/// How often a story is read before it is told as it is.
const STORY_READS_MAX: u32 = 3;

pub(super) async fn load(ledger: &DynamoLedger, id: &GrantId) -> Result<Option<Stored>, LedgerError> {
    let output = ledger
        .client()
        .get_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::grant_pk(id), keys::STATE)))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| ledger.failed(LOAD, &error))?;
    output.item.as_ref().map(item::stored).transpose().map_err(|error| unfit(LOAD, &error))
}

/// Reads state and events with one query. A query is no snapshot: if a transition came in between, so
/// that the events don't end where the grant says, it is read again.
pub(super) async fn story(ledger: &DynamoLedger, id: &GrantId) -> Result<Option<Story>, LedgerError> {
    let mut reads = 0;
    loop {
        reads += 1;
        let Some(story) = story_once(ledger, id).await? else {
            return Ok(None);
        };
        let last = story.events.last().map_or(0, |event| event.seq);
        if last == story.stored.grant.chain().seq || reads >= STORY_READS_MAX {
            // If they still differ, the chain is broken: for whoever verifies it to say.
            return Ok(Some(story));
        }
    }
}

async fn story_once(ledger: &DynamoLedger, id: &GrantId) -> Result<Option<Story>, LedgerError> {
    let query = ledger
        .client()
        .query()
        .table_name(&ledger.table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", text(keys::grant_pk(id)))
        .consistent_read(true);
    let mut state = None;
    let mut events = Vec::new();
    for item in all(ledger, query, STORY, usize::MAX).await? {
        match item::text_of(&item, SK) {
            Some(keys::STATE) => {
                state = Some(item::stored(&item).map_err(|error| unfit(STORY, &error))?);
            }
            Some(sk) if sk.starts_with(keys::EVENT_PREFIX) => {
                events.push(item::event_of(&item).map_err(|error| unfit(STORY, &error))?);
            }
            // Of a later version of Curfew.
            _ => {}
        }
    }
    let Some(stored) = state else {
        return Ok(None);
    };
    events.extend(stored.unwritten.iter().cloned());
    Ok(Some(Story { stored, events }))
}

pub(super) async fn grants_of_ticket(
    ledger: &DynamoLedger,
    source: Option<&Source>,
    ticket: &TicketId,
) -> Result<Vec<(Source, GrantId)>, LedgerError> {
    let query = ledger
        .client()
        .query()
        .table_name(&ledger.table)
        .expression_attribute_values(":pk", text(keys::ticket_pk(ticket)))
        // Links alone: a source that is denied again and again must not make a ticket too large to be read.
        .filter_expression("attribute_exists(opened_at)")
        .projection_expression("sk")
        .consistent_read(true);
    let query = match source {
        None => query.key_condition_expression("pk = :pk"),
        Some(source) => query
            .key_condition_expression("pk = :pk AND begins_with(sk, :links)")
            .expression_attribute_values(":links", text(keys::link_prefix(source))),
    };
    let items = all(ledger, query, TICKET, usize::MAX).await?;
    Ok(items.iter().filter_map(|item| keys::link_of_sk(item::text_of(item, SK)?)).collect())
}

/// The grants of one partition of a live index.
pub(super) async fn live(
    ledger: &DynamoLedger,
    index: &str,
    attribute: &str,
    value: &str,
) -> Result<Vec<GrantId>, LedgerError> {
    let query = ledger
        .client()
        .query()
        .table_name(&ledger.table)
        .index_name(index)
        .key_condition_expression("#live = :live")
        .expression_attribute_names("#live", attribute)
        .expression_attribute_values(":live", text(value));
    all(ledger, query, LIVE, usize::MAX).await?.iter().map(|item| id_of(item, LIVE)).collect()
}

/// All shards at once: they are as many round trips as one.
pub(super) async fn due(
    ledger: &DynamoLedger,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, LedgerError> {
    let shards = keys::due_shards().map(|shard| due_in(ledger, shard, now, limit));
    let mut due: Vec<Due> = try_join_all(shards).await?.into_iter().flatten().collect();
    due.sort_by(|a, b| (a.due_at, &a.grant_id).cmp(&(b.due_at, &b.grant_id)));
    due.truncate(limit);
    Ok(due)
}

async fn due_in(
    ledger: &DynamoLedger,
    shard: String,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, LedgerError> {
    let query = ledger
        .client()
        .query()
        .table_name(&ledger.table)
        .index_name(keys::DUE_INDEX)
        .key_condition_expression("due_shard = :shard AND due_at <= :now")
        .expression_attribute_values(":shard", text(shard))
        .expression_attribute_values(":now", text(keys::time(now)))
        .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1));
    let items = all(ledger, query, DUE, limit).await?;
    Ok(items.iter().filter_map(|item| due_of(item).map_err(|error| tracing::error!(%error)).ok()).collect())
}

/// Reads an entry of the due index. One that can't be read is logged and left out: it must not keep the
/// sweep from the others.
fn due_of(item: &Item) -> Result<Due, LedgerError> {
    let due_at = item::text_of(item, "due_at").and_then(|at| at.parse().ok());
    let due_at = due_at.ok_or_else(|| unfit(DUE, &item::missing(item, "due_at")))?;
    Ok(Due { grant_id: id_of(item, DUE)?, due_at })
}

fn id_of(item: &Item, operation: &'static str) -> Result<GrantId, LedgerError> {
    item::text_of(item, PK)
        .and_then(keys::grant_of_pk)
        .ok_or_else(|| unfit(operation, &item::missing(item, PK)))
}

/// The items of a query's pages, in order, until there are no more or enough.
async fn all(
    ledger: &DynamoLedger,
    query: QueryFluentBuilder,
    operation: &'static str,
    enough: usize,
) -> Result<Vec<Item>, LedgerError> {
    let mut pages = query.into_paginator().send();
    let mut items: Vec<Item> = Vec::new();
    while let Some(page) = pages.next().await {
        items.extend(page.map_err(|error| ledger.failed(operation, &error))?.items.unwrap_or_default());
        if items.len() >= enough {
            break;
        }
    }
    Ok(items)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
