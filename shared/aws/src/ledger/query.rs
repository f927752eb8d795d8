//! Reading: consistent by grant and by ticket; through lagging indexes by person, tenant and principal, and of
//! reviews.
//!
//! Every query follows its pages to the end: a page ends after 1 MB whatever was asked for.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use curfew_app::ports::{LedgerError, Story};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::transition::Stored;

use super::item::{self, Item, key, text};
use super::keys::{self, PK, SK};
use super::{DynamoLedger, unfit};

const LOAD: &str = "read a grant";
const STORY: &str = "read a grant's events";
const TICKET: &str = "find a ticket's grants";
const LIVE: &str = "find live grants";
const REVIEWS: &str = "find the reviews that are owed";

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
    for item in all(ledger, query, STORY).await? {
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
    let items = all(ledger, query, TICKET).await?;
    Ok(items.iter().filter_map(|item| keys::link_of_sk(item::text_of(item, SK)?)).collect())
}

/// A person's live grants.
pub(super) async fn live_of_person(
    ledger: &DynamoLedger,
    person: &Email,
) -> Result<Vec<GrantId>, LedgerError> {
    let query = index(ledger, keys::LIVE_BY_PERSON_INDEX)
        .key_condition_expression("live_person = :person")
        .expression_attribute_values(":person", text(person.as_str()));
    live(ledger, query).await
}

/// A tenant's live grants; those of one principal, if one is named.
pub(super) async fn live_of_tenant(
    ledger: &DynamoLedger,
    tenant: &TenantId,
    principal: Option<&Principal>,
) -> Result<Vec<GrantId>, LedgerError> {
    let query = index(ledger, keys::LIVE_BY_TENANT_INDEX)
        .expression_attribute_values(":tenant", text(tenant.as_str()));
    let query = match principal {
        None => query.key_condition_expression("live_tenant = :tenant"),
        Some(principal) => query
            .key_condition_expression("live_tenant = :tenant AND principal = :principal")
            .expression_attribute_values(":principal", text(principal.arn())),
    };
    live(ledger, query).await
}

/// Grants that somebody owes a review, those first that owe it longest.
pub(super) async fn reviews_owed(ledger: &DynamoLedger) -> Result<Vec<GrantId>, LedgerError> {
    let query = index(ledger, keys::REVIEWS_INDEX)
        .key_condition_expression("review_owed = :owed")
        .expression_attribute_values(":owed", text(keys::REVIEW_OWED));
    all(ledger, query, REVIEWS).await?.iter().map(|item| id_of(item, REVIEWS)).collect()
}

fn index(ledger: &DynamoLedger, name: &str) -> QueryFluentBuilder {
    ledger.client().query().table_name(&ledger.table).index_name(name)
}

async fn live(ledger: &DynamoLedger, query: QueryFluentBuilder) -> Result<Vec<GrantId>, LedgerError> {
    all(ledger, query, LIVE).await?.iter().map(|item| id_of(item, LIVE)).collect()
}

fn id_of(item: &Item, operation: &'static str) -> Result<GrantId, LedgerError> {
    item::text_of(item, PK)
        .and_then(keys::grant_of_pk)
        .ok_or_else(|| unfit(operation, &item::missing(item, PK)))
}

/// The items of all of a query's pages, in order.
pub(super) async fn all(
    ledger: &DynamoLedger,
    query: QueryFluentBuilder,
    operation: &'static str,
) -> Result<Vec<Item>, LedgerError> {
    let mut pages = query.into_paginator().send();
    let mut items: Vec<Item> = Vec::new();
    while let Some(page) = pages.next().await {
        items.extend(page.map_err(|error| ledger.failed(operation, &error))?.items.unwrap_or_default());
    }
    Ok(items)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
