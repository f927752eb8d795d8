//! Items: how grants and events are written to the table, and read back.
//!
//! A grant's item holds the whole grant as a map (`grant`, made small by [`super::compact`]), which is what is read, and
//! beside it, in full names and readable times, what conditions, indexes and people need. What the console's indexes project is
//! told by [`super::live`]. Knows no calls.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use curfew_app::console::AccessKind;
use curfew_app::ports::DueItem;
use curfew_domain::event::Event;
use curfew_domain::grant::{Grant, State};
use curfew_domain::transition::{Claim, Illegal, Stored};
use jiff::Timestamp;

use super::compact::{compact, expand};
use super::keys::{self, PK, SK};

/// An item of the table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Why an item can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    /// An attribute is missing or of another type than it is written with.
    #[error("item `{key}` has no readable attribute `{attribute}`; was it edited by hand?")]
    Missing { key: String, attribute: &'static str },
    /// An attribute does not hold what its name promises.
    #[error("attribute `{attribute}` of item `{key}` is not readable: {source}")]
    Unreadable { key: String, attribute: &'static str, source: serde_dynamo::Error },
    /// An event's body is not an event.
    #[error("the body of item `{key}` is not an event: {source}")]
    NotAnEvent { key: String, source: serde_json::Error },
    /// A claim is on a grant that it can't have been made on.
    #[error("the claim of item `{key}` does not fit its grant: {source}")]
    ClaimMisfit { key: String, source: Illegal },
    /// Something can't be written as an attribute.
    #[error("`{what}` can't be written as an attribute: {source}")]
    Unwritable { what: &'static str, source: serde_dynamo::Error },
}

/// A text attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A key.
pub(super) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(sk))])
}

/// A grant's item.
pub(super) fn state_item(grant: &Grant) -> Result<Item, ItemError> {
    let request = grant.request();
    let mut item = key(keys::grant_pk(grant.id()), keys::STATE);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("state", text(grant.state().name()));
    set("version", number(grant.version()));
    set("person", text(request.requester.as_str()));
    set("tenant", text(request.tenant.as_str()));
    set("role", text(request.role.as_str()));
    set("principal", text(grant.access().principal().arn()));
    set("ticket", text(request.ticket.as_str()));
    set("source", text(request.source.as_str()));
    set("starts_at", text(keys::time(grant.window().starts_at())));
    set("expires_at", text(keys::time(grant.window().expires_at())));
    set("access_kind", text(AccessKind::of(grant.access()).name()));
    if grant.privileged() {
        set("privileged", AttributeValue::Bool(true));
    }
    match grant.state() {
        State::Opening { lease_until } => {
            set("lease_until", text(keys::time_up(*lease_until)));
        }
        State::Active { changing: Some(_), .. } => {
            set("in_aws_until", text(keys::time(grant.ends_in_aws_by())));
        }
        State::Active { changing: None, .. } => {}
        State::Closing { begun_at, failures, .. } => {
            set("closing_since", text(keys::time(*begun_at)));
            if *failures > 0 {
                set("failures", number(u64::from(*failures)));
            }
        }
        State::Closed { outcome, .. } => {
            set("outcome", text(outcome.to_string()));
        }
    }
    if let Some(since) = grant.review_owed_since() {
        set("review_owed", text(keys::REVIEW_OWED));
        set("review_since", text(keys::review_since(since, grant.id())));
    }
    if let Some(due_at) = grant.due_at() {
        set("live_person", text(request.requester.as_str()));
        set("live_tenant", text(request.tenant.as_str()));
        set_due(&mut item, &DueItem::Grant(grant.id().clone()), grant.privileged(), due_at);
    }
    let mut whole = serde_dynamo::to_attribute_value(grant)
        .map_err(|source| ItemError::Unwritable { what: "grant", source })?;
    compact(&item, &mut whole);
    item.insert("grant".to_owned(), whole);
    Ok(item)
}

/// Has an item be due: the keys of the due index, and the time for people.
pub(super) fn set_due(item: &mut Item, due: &DueItem, privileged: bool, due_at: Timestamp) {
    let mut set = |name: &str, value: String| item.insert(name.to_owned(), text(value));
    set("due_shard", keys::due_shard(due, privileged));
    set("due_order", keys::due_order(due_at, due));
    set("due_at", keys::time(due_at));
}

/// A claim as an attribute.
pub(super) fn claim_attribute(claim: &Claim) -> Result<AttributeValue, ItemError> {
    serde_dynamo::to_attribute_value(claim).map_err(|source| ItemError::Unwritable { what: "claim", source })
}

/// The grant as it was before a claim, if there is one.
pub(super) fn grant_before_claim(item: &Item) -> Result<Grant, ItemError> {
    let mut whole = item.get("grant").cloned().ok_or_else(|| missing(item, "grant"))?;
    expand(item, &mut whole);
    from_attribute(item, "grant", whole)
}

/// The claim on a grant, if there is one.
pub(super) fn claim_of(item: &Item) -> Result<Option<Claim>, ItemError> {
    read(item, "claim")
}

/// A grant as it is: the written one, or what the claim on it made of it.
pub(super) fn stored(item: &Item) -> Result<Stored, ItemError> {
    let before = grant_before_claim(item)?;
    match claim_of(item)? {
        None => Ok(Stored::settled(before)),
        Some(claim) => Stored::claimed(&before, claim)
            .map_err(|source| ItemError::ClaimMisfit { key: shown_key(item), source }),
    }
}

/// An event's item. Its `body` is the very bytes that the chain of digests is made of, and says all there is to say; no
/// more stands beside it than a person looks for in a list, because the item is charged by its size.
pub(super) fn event_item(event: &Event) -> Item {
    let mut item = key(keys::grant_pk(&event.grant_id), keys::event_sk(event.seq));
    let mut set = |name: &str, value: String| item.insert(name.to_owned(), text(value));
    set("type", event.fact.name().to_owned());
    set("at", keys::time(event.at));
    set("body", event.canonical());
    item
}

/// An event, from its body alone: the other attributes are for people.
pub(super) fn event_of(item: &Item) -> Result<Event, ItemError> {
    let body = text_of(item, "body").ok_or_else(|| missing(item, "body"))?;
    serde_json::from_str(body).map_err(|source| ItemError::NotAnEvent { key: shown_key(item), source })
}

/// A text attribute's value.
pub(super) fn text_of<'a>(item: &'a Item, attribute: &str) -> Option<&'a str> {
    item.get(attribute)?.as_s().ok().map(String::as_str)
}

/// A number attribute's value.
pub(super) fn number_of(item: &Item, attribute: &str) -> Option<u64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

/// What the texts of a string set mean, in order. One that can't be read is an error, never left out.
pub(super) fn set_of<T: Ord>(
    item: &Item,
    attribute: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ItemError> {
    let Some(set) = item.get(attribute) else {
        return Ok(Vec::new());
    };
    let unreadable = || missing(item, attribute);
    let texts = set.as_ss().map_err(|_| unreadable())?;
    let read: Option<Vec<T>> = texts.iter().map(|text| read(text)).collect();
    let mut read = read.ok_or_else(unreadable)?;
    read.sort();
    Ok(read)
}

pub(super) fn missing(item: &Item, attribute: &'static str) -> ItemError {
    ItemError::Missing { key: shown_key(item), attribute }
}

fn read<T: serde::de::DeserializeOwned>(
    item: &Item,
    attribute: &'static str,
) -> Result<Option<T>, ItemError> {
    item.get(attribute).map(|value| from_attribute(item, attribute, value.clone())).transpose()
}

fn from_attribute<T: serde::de::DeserializeOwned>(
    item: &Item,
    attribute: &'static str,
    value: AttributeValue,
) -> Result<T, ItemError> {
    serde_dynamo::from_attribute_value(value).map_err(|source| ItemError::Unreadable {
        key: shown_key(item),
        attribute,
        source,
    })
}

fn shown_key(item: &Item) -> String {
    format!("{} {}", text_of(item, PK).unwrap_or("?"), text_of(item, SK).unwrap_or("?"))
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
