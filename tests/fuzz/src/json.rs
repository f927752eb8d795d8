//! How strict JSON is read, against `serde_json` and a count of the document's own signs.
//!
//! The reader is not public, so this looks at what is refused as "not valid JSON" of the bodies of two kinds of sender:
//! Curfew's own format, and one of the others'.

use curfew_intake::{MAX_BODY_BYTES, Malformed, Reading};
use serde_json::Value;

use crate::kinds::signed;
use crate::sender::{BENCH, named};

/// How deep objects and lists may be nested in Curfew's own format, and in that of others.
const DEPTHS: [(&str, usize); 2] = [("standard", 8), ("pagerduty", 64)];

/// Reads a document as the body of a delivery.
///
/// # Panics
/// It is taken though a name is there twice, it is nested too deeply, or it is no JSON; or refused though it is sound.
pub fn read(text: &str) {
    if text.len() > MAX_BODY_BYTES {
        return;
    }
    let plain: Option<Value> = serde_json::from_str(text).ok();
    let (members, deepest) = signs(text);
    for (kind, depth) in DEPTHS {
        let kind = named(kind);
        let outcome = BENCH.deliver(kind, &signed(kind, text), text, &[]);
        let Ok(outcome) = outcome else { panic!("what was signed is not believed: {outcome:?}") };
        let is_sound = plain.as_ref().is_some_and(|value| count(value) == members) && deepest <= depth;
        assert_eq!(is_json(&outcome.reading), is_sound, "{kind:?} {:?}", outcome.reading);
    }
}

fn is_json(reading: &Result<Reading, Malformed>) -> bool {
    match reading {
        Ok(_) => true,
        Err(error) => !error.problems.iter().any(|problem| problem.message.starts_with("not valid JSON: ")),
    }
}

/// How many members objects have: those that are left, if a name was there twice.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.len() + map.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// How many members are written, and how deep: by the colons and brackets outside of texts.
fn signs(text: &str) -> (usize, usize) {
    let (mut members, mut depth, mut deepest) = (0, 0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text.bytes() {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b':') => members += 1,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (members, deepest)
}
