//! What the tests of the senders with fixed payloads share, and tests of what those senders share.

use std::path::Path;

use curfew_domain::ids::SourceAccount;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

use super::*;
use crate::{Body, Secrets, Sender, SenderFile, Senders, Unverified, VerifiedDelivery};

pub(crate) const NOW: &str = "2026-11-21T09:00:00Z";
/// Random, made for these tests.
pub(crate) const CURRENT: &str = "Zk3vQ0pX9sT1uB7rLw5yN2aH8cE4gJ6m";
pub(crate) const PREVIOUS: &str = "qR8xV2nD5tK0zW7hS3bM9fY1jP6uG4eL";

/// Knows a few accounts.
pub(crate) struct Few(pub(crate) &'static [(&'static str, &'static str)]);

impl People for Few {
    fn address_of(&self, source: &Source, account: &str) -> Email {
        let known = self.0.iter().find(|(name, _)| *name == account);
        known.map_or_else(
            || Email::of_unknown_account(source, account),
            |(_, address)| {
                SourceAccount::of(source, account).unwrap();
                Email::new(address).unwrap()
            },
        )
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A recorded payload, by its name without `.json`.
pub(crate) fn payload(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads");
    std::fs::read_to_string(folder.join(format!("{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every recorded payload of a kind of sender.
pub(crate) fn payloads(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.starts_with(&format!("{kind}-")))
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), payload(&name))).collect()
}

pub(crate) fn senders(config: &str) -> Result<Senders, String> {
    let file = SenderFile { name: "senders.toml".to_owned(), text: config.to_owned() };
    Senders::parse(&[file])
        .map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The source `it` as `config` says.
pub(crate) fn sender(config: &str) -> Sender {
    senders(config).unwrap_or_else(|error| panic!("{error}")).of("it").clone()
}

pub(crate) fn hmac_hex(key: &str, signed: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What came of a delivery with one signature header.
pub(crate) fn verified(
    config: &str,
    header: &'static str,
    values: &[&str],
    body: &str,
) -> Result<VerifiedDelivery, Unverified> {
    let secrets = format!(r#"{{"it":{{"current":"{CURRENT}","previous":"{PREVIOUS}"}}}}"#);
    verified_with(&secrets, config, header, values, body)
}

pub(crate) fn verified_with(
    secrets: &str,
    config: &str,
    header: &'static str,
    values: &[&str],
    body: &str,
) -> Result<VerifiedDelivery, Unverified> {
    let senders = senders(config).unwrap();
    let secrets = Secrets::parse(secrets, &senders).unwrap();
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header, value.parse().unwrap());
    }
    let body = Body::decode(body, false).unwrap();
    senders.of("it").verify("it", &headers, body, &secrets, at(NOW))
}

/// The request that a reading holds.
pub(crate) fn request(reading: Result<Reading, Malformed>) -> AccessRequest {
    match reading {
        Ok(Reading::Notice(Notice::Approved(request))) => *request,
        other => panic!("no request: {other:?}"),
    }
}

/// The closed ticket that a reading holds.
pub(crate) fn closed(reading: Result<Reading, Malformed>) -> TicketClosed {
    match reading {
        Ok(Reading::Notice(Notice::TicketClosed(closed))) => closed,
        other => panic!("no closed ticket: {other:?}"),
    }
}

/// Why a reading says nothing.
pub(crate) fn why(reading: Result<Reading, Malformed>) -> String {
    match reading {
        Ok(Reading::Nothing { why }) => why,
        other => panic!("something: {other:?}"),
    }
}

/// What is wrong, one problem a line.
pub(crate) fn problems(reading: Result<Reading, Malformed>) -> String {
    match reading {
        Err(malformed) => {
            assert!(!malformed.problems.is_empty());
            malformed.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        other => panic!("no problem: {other:?}"),
    }
}

/// Every payload that differs from `text` in one place: each value gone, `null`, or of another type.
pub(crate) fn maimed(text: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(text).unwrap();
    let mut pointers = Vec::new();
    walk(&body, String::new(), &mut pointers);
    let mut all = Vec::new();
    for pointer in pointers {
        for other in [
            Value::Null,
            Value::from("\u{202e}x"),
            Value::from(-1),
            Value::Array(vec![]),
            Value::Object(Map::new()),
        ] {
            let mut copy = body.clone();
            *copy.pointer_mut(&pointer).unwrap() = other;
            all.push(copy.to_string());
        }
    }
    all
}

type Map = serde_json::Map<String, Value>;

/// The places worth touching: what other things and places are called is the bulk of a payload and is not read.
fn walk(value: &Value, at: String, pointers: &mut Vec<String>) {
    pointers.push(at.clone());
    match value {
        Value::Object(map) => {
            let bulk =
                |key: &str| key.ends_with("_url") || ["head_repository", "reviewers", "owner"].contains(&key);
            for (key, value) in map.iter().filter(|(key, _)| !bulk(key)) {
                walk(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                walk(value, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

#[test]
fn words_become_one_line_that_deceives_nobody() {
    assert_eq!(line("  a\r\n\tb \u{202e}c\u{0} \u{feff}"), "a b c");
    assert_eq!(line("\u{2066}\u{7}"), "");
    assert_eq!(line("注文 🔥 <b>"), "注文 🔥 <b>");
    let long = line(&"ü".repeat(JUSTIFICATION_LIMIT + 1));
    assert_eq!(long.chars().count(), JUSTIFICATION_LIMIT);
    assert!(long.ends_with('…'));
    assert_eq!(line(&"ü".repeat(JUSTIFICATION_LIMIT)).chars().last(), Some('ü'));
}

#[test]
fn a_justification_is_never_blank_nor_too_long_and_keeps_its_tail() {
    assert_eq!(justified("It burns", "(#1)"), "It burns (#1)");
    assert_eq!(justified(" \n", "(#1)"), "(no title) (#1)");
    for title in ["x".repeat(JUSTIFICATION_LIMIT - 5), "x".repeat(JUSTIFICATION_LIMIT - 4), "x".repeat(5000)]
    {
        let text = justified(&title, "(#1)");
        assert!(text.chars().count() <= JUSTIFICATION_LIMIT, "{}", title.len());
        assert!(text.ends_with(" (#1)"), "{text}");
        assert_eq!(text.contains('…'), title.len() > JUSTIFICATION_LIMIT - 5, "{}", title.len());
    }
    let tail = "y".repeat(5000);
    assert!(justified("x", &tail).chars().count() <= JUSTIFICATION_LIMIT);
}

#[test]
fn the_shipped_examples_are_accepted_once_they_are_uncommented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/senders/senders.toml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(senders(&text).unwrap().iter().next().is_none(), "as shipped, nothing is configured");
    let uncommented = |line: &str| {
        let inner = line.strip_prefix("# ").unwrap_or_default();
        let is_key = inner.split_once(" = ").is_some_and(|(key, _)| !key.trim().contains(' '));
        if inner.starts_with('[') || is_key { inner.to_owned() } else { String::new() }
    };
    let examples = text.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    let senders = senders(&examples).unwrap_or_else(|error| panic!("{error}\n{examples}"));
    let kinds: Vec<&str> = senders.iter().map(|(_, sender)| sender.kind()).collect();
    for kind in ["pagerduty", "github", "gitlab"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}
