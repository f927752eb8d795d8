//! What the audit function needs of the ledger: the items that its stream brings on, read back; and the grants they
//! belong to.
//!
//! Of the table's items, events and denials are written once and never again: each comes by once. Whatever else is done
//! to them did not come from Curfew, and is shown to people.
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html>)

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use curfew_app::ports::DeniedRequest;
use curfew_audit::deliver::{Arrival, Content};
use curfew_audit::ports::{Grants, ReadError, Story};
use curfew_audit::record::Subject;
use curfew_domain::ids::{DeliveryId, Email, GrantId, GuardrailId, IdError, RoleName, TenantId, TicketId};
use serde_json::Value;

use super::item::{self, Item, ItemError, key, missing, text_of};
use super::keys::{self, PK, SK};
use super::{DynamoLedger, query};

const SUBJECT: &str = "read a grant for its record";

/// The `type` of an item that records a denial.
pub(super) const DENIED: &str = "Denied";

/// Reads one record of the table's stream, as Lambda hands it over. None, if it is neither an event nor a denial: the
/// stream's filter lets those alone through.
#[must_use]
pub fn arrival(record: &Value) -> Option<Arrival> {
    let change = record.get("dynamodb").unwrap_or(&Value::Null);
    let keys = item_of(change.get("Keys"));
    let image = item_of(change.get("NewImage"));
    let sk = text_of(&keys, SK).unwrap_or_default();
    let is_event = sk.starts_with(keys::EVENT_PREFIX);
    if !is_event && text_of(&image, "type") != Some(DENIED) && keys::denial_of_sk(sk).is_none() {
        return None;
    }
    let content = if record.get("eventName").and_then(Value::as_str) != Some("INSERT") {
        Err("this item is written once and never changed, but somebody changed or deleted it; see CloudTrail for \
             who wrote to the table"
            .to_owned())
    } else if is_event {
        event(&keys, &image).map_err(|error| error.to_string())
    } else {
        denial(&keys, &image).map_err(|error| error.to_string())
    };
    // Without a number the whole batch counts as failed, which is what such a record deserves.
    let sequence = change.get("SequenceNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Arrival { sequence, content, raw: record.clone() })
}

/// Why an item can't be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Item(#[from] ItemError),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("`{attribute}` of a denial is no time: {source}")]
    Time { attribute: &'static str, source: jiff::Error },
    #[error("item `{pk} {sk}` is under no key that Curfew writes")]
    Key { pk: String, sk: String },
}

fn event(keys: &Item, image: &Item) -> Result<Content, Unreadable> {
    let grant_id = text_of(keys, PK).and_then(keys::grant_of_pk).ok_or_else(|| unknown_key(keys))?;
    let seq = text_of(keys, SK).and_then(keys::seq_of_sk).ok_or_else(|| unknown_key(keys))?;
    let body = required(image, "body")?.to_owned();
    Ok(Content::Event { grant_id, seq, body })
}

fn denial(keys: &Item, image: &Item) -> Result<Content, Unreadable> {
    let sk = text_of(keys, SK).and_then(keys::denial_of_sk).ok_or_else(|| unknown_key(keys))?;
    let ticket = text_of(keys, PK).and_then(|pk| pk.strip_prefix(keys::TICKET_PREFIX));
    let guardrails = match image.get("guardrails") {
        None => Vec::new(),
        Some(AttributeValue::L(ids)) => {
            let texts = ids.iter().map(|id| id.as_s().map_err(|_| missing(image, "guardrails")));
            texts.map(|text| Ok(GuardrailId::new(text?.clone())?)).collect::<Result<_, Unreadable>>()?
        }
        Some(_) => return Err(missing(image, "guardrails").into()),
    };
    let optional = |attribute| match image.get(attribute) {
        None => Ok(String::new()),
        Some(_) => required(image, attribute).map(str::to_owned),
    };
    let at = required(image, "at")?;
    Ok(Content::Denial(Box::new(DeniedRequest {
        source: sk.source,
        ticket: TicketId::new(ticket.ok_or_else(|| unknown_key(keys))?)?,
        requester: Email::new(required(image, "person")?)?,
        tenant: TenantId::new(required(image, "tenant")?)?,
        role: RoleName::new(required(image, "role")?)?,
        delivery: DeliveryId::new(required(image, "delivery")?)?,
        request_digest: sk.request_digest,
        code: sk.code,
        reason: required(image, "reason")?.to_owned(),
        guardrails,
        catalog_digest: optional("catalog_digest")?,
        guardrails_digest: optional("guardrails_digest")?,
        at: at.parse().map_err(|source| Unreadable::Time { attribute: "at", source })?,
    })))
}

fn required<'a>(image: &'a Item, attribute: &'static str) -> Result<&'a str, ItemError> {
    text_of(image, attribute).ok_or_else(|| missing(image, attribute))
}

fn unknown_key(keys: &Item) -> Unreadable {
    let shown = |name: &str| text_of(keys, name).unwrap_or("?").to_owned();
    Unreadable::Key { pk: shown(PK), sk: shown(SK) }
}

/// An item in a stream's JSON: its texts and lists of texts. Events and denials hold nothing else, so of anything else
/// it is enough to know that it is there.
fn item_of(json: Option<&Value>) -> Item {
    let text = |value: &Value| value.get("S").and_then(Value::as_str).map(item::text);
    let attribute = |value: &Value| {
        let list =
            || value.get("L")?.as_array()?.iter().map(text).collect::<Option<_>>().map(AttributeValue::L);
        text(value).or_else(list).unwrap_or(AttributeValue::Null(true))
    };
    let attributes = json.and_then(Value::as_object).into_iter().flatten();
    attributes.map(|(name, value)| (name.clone(), attribute(value))).collect::<HashMap<_, _>>()
}

impl Grants for DynamoLedger {
    /// Reads the grant as it was written, whatever is being done to it: what a record says of it never changes.
    async fn subject(&self, id: &GrantId) -> Result<Option<Subject>, ReadError> {
        let output = self
            .client()
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(keys::grant_pk(id), keys::STATE)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(SUBJECT, &error))?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let grant =
            item::grant_before_claim(&item).map_err(|error| ReadError::Unreadable(error.to_string()))?;
        Ok(Some(Subject::from(&grant)))
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, ReadError> {
        let Some(story) = query::story(self, id).await? else {
            return Ok(None);
        };
        let written = story.events.len().saturating_sub(story.stored.unwritten.len());
        let events = story.events.into_iter().take(written).collect();
        Ok(Some(Story { subject: Subject::from(&story.stored.grant), events }))
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
