//! A grant as the ledger's table has it: read by plain calls of DynamoDB and not by Curfew's own reader, so that what
//! is written is judged and not only what is read back.

use curfew_domain::event::{Actor, Event, verify_chain};
use curfew_domain::grant::Grant;
use data_encoding::BASE64;
use miniz_oxide::inflate::decompress_to_vec;
use serde_json::{Map, Value};

/// A grant's item and its events' items.
#[derive(Debug, Clone)]
pub struct Record {
    /// The item with the sort key `STATE`.
    pub item: Value,
    /// What its attribute `grant` holds: the grant as of its last transition.
    pub grant: Grant,
    /// Its events, in the table's order.
    pub events: Vec<Event>,
}

impl Record {
    /// Reads the items of one grant's partition; none, if it is empty.
    ///
    /// # Panics
    /// They are not what the ledger writes.
    #[must_use]
    pub fn of(items: &[Value]) -> Option<Self> {
        let item = items.iter().find(|item| item["sk"] == "STATE")?.clone();
        let grant = serde_json::from_value(whole(&item)).expect("a grant");
        let events =
            items.iter().filter(|item| item["sk"].as_str().is_some_and(|sk| sk.starts_with("EVENT#")));
        let events = events.map(|item| {
            let body = item["body"].as_str().expect("an event's body");
            let event: Event = serde_json::from_str(body).expect("an event");
            assert_eq!(item["sk"], format!("EVENT#{:06}", event.seq));
            assert_eq!(item["type"], event.fact.name());
            event
        });
        Some(Self { grant, events: events.collect(), item })
    }

    /// The state's name.
    #[must_use]
    pub fn state(&self) -> &str {
        self.item["state"].as_str().unwrap_or_default()
    }

    /// The names of its events.
    #[must_use]
    pub fn story(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.fact.name()).collect()
    }

    /// The names of its events, those that repeat the one before them told once: how often the sweep tried what
    /// it could not do is up to the minute in which a test began.
    #[must_use]
    pub fn chapters(&self) -> Vec<&'static str> {
        let mut story = self.story();
        story.dedup();
        story
    }

    /// Who caused its events.
    #[must_use]
    pub fn actors(&self) -> Vec<&Actor> {
        self.events.iter().map(|event| &event.actor).collect()
    }

    /// Checks the chain of its events up to the end that the grant names, and that no time runs backwards.
    ///
    /// # Panics
    /// The chain is broken.
    pub fn verify(&self) {
        verify_chain(&self.events, self.grant.chain()).expect("an unbroken chain of events");
        assert!(self.events.is_sorted_by_key(|event| event.at), "{:?}", self.events);
    }
}

/// The map `grant`, with what stands beside it or follows from the id put back.
fn whole(item: &Value) -> Value {
    let mut grant = item["grant"].clone();
    let id = item["pk"].as_str().and_then(|pk| pk.strip_prefix("GRANT#")).expect("a grant's key");
    let mut add = |map: &str, name: &str, value: &Value| {
        let map = if map.is_empty() { &mut grant } else { &mut grant[map] };
        let before = map.as_object_mut().expect("a map").insert(name.to_owned(), value.clone());
        assert_eq!(before, None, "`{name}` stands there twice");
    };
    add("", "id", &Value::from(id));
    add("timer", "name", &Value::from(format!("curfew-{id}")));
    add("access", "principal", &item["principal"]);
    for name in ["source", "ticket", "tenant", "role"] {
        add("request", name, &item[name]);
    }
    add("request", "requester", &item["person"]);
    if grant["access"]["kind"] == "inline" {
        grant["access"]["policy_name"] = Value::from(format!("curfew-{id}"));
        let document = grant["access"]["document"].as_str().expect("a document");
        // JSON as it is, or base64 of it compressed.
        if !document.starts_with('{') {
            let packed = BASE64.decode(document.as_bytes()).expect("base64");
            let plain = decompress_to_vec(&packed).expect("DEFLATE");
            grant["access"]["document"] = Value::from(String::from_utf8(plain).expect("a text"));
        }
    }
    grant
}

/// An item without DynamoDB's types.
#[must_use]
pub fn plain_item(item: &Value) -> Value {
    let attributes = item.as_object().into_iter().flatten();
    Value::Object(attributes.map(|(name, attribute)| (name.clone(), plain(attribute))).collect::<Map<_, _>>())
}

fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|typed| typed.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("M", inner) => plain_item(inner),
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("N", Value::String(digits)) => serde_json::from_str(digits).unwrap_or_default(),
        ("NULL", _) => Value::Null,
        (_, value) => value.clone(),
    }
}
