//! No payload makes a panic, and [what holds](crate::holds) does so of all of them: of JSON of any form, of recorded
//! payloads with parts that somebody mistook, and of answers of a source's API like that.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::fixtures::{answers, fixtures};
use crate::kinds::{Bench, KINDS, Kind, signed};

/// What is found where something else should be.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(vec![
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!(""),
            json!(" "),
            json!("\u{202e}\u{0}\r"),
            json!("x".repeat(3_000)),
            json!("ü".repeat(1_200)),
            json!("0000-00-00T00:00:00Z"),
            json!("9999-12-31T23:59:59Z"),
            json!("-9999-01-01T00:00:00Z"),
            json!("9223372036854775807s"),
            json!("arn:aws:iam::111122223333:user/*"),
            json!("a@b"),
            json!("../../x?y#z"),
            json!("approved"),
            json!("closed"),
            json!([]),
            json!({}),
            json!([[null]]),
            json!({ "id": { "id": null } }),
        ]),
        1 => "\\PC{0,60}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ]
}

/// JSON of any form, with the names and values of a kind of sender in it.
fn json_of(words: &'static [String]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![odd(), select(words).prop_map(Value::from)];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let named = (prop_oneof![3 => select(words), 1 => "\\PC{0,12}"], inner.clone());
        prop_oneof![
            1 => prop::collection::vec(inner, 0..6).prop_map(Value::from),
            3 => prop::collection::vec(named, 0..8).prop_map(|named| Value::Object(named.into_iter().collect())),
        ]
    })
}

/// Everything that is a text in a payload.
fn words(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|item| words(item, found)),
        Value::Object(map) => {
            found.extend(map.keys().cloned());
            map.values().for_each(|item| words(item, found));
        }
        _ => {}
    }
}

/// A change of one part of a payload.
#[derive(Debug, Clone)]
enum Change {
    Put(Value),
    Remove,
    /// In a list.
    Wrap,
    /// In a list, with itself.
    Double,
    /// As the text that it is written as.
    Write,
}

fn changes() -> impl Strategy<Value = Vec<(Index, Change)>> {
    let change = prop_oneof![
        6 => odd().prop_map(Change::Put),
        2 => Just(Change::Remove),
        1 => Just(Change::Wrap),
        1 => Just(Change::Double),
        1 => Just(Change::Write),
    ];
    prop::collection::vec((any::<Index>(), change), 1..5)
}

fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, item)| places(item, &format!("{here}/{at}"), found));
        }
        Value::Object(map) => {
            map.iter().for_each(|(name, item)| places(item, &format!("{here}/{}", escaped(name)), found));
        }
        _ => {}
    }
}

fn changed(mut value: Value, changes: &[(Index, Change)]) -> Value {
    for (at, change) in changes {
        let mut all = Vec::new();
        places(&value, "", &mut all);
        let place = at.get(&all);
        if let (Change::Remove, Some((parent, name))) = (change, place.rsplit_once('/')) {
            let name = name.replace("~1", "/").replace("~0", "~");
            match value.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(&name)),
                Value::Array(list) => drop(list.remove(name.parse().unwrap())),
                _ => unreachable!("only lists and objects have parts"),
            }
            continue;
        }
        let part = value.pointer_mut(place).unwrap();
        *part = match (change, part.take()) {
            (Change::Put(odd), _) => odd.clone(),
            (Change::Remove, _) => Value::Object(Map::new()),
            (Change::Wrap, old) => json!([old]),
            (Change::Double, old) => json!([old, old]),
            (Change::Write, old) => Value::from(old.to_string()),
        };
    }
    value
}

/// The recorded payloads that are JSON.
fn recorded(kind: Kind) -> Vec<Value> {
    let values: Vec<Value> =
        fixtures(kind).iter().filter_map(|fixture| serde_json::from_str(&fixture.text).ok()).collect();
    assert!(values.len() > 10, "{}: {}", kind.name, values.len());
    values
}

fn deliver(bench: &Bench, kind: Kind, payload: &str, answers: &[&str]) {
    let body = kind.body(payload);
    // Larger bodies are refused before: that is the body's own test.
    if body.len() <= curfew_intake::MAX_BODY_BYTES {
        bench.deliver(kind, &signed(kind, &body), &body, answers).unwrap();
    }
}

fn run<S: Strategy>(kind: Kind, cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let held = runner.run(strategy, |case| {
        test(case);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
}

#[test]
fn json_of_any_form_is_read_or_refused() {
    let bench = Bench::new();
    for kind in KINDS {
        let mut vocabulary = Vec::new();
        recorded(kind).iter().for_each(|value| words(value, &mut vocabulary));
        vocabulary.sort();
        vocabulary.dedup();
        let vocabulary: &'static [String] = vocabulary.leak();
        run(kind, 256, &json_of(vocabulary), |value| deliver(&bench, kind, &value.to_string(), &[]));
    }
}

#[test]
fn recorded_payloads_with_parts_that_are_mistaken_are_read_or_refused() {
    let bench = Bench::new();
    for kind in KINDS {
        let answers = answers(kind);
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        run(kind, 1_024, &(select(recorded(kind)), changes()), |(value, changes)| {
            deliver(&bench, kind, &changed(value, &changes).to_string(), &answers);
        });
    }
}

/// Each of the answers in turn.
#[test]
fn answers_with_parts_that_are_mistaken_are_read_or_refused() {
    let bench = Bench::new();
    for kind in KINDS {
        let good = answers(kind);
        let numbers: Vec<usize> = (0..good.len()).collect();
        if numbers.is_empty() {
            continue;
        }
        run(
            kind,
            1_024,
            &(select(recorded(kind)), select(numbers), changes()),
            |(value, number, changes)| {
                let mut answers = good.clone();
                answers[number] = changed(serde_json::from_str(&good[number]).unwrap(), &changes).to_string();
                let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
                deliver(&bench, kind, &value.to_string(), &answers);
            },
        );
    }
}

/// Not even JSON: texts, and payloads that were cut.
#[test]
fn what_is_no_json_is_refused() {
    let bench = Bench::new();
    for kind in KINDS {
        let texts: Vec<String> = fixtures(kind).into_iter().map(|fixture| fixture.text).collect();
        let cut = (select(texts), any::<Index>()).prop_map(|(text, at)| {
            let chars: Vec<char> = text.chars().collect();
            chars.iter().take(at.index(chars.len() + 1)).collect::<String>()
        });
        run(kind, 128, &prop_oneof!["\\PC{0,200}", cut], |text| {
            deliver(&bench, kind, &text, &[]);
            // The raw text too, where a payload is wrapped.
            bench.deliver(kind, &signed(kind, &text), &text, &[]).unwrap();
        });
    }
}
