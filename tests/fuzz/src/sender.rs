//! Deliveries of any kind of sender: verified, read, and asked about, whatever they say.
//!
//! An input is a payload, and what the source's API answers to the questions that it raises, in turn, each behind a zero
//! byte (which no payload can hold). That is what [`kinds`](crate::kinds) makes a delivery of.

use std::sync::LazyLock;

use curfew_intake::MAX_BODY_BYTES;

use crate::kinds::{Bench, KINDS, Kind, headers, signed};

pub(crate) static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

/// Some headers that name events, deliveries and people. Each by itself, and others: `shared/intake/tests/properties`.
const UNSIGNED: [(&str, &str); 6] = [
    ("x-forwarded-user", "mallory@example.com"),
    ("x-github-delivery", "7f4b2c6e-0000-4000-8000-000000000001"),
    ("x-github-event", "issues"),
    ("x-gitlab-event", "Merge Request Hook"),
    ("x-slack-retry-num", "1"),
    ("x-webhook-id", "7f4b2c6e-0000-4000-8000-000000000003"),
];

/// Delivers an input to the source of a kind of sender.
///
/// # Panics
/// Something that must hold of every delivery does not hold of this one.
pub fn deliver(kind: &str, input: &str) {
    let kind = named(kind);
    let mut parts = input.split('\0');
    let payload = parts.next().unwrap_or_default();
    let answers: Vec<&str> = parts.collect();
    // What a source wraps is mostly taken to be its content, so that more inputs get further.
    let body = if payload.starts_with('{') { kind.body(payload) } else { payload.to_owned() };
    if body.len() > MAX_BODY_BYTES {
        return;
    }
    let signed_headers = signed(kind, &body);
    let outcome = BENCH.deliver(kind, &signed_headers, &body, &answers);
    let Ok(outcome) = outcome else { panic!("what was signed is not believed: {outcome:?}") };

    // With headers that say something else, and that nobody signed.
    let pairs = kind.sign(&body);
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let noisy = BENCH.deliver(kind, &headers(UNSIGNED.into_iter().chain(pairs)), &body, &answers);
    assert_eq!(noisy.map(|outcome| outcome.told()), Ok(outcome.told()), "what is not signed decides");

    let changed = changed(&body);
    assert!(
        BENCH.verify(kind, &signed_headers, &changed).is_err(),
        "not what was signed, and believed: {changed:?}"
    );
}

pub(crate) fn named(name: &str) -> Kind {
    let Some(kind) = KINDS.into_iter().find(|kind| kind.name == name) else {
        panic!("no kind of sender: {name}")
    };
    kind
}

/// The body with one character changed; which, and how, depends on all of them.
fn changed(body: &str) -> String {
    let sum = body.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let at = sum.checked_rem(body.chars().count()).unwrap_or_default();
    let mut chars: Vec<char> = body.chars().collect();
    match chars.get_mut(at) {
        Some(c) if sum % 3 == 0 => *c = if *c == '0' { '1' } else { '0' },
        Some(_) if sum % 3 == 1 => drop(chars.remove(at)),
        _ => chars.insert(at, ' '),
    }
    chars.into_iter().collect()
}
