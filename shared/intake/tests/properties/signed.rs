//! Whatever is signed can't be changed: not a byte of the body, not a header, not the signature, not the path.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use crate::fixtures::fixtures;
use crate::kinds::{Bench, KINDS, headers, signed};

/// A change of a text.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, char),
    Insert(Index, char),
    Remove(Index),
    /// Swaps two neighbours.
    Swap(Index),
    /// Something behind everything.
    Append(&'static str),
    /// Something in front of everything.
    Prepend(&'static str),
}

impl Change {
    /// The changed text, if that is another one.
    fn of(&self, text: &str) -> Option<String> {
        let mut chars: Vec<char> = text.chars().collect();
        match self {
            Self::Append(more) => return Some(format!("{text}{more}")),
            Self::Prepend(more) => return Some(format!("{more}{text}")),
            Self::Insert(at, c) => chars.insert(at.index(chars.len() + 1), *c),
            _ if chars.is_empty() => return None,
            Self::Replace(at, c) => {
                let at = at.index(chars.len());
                chars[at] = *c;
            }
            Self::Remove(at) => {
                chars.remove(at.index(chars.len()));
            }
            Self::Swap(at) => {
                let at = at.index(chars.len());
                let next = (at + 1) % chars.len();
                chars.swap(at, next);
            }
        }
        let changed: String = chars.into_iter().collect();
        (changed != text).then_some(changed)
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let c = || prop_oneof![prop::char::range(' ', '~'), any::<char>()];
    prop_oneof![
        4 => (any::<Index>(), c()).prop_map(|(at, c)| Change::Replace(at, c)),
        2 => (any::<Index>(), c()).prop_map(|(at, c)| Change::Insert(at, c)),
        2 => any::<Index>().prop_map(Change::Remove),
        1 => any::<Index>().prop_map(Change::Swap),
        1 => select(vec![" ", "\n", "\0", "&payload={}", "{}"]).prop_map(Change::Append),
        1 => select(vec![" ", "\u{feff}", "payload=%7B%7D&"]).prop_map(Change::Prepend),
    ]
}

#[test]
fn a_body_that_was_changed_is_not_believed() {
    let bench = Bench::new();
    for kind in KINDS {
        for fixture in fixtures(kind) {
            let body = kind.body(&fixture.text);
            let headers = signed(kind, &body);
            assert!(bench.verify(kind, &headers, &body).is_ok(), "{}", fixture.name);
            let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
            let held = runner.run(&changes(), |change| {
                if let Some(changed) = change.of(&body) {
                    prop_assert!(bench.verify(kind, &headers, &changed).is_err());
                }
                Ok(())
            });
            held.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        }
    }
}

/// The signature and what is signed beside the body; one missing, changed, or there twice.
#[test]
fn a_signed_header_that_was_changed_is_not_believed() {
    let bench = Bench::new();
    for kind in KINDS {
        let fixture = fixtures(kind).swap_remove(0);
        let body = kind.body(&fixture.text);
        let pairs = kind.sign(&body);
        let with = |pairs: &[(&str, String)]| {
            let headers = headers(pairs.iter().map(|(name, value)| (*name, value.as_str())));
            bench.verify(kind, &headers, &body)
        };
        assert!(with(&pairs).is_ok());
        for number in 0..pairs.len() {
            let (name, value) = pairs[number].clone();
            let mut missing = pairs.clone();
            missing.remove(number);
            assert!(with(&missing).is_err(), "{}: without {name}", kind.name);
            let mut twice = pairs.clone();
            twice.push((name, value.clone()));
            assert!(with(&twice).is_err(), "{}: {name} twice", kind.name);
            for (at, c) in value.char_indices() {
                // Hexadecimal digits may be of any case.
                for other in
                    ['0', '1', 'b', 'Z', '-'].into_iter().filter(|other| !other.eq_ignore_ascii_case(&c))
                {
                    let mut changed = pairs.clone();
                    changed[number].1 = format!("{}{other}{}", &value[..at], &value[at + 1..]);
                    assert!(with(&changed).is_err(), "{}: {name}: {}", kind.name, changed[number].1);
                }
                let mut shorter = pairs.clone();
                shorter[number].1 = value[..at].to_owned();
                assert!(with(&shorter).is_err(), "{}: {name}: {}", kind.name, shorter[number].1);
            }
        }
    }
}

/// A source's secret speaks for that source alone.
#[test]
fn a_delivery_to_another_source_is_not_believed() {
    let bench = Bench::new();
    for kind in KINDS {
        let fixture = fixtures(kind).swap_remove(0);
        let body = kind.body(&fixture.text);
        let headers = signed(kind, &body);
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            assert!(bench.verify(other, &headers, &body).is_err(), "{} as {}", kind.name, other.name);
        }
    }
}
