//! Signing secrets: taken, or refused with an error that tells none of them.
#![no_main]

use curfew_intake::{Secrets, SenderFile, Senders};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

/// So that both forms of secrets are read: `chat` has texts, every other source Standard Webhooks' form.
static SENDERS: LazyLock<Senders> = LazyLock::new(|| {
    let file =
        SenderFile { name: "senders.toml".to_owned(), text: "[source.chat]\nkind = \"slack\"\n".to_owned() };
    Senders::parse(&[file]).unwrap()
});

/// What might be a secret is as long as one, and as little a pattern.
fn may_be_secret(text: &str) -> bool {
    let mut bytes: Vec<u8> = text.bytes().collect();
    bytes.sort_unstable();
    bytes.dedup();
    text.len() >= 24 && bytes.len() >= 8
}

/// Every text in a document, in names too: a secret may be in the wrong place.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

fuzz_target!(|text: &str| {
    let told = match Secrets::parse(text, &SENDERS) {
        Ok(secrets) => {
            assert!(secrets.sources().next().is_some(), "taken without a source");
            format!("{secrets:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    };
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let mut found = Vec::new();
    texts(&document, &mut found);
    // The name of a source is told, and may be chosen to be anything.
    let names: Vec<&String> = document.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    for secret in found.iter().filter(|text| may_be_secret(text)) {
        let is_name = names.iter().any(|name| name.contains(secret.as_str()));
        assert!(is_name || !told.contains(secret.as_str()), "a secret is told: {told}");
    }
});
