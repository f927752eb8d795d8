//! What the audit function needs of the ledger: the items that its stream brings on; the same items, read back by their
//! keys; and the grants they belong to.
//!
//! Of the table's items, events and denials are written once and never again: each comes by once. And Curfew deletes
//! nothing. Whatever else is done to them, and any deletion, did not come from Curfew, and is shown to people.
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html>)

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use curfew_app::ports::{DeniedRequest, LedgerError};
use curfew_audit::deliver::{Arrival, Content};
use curfew_audit::ports::{Grants, LastSealed, ReadError, Story, Written};
use curfew_audit::record::Subject;
use curfew_domain::event::OperatorName;
use curfew_domain::ids::{
    DeliveryId, Email, GrantId, GuardrailId, IdError, RoleName, Source, TenantId, TicketId,
};
use serde_json::Value;

use super::item::{self, Item, ItemError, key, missing, text_of};
use super::keys::{self, PK, SK};
use super::{DynamoLedger, query};

const WRITTEN: &str = "read a grant and its events for their records";
const DENIAL: &str = "read a denial for its record";
const DENIALS: &str = "read a ticket's denials";
const SEALED: &str = "read which checkpoint was the last";
const REMEMBER: &str = "remember a checkpoint";

/// The `type` of an item that records a denial.
pub(super) const DENIED: &str = "Denied";

/// Reads one record of the table's stream, as Lambda hands it over. None, if it is neither an event nor a denial nor a
/// deletion: of what the stream's filter lets through, only the marks of closed tickets when they are settled.
#[must_use]
pub fn arrival(record: &Value) -> Option<Arrival> {
    let change = record.get("dynamodb").unwrap_or(&Value::Null);
    let keys = item_of(change.get("Keys"));
    let image = item_of(change.get("NewImage"));
    let sk = text_of(&keys, SK).unwrap_or_default();
    let is_event = sk.starts_with(keys::EVENT_PREFIX);
    let done = record.get("eventName").and_then(Value::as_str);
    let is_denial = || text_of(&image, "type") == Some(DENIED) || keys::denial_of_sk(sk).is_some();
    if !is_event && done != Some("REMOVE") && !is_denial() {
        return None;
    }
    let content = if done != Some("INSERT") {
        let pk = text_of(&keys, PK).unwrap_or("?");
        let (never, done) = match done {
            Some("REMOVE") => ("Curfew deletes nothing from the ledger", "deleted"),
            _ => ("this item is written once and never changed", "changed"),
        };
        Err(format!("{never}, but somebody {done} `{pk} {sk}`; see CloudTrail for who wrote to the table"))
    } else if is_event {
        event(&keys, &image).map_err(|error| error.to_string())
    } else {
        let denied = denial(&keys, &image).map_err(|error| error.to_string());
        denied.map(|denied| Content::Denial(Box::new(denied)))
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

fn denial(keys: &Item, image: &Item) -> Result<DeniedRequest, Unreadable> {
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
    let operator = image.get("operator").map(|_| required(image, "operator"));
    let operator = operator.map(|name| Ok::<_, Unreadable>(OperatorName::new(name?)?));
    let at = required(image, "at")?;
    Ok(DeniedRequest {
        source: sk.source,
        ticket: TicketId::new(ticket.ok_or_else(|| unknown_key(keys))?)?,
        requester: Email::new(required(image, "person")?)?,
        operator: operator.transpose()?,
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
    })
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
    /// Reads the grant as it was written, whatever is being done to it: what identifies it in a record never changes.
    ///
    /// One query, as a rule: a batch has the newest events of a grant, in a row, and its state comes right behind them.
    /// It reads no further. What it did not find is asked for by its key.
    async fn written(&self, id: &GrantId, seqs: &BTreeSet<u32>) -> Result<Option<Written>, ReadError> {
        let wanted: BTreeMap<String, u32> = seqs.iter().map(|seq| (keys::event_sk(*seq), *seq)).collect();
        let first = wanted.keys().next().map_or(keys::STATE, String::as_str);
        let output = self
            .client()
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :state")
            .expression_attribute_values(":pk", item::text(keys::grant_pk(id)))
            .expression_attribute_values(":first", item::text(first))
            .expression_attribute_values(":state", item::text(keys::STATE))
            .limit(i32::try_from(wanted.len().saturating_add(1)).unwrap_or(i32::MAX))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(WRITTEN, &error))?;
        let mut found: HashMap<String, Item> = HashMap::new();
        for item in output.items.unwrap_or_default() {
            if let Some(sk) = text_of(&item, SK).map(str::to_owned) {
                found.insert(sk, item);
            }
        }
        for sk in wanted.keys().map(String::as_str).chain([keys::STATE]) {
            if !found.contains_key(sk)
                && let Some(item) = self.item(WRITTEN, keys::grant_pk(id), sk.to_owned()).await?
            {
                found.insert(sk.to_owned(), item);
            }
        }
        let Some(state) = found.get(keys::STATE) else {
            return Ok(None);
        };
        let grant =
            item::grant_before_claim(state).map_err(|error| ReadError::Unreadable(error.to_string()))?;
        let body = |(sk, seq): (&String, &u32)| Some((*seq, text_of(found.get(sk)?, "body")?.to_owned()));
        Ok(Some(Written { subject: Subject::from(&grant), bodies: wanted.iter().filter_map(body).collect() }))
    }

    async fn denial(&self, denied: &DeniedRequest) -> Result<Option<DeniedRequest>, ReadError> {
        let sk = keys::denial_sk(&denied.source, &denied.request_digest, &denied.code);
        let item = self.item(DENIAL, keys::ticket_pk(&denied.ticket), sk).await?;
        item.map(|item| denial_of(&item)).transpose()
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, ReadError> {
        let Some(story) = query::story(self, id).await? else {
            return Ok(None);
        };
        let written = story.events.len().saturating_sub(story.stored.unwritten.len());
        let events = story.events.into_iter().take(written).collect();
        Ok(Some(Story { subject: Subject::from(&story.stored.grant), events }))
    }

    async fn denials(&self, source: &Source, ticket: &TicketId) -> Result<Vec<DeniedRequest>, ReadError> {
        let query = self
            .client()
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :denials)")
            .expression_attribute_values(":pk", item::text(keys::ticket_pk(ticket)))
            .expression_attribute_values(":denials", item::text(keys::denial_prefix(source)))
            .consistent_read(true);
        query::all(self, query, DENIALS).await?.iter().map(denial_of).collect()
    }

    async fn last_sealed(&self) -> Result<Option<LastSealed>, ReadError> {
        let item = self.item(SEALED, keys::ARCHIVE.to_owned(), keys::CHECKPOINT.to_owned()).await?;
        let read = |item: Item| {
            let number = item.get("number").and_then(|number| number.as_n().ok()?.parse().ok());
            let digest = text_of(&item, "digest").map(str::to_owned);
            let read = number.zip(digest).map(|(number, digest)| LastSealed { number, digest });
            read.ok_or_else(|| ReadError::Unreadable(format!("{item:?} is no checkpoint")))
        };
        item.map(read).transpose()
    }

    async fn remember_sealed(&self, newest: &LastSealed) -> Result<(), LedgerError> {
        let update = self
            .client()
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(keys::ARCHIVE.to_owned(), keys::CHECKPOINT.to_owned())))
            .update_expression("SET #number = :number, digest = :digest")
            .condition_expression("attribute_not_exists(pk) OR #number < :number")
            .expression_attribute_names("#number", "number")
            .expression_attribute_values(":number", AttributeValue::N(newest.number.to_string()))
            .expression_attribute_values(":digest", item::text(&newest.digest));
        match update.send().await {
            Ok(_) => Ok(()),
            // Somebody else has sealed more, or this is a second try.
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(self.failed(REMEMBER, &error)),
        }
    }
}

impl DynamoLedger {
    async fn item(
        &self,
        operation: &'static str,
        pk: String,
        sk: String,
    ) -> Result<Option<Item>, LedgerError> {
        let read = self.client().get_item().table_name(&self.table).set_key(Some(key(pk, sk)));
        let output = read.consistent_read(true).send().await;
        Ok(output.map_err(|error| self.failed(operation, &error))?.item)
    }
}

/// A denial as an item has it.
fn denial_of(item: &Item) -> Result<DeniedRequest, ReadError> {
    denial(item, item).map_err(|error| ReadError::Unreadable(error.to_string()))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
