//! The schema and the domain's types judge alike.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::senders::standard;
use crate::{json as strict_json, schema};

/// What the schema lets through and the types refuse, with a reason that no pattern could give.
const REFUSED_BY_TYPES_ALONE: [&str; 3] = [
    "curfew-approved-service-linked-principal",
    "curfew-approved-unmodifiable-principal",
    "curfew-approved-unrepresentable-time",
];

/// What only the schema refuses: a bound on work, not a rule of the domain.
const REFUSED_BY_SCHEMA_ALONE: [&str; 1] = ["curfew-approved-many-approvals"];

fn judge(body: &Value) -> (Result<(), Malformed>, Result<Notice, Malformed>) {
    (schema::check(body).into_result(), standard::convert(body, &delivery("{}")))
}

#[test]
fn every_payload_is_judged_the_same_by_both() {
    let mut judged = 0;
    for (name, text) in payloads() {
        let Ok(body) = strict_json::parse(&text) else { continue };
        let (by_schema, by_types) = judge(&body);
        let name = name.as_str();
        let expect = (!REFUSED_BY_SCHEMA_ALONE.contains(&name) && by_types.is_ok())
            || REFUSED_BY_TYPES_ALONE.contains(&name);
        assert_eq!(by_schema.is_ok(), expect, "{name}: schema {by_schema:?}, types {by_types:?}");
        assert_eq!(
            by_types.is_err(),
            REFUSED_BY_TYPES_ALONE.contains(&name)
                || (by_schema.is_err() && !REFUSED_BY_SCHEMA_ALONE.contains(&name)),
            "{name}"
        );
        judged += 1;
    }
    assert!(judged > 40, "{judged}");
}

/// A value for each field, most of them plausible.
fn field(name: &'static str) -> BoxedStrategy<Value> {
    let id = prop_oneof![
        8 => "[A-Za-z0-9._:/=+@-]{0,105}".boxed(),
        4 => "[a-z0-9][a-z0-9_-]{0,66}".boxed(),
        1 => "\\PC{0,12}".boxed(),
        1 => "[a-c\\x00-\\x20\u{7f}]{0,4}".boxed(),
    ];
    let person = prop_oneof![
        6 => "[a-zA-Z0-9._+-]{0,5}@[a-zA-Z0-9.-]{0,12}".boxed(),
        6 => "[a-z]{1,5}@[a-z]{1,5}\\.[a-z]{2,3}".boxed(),
        1 => "\\PC{0,9}@x\\.y".boxed(),
    ];
    let time = prop_oneof![
        6 => "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{0,10})?(Z|z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])".boxed(),
        2 => "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:(60|[0-5][0-9])(Z|[+-][0-9]{2}:[0-9]{2}|)".boxed(),
        1 => "[0-9TZ:.+-]{0,25}".boxed(),
    ];
    let span = prop_oneof![
        5 => "([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?".boxed(),
        5 => "PT([0-9]{1,7}H)?([0-9]{1,7}M)?([0-9]{1,7}S)?".boxed(),
        1 => "[-+PT0-9hmsd. ]{0,10}".boxed(),
    ];
    let words = prop_oneof![5 => "\\PC{0,40}".boxed(), 2 => "(\r\n|[\\x00-\\x20\u{80}-\u{a0}\u{61b}-\u{61d}\u{200d}-\u{2010}\u{2027}-\u{202f}\u{2060}-\u{206f}\u{feff}ab]){0,5}".boxed()];
    let arn = prop_oneof![
        "arn:(aws|aws-cn|gcp):iam::[0-9]{11,12}:(user|role|group)/([a-z+=,.@_-]{0,3}/)?[A-Za-z0-9_+=,.@-]{0,66}".boxed(),
        "arn:aws:iam::111122223333:role/(AWSReservedSSO_|AWSServiceRoleFor|aws-reserved/)[a-z]{1,3}".boxed(),
    ];
    let text = |s: BoxedStrategy<String>| s.prop_map(Value::from).boxed();
    let object = |fields: Vec<(&'static str, BoxedStrategy<Value>)>| {
        let parts: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| {
                proptest::option::weighted(0.7, value).prop_map(move |value| value.map(|value| (name, value)))
            })
            .collect();
        parts
            .prop_map(|parts| {
                Value::Object(
                    parts.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect(),
                )
            })
            .boxed()
    };
    let likely = match name {
        "ticket" | "tenant" | "role" | "ticket_kind" | "ticket_state" => text(id.boxed()),
        "requester" | "approver" | "closed_by" => text(person.boxed()),
        "at" | "start" | "end" => text(time.boxed()),
        "duration" => text(span.boxed()),
        "since" => text(time.boxed()),
        "basis" => {
            prop_oneof![Just("approvals"), Just("on-call"), Just("break-glass"), Just("on_call"), Just("")]
                .prop_map(Value::from)
                .boxed()
        }
        "principal" => text(arn.boxed()),
        "window" => {
            object(vec![("start", field("start")), ("end", field("end")), ("duration", field("duration"))])
        }
        "approvals" => proptest::collection::vec(
            object(vec![("approver", field("approver")), ("at", field("at"))]),
            0..3,
        )
        .prop_map(Value::from)
        .boxed(),
        _ => text(words.boxed()),
    };
    let unlikely = prop_oneof![
        Just(Value::Null),
        Just(json!(7)),
        Just(json!([])),
        Just(json!({})),
        Just(json!(1e300)),
        Just(json!(""))
    ];
    prop_oneof![60 => likely, 1 => unlikely].boxed()
}

/// A body of a known type: an accepted payload with some of its fields replaced, removed or added.
fn body() -> BoxedStrategy<Value> {
    const FIELDS: [&str; 15] = [
        "ticket",
        "requester",
        "tenant",
        "role",
        "principal",
        "basis",
        "since",
        "ticket_kind",
        "ticket_state",
        "approvals",
        "window",
        "justification",
        "closed_by",
        "reason",
        "type",
    ];
    let change = (0..FIELDS.len())
        .prop_flat_map(|n| (Just(FIELDS[n]), proptest::option::weighted(0.95, field(FIELDS[n]))));
    let base = prop_oneof![
        2 => Just("curfew-approved"),
        1 => Just("curfew-on-call"),
        1 => Just("curfew-break-glass"),
        1 => Just("curfew-ticket-closed"),
    ];
    (base, proptest::collection::vec(change, 0..4))
        .prop_map(|(base, changes)| {
            let mut body: Value = serde_json::from_str(&payload(base)).unwrap();
            let fields = body.as_object_mut().unwrap();
            for (name, value) in changes {
                match value {
                    Some(value) => fields.insert(name.to_owned(), value),
                    None => fields.remove(name),
                };
            }
            body
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_schema_accepts_converts_or_is_clearly_malformed(body in body()) {
        let (by_schema, by_types) = judge(&body);
        if let (Ok(()), Err(malformed)) = (&by_schema, &by_types) {
            // Only these two reasons are the types' own.
            for problem in &malformed.problems {
                let own = problem.message.contains("which only AWS can modify") || problem.message.contains("not a time with an offset");
                prop_assert!(own, "{body}: {malformed}");
            }
        }
        if let (Err(malformed), Ok(_)) = (&by_schema, &by_types) {
            // What depends on another field is a rule of the types too.
            let told = malformed.to_string();
            let both = ["`approvals` is missing", "`since` is missing", "belongs to the bases"];
            prop_assert!(!both.iter().any(|rule| told.contains(rule)), "{body}: {malformed}");
        }
        if let (Err(malformed), _) = (&by_schema, &by_types) {
            for problem in &malformed.problems {
                prop_assert!(!problem.message.is_empty() && problem.message.len() < 2000, "{problem}");
                prop_assert!(problem.pointer.is_empty() || body.pointer(&problem.pointer).is_some(), "{problem}");
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        prop_assert!(super::read(&text).is_err());
    }

    #[test]
    fn no_truncation_is_read(cut in 0..500_usize) {
        let whole = payload("curfew-approved");
        let end = whole.trim_end().len();
        prop_assume!(cut < end && whole.is_char_boundary(cut));
        let malformed = super::read(&whole[..cut]).unwrap_err();
        prop_assert!(malformed.to_string().contains("EOF"), "{malformed}");
    }
}
