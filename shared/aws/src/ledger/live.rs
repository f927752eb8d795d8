//! What the console shows, from the indexes alone: one read for all live grants, one for the reviews that are owed,
//! and none for each grant.
//!
//! The indexes `live_by_tenant` and `reviews` hold, besides keys, exactly what is read here ([`LIVE_PROJECTION`],
//! [`REVIEWS_PROJECTION`]; `infra/template.yaml` has the same lists). A read is one page: DynamoDB ends it after 1 MB
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.Pagination>), which is more than a
//! thousand grants, whatever their names. What is more is told, not read: one widget must not read a ledger without end.
//!
//! [`DynamoView`] can do nothing but these reads: whoever has it has no way to write.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use curfew_app::console::{AccessKind, LiveGrant, LiveState, LiveView, Page, ReviewOwed};
use curfew_app::ports::{Clock, Invocation, LedgerError, Story};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::{Email, GrantId, IdError, RoleName, Source, TenantId, TicketId};
use jiff::Timestamp;

use super::item::{self, Item, ItemError, text};
use super::keys::{self, PK};
use super::{DynamoLedger, query};
use crate::clients::Aws;

const LIVE: &str = "show live grants";
const REVIEWS: &str = "show the reviews that are owed";

/// What the index `live_by_tenant` holds besides its keys and the table's.
pub const LIVE_PROJECTION: [&str; 13] = [
    "person",
    "role",
    "ticket",
    "source",
    "state",
    "starts_at",
    "expires_at",
    "due_at",
    "access_kind",
    "privileged",
    "failures",
    "closing_since",
    "in_aws_until",
];

/// What the index `reviews` holds besides its keys and the table's.
pub const REVIEWS_PROJECTION: [&str; 10] = [
    "person",
    "tenant",
    "role",
    "principal",
    "ticket",
    "source",
    "state",
    "starts_at",
    "expires_at",
    "outcome",
];

/// How many unreadable entries are told one by one.
const UNREADABLE_TOLD_MAX: usize = 10;

/// The ledger in DynamoDB, to look at.
#[derive(Debug)]
pub struct DynamoView<C> {
    ledger: Arc<DynamoLedger>,
    clock: Arc<C>,
}

impl<C: Clock + 'static> DynamoView<C> {
    /// A view of a table. Nothing is sent and no client is built before it is needed.
    #[must_use]
    pub fn new(aws: Arc<Aws>, table: String, clock: Arc<C>) -> Self {
        Self { ledger: Arc::new(DynamoLedger::new(aws, table)), clock }
    }

    /// The view for one invocation: whatever it calls ends before that does.
    #[must_use]
    pub fn during(&self, invocation: &Invocation) -> Self {
        crate::end_with(&self.ledger.aws, invocation, &self.clock);
        Self { ledger: Arc::clone(&self.ledger), clock: Arc::clone(&self.clock) }
    }
}

impl<C: Clock> LiveView for DynamoView<C> {
    async fn live(&self, tenant: Option<&TenantId>) -> Result<Page<LiveGrant>, LedgerError> {
        let (client, table) = (self.ledger.client(), &self.ledger.table);
        let (items, more) = match tenant {
            // The index is sparse: what it holds is what lives, so reading all of it is no waste.
            None => {
                let sent =
                    client.scan().table_name(table).index_name(keys::LIVE_BY_TENANT_INDEX).send().await;
                let page = sent.map_err(|error| self.ledger.failed(LIVE, &error))?;
                (page.items, page.last_evaluated_key)
            }
            Some(tenant) => {
                let query = client
                    .query()
                    .table_name(table)
                    .index_name(keys::LIVE_BY_TENANT_INDEX)
                    .key_condition_expression("live_tenant = :tenant")
                    .expression_attribute_values(":tenant", text(tenant.as_str()));
                let page = query.send().await.map_err(|error| self.ledger.failed(LIVE, &error))?;
                (page.items, page.last_evaluated_key)
            }
        };
        Ok(page(&items.unwrap_or_default(), more.is_some(), live_grant))
    }

    async fn reviews(&self) -> Result<Page<ReviewOwed>, LedgerError> {
        let query = self
            .ledger
            .client()
            .query()
            .table_name(&self.ledger.table)
            .index_name(keys::REVIEWS_INDEX)
            .key_condition_expression("review_owed = :owed")
            .expression_attribute_values(":owed", text(keys::REVIEW_OWED));
        let read = query.send().await.map_err(|error| self.ledger.failed(REVIEWS, &error))?;
        Ok(page(&read.items.unwrap_or_default(), read.last_evaluated_key.is_some(), review))
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        query::story(&self.ledger, id).await
    }
}

/// Reads a page's entries. One that can't be read must not keep anybody from seeing the others.
fn page<T>(items: &[Item], truncated: bool, read: fn(&Item) -> Result<T, ItemError>) -> Page<T> {
    let mut page = Page { entries: Vec::with_capacity(items.len()), unreadable: Vec::new(), truncated };
    let mut untold = 0_usize;
    for item in items {
        match read(item) {
            Ok(entry) => page.entries.push(entry),
            Err(error) if page.unreadable.len() < UNREADABLE_TOLD_MAX => {
                page.unreadable.push(error.to_string());
            }
            Err(_) => untold += 1,
        }
    }
    if untold > 0 {
        page.unreadable.push(format!("{untold} more item(s) can't be read"));
    }
    page
}

fn live_grant(item: &Item) -> Result<LiveGrant, ItemError> {
    let state = wanted(item, "state", LiveState::of_name)?;
    Ok(LiveGrant {
        grant_id: grant_id(item)?,
        person: id(item, "person", |text| Email::new(&text))?,
        tenant: id(item, "live_tenant", TenantId::new)?,
        role: id(item, "role", RoleName::new)?,
        principal: wanted(item, "principal", |arn| Some(arn.to_owned()))?,
        source: id(item, "source", Source::new)?,
        ticket: id(item, "ticket", TicketId::new)?,
        state,
        starts_at: time(item, "starts_at")?,
        expires_at: time(item, "expires_at")?,
        due_at: time(item, "due_at")?,
        access_kind: optional(item, "access_kind", AccessKind::of_name)?,
        privileged: privileged(item)?,
        failures: failures(item)?,
        closing_since: optional_time(item, "closing_since")?,
        in_aws_until: optional_time(item, "in_aws_until")?,
    })
}

fn review(item: &Item) -> Result<ReviewOwed, ItemError> {
    Ok(ReviewOwed {
        grant_id: grant_id(item)?,
        since: wanted(item, "review_since", keys::since_of_review)?,
        person: id(item, "person", |text| Email::new(&text))?,
        tenant: id(item, "tenant", TenantId::new)?,
        role: id(item, "role", RoleName::new)?,
        principal: wanted(item, "principal", |arn| Some(arn.to_owned()))?,
        source: id(item, "source", Source::new)?,
        ticket: id(item, "ticket", TicketId::new)?,
        starts_at: time(item, "starts_at")?,
        expires_at: time(item, "expires_at")?,
        outcome: optional(item, "outcome", Outcome::of_name)?,
    })
}

fn grant_id(item: &Item) -> Result<GrantId, ItemError> {
    wanted(item, PK, keys::grant_of_pk)
}

/// A text attribute's meaning; it must be there, and mean something.
fn wanted<T>(item: &Item, attribute: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, ItemError> {
    item::text_of(item, attribute).and_then(read).ok_or_else(|| item::missing(item, attribute))
}

/// As [`wanted`], for one that may be missing.
fn optional<T>(
    item: &Item,
    attribute: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ItemError> {
    item.contains_key(attribute).then(|| wanted(item, attribute, read)).transpose()
}

fn id<T>(
    item: &Item,
    attribute: &'static str,
    new: impl Fn(String) -> Result<T, IdError>,
) -> Result<T, ItemError> {
    wanted(item, attribute, |text| new(text.to_owned()).ok())
}

fn time(item: &Item, attribute: &'static str) -> Result<Timestamp, ItemError> {
    wanted(item, attribute, |text| text.parse().ok())
}

fn optional_time(item: &Item, attribute: &'static str) -> Result<Option<Timestamp>, ItemError> {
    optional(item, attribute, |text| text.parse().ok())
}

/// Written only if true.
fn privileged(item: &Item) -> Result<bool, ItemError> {
    match item.get("privileged") {
        None => Ok(false),
        Some(AttributeValue::Bool(privileged)) => Ok(*privileged),
        Some(_) => Err(item::missing(item, "privileged")),
    }
}

/// Written only if there are any.
fn failures(item: &Item) -> Result<u32, ItemError> {
    if !item.contains_key("failures") {
        return Ok(0);
    }
    let number = item::number_of(item, "failures").and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| item::missing(item, "failures"))
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
