//! The JSON Schema of webhook bodies, and its errors in words.
//!
//! `docs/webhook.schema.json` is the one source: documented, shipped, and compiled into the validator
//! below when Curfew is built (a schema that is broken does not build; patterns become regular
//! expressions on first use). Rules are told in the schema's own descriptions, so that a reply and the
//! documentation cannot differ.

use std::sync::LazyLock;

use curfew_domain::ids::shown;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::problems::Problems;

/// The JSON Schema (draft 2020-12) of webhook bodies.
pub const SCHEMA: &str = include_str!("../../../docs/webhook.schema.json");

/// For looking up descriptions: needed for refusals only.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or_default());

#[jsonschema::validator(
    path = "../../docs/webhook.schema.json",
    draft = Draft202012,
    validate_formats = true,
    ignore_unknown_formats = false,
    // Linear in the length of the text, whatever the text.
    pattern_options = { engine = regex },
    methods = { is_valid = false, validate = false, iter_errors = true },
)]
struct Validator;

/// Everything in `body` that is not as the schema says; nothing, if it is valid.
pub(crate) fn check(body: &Value) -> Problems {
    let mut problems = Problems::default();
    for error in Validator::iter_errors(body) {
        describe(&error, &mut problems);
    }
    problems
}

fn describe(error: &ValidationError<'_>, problems: &mut Problems) {
    let at = error.instance_path().as_str();
    let rule_at = error.schema_path().as_str();
    let value: &Value = error.instance();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_fields(rule_at);
            for name in unexpected {
                problems.add(
                    format!("{at}/{}", pointer_part(name)),
                    format!("is not a known field; known are {known}"),
                );
            }
        }
        ValidationErrorKind::Required { property } => {
            problems.add(at, format!("the field {} is missing", quoted(property)));
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => {
            problems.add(
                at,
                format!("is of type {}, and must be of type {wanted}{}", type_of(value), rule(rule_at)),
            );
        }
        _ if value.is_object() || value.is_array() => {
            problems.add(at, format!("is not valid{}", rule(rule_at)))
        }
        _ => problems.add(at, format!("{} is not valid{}", quoted(value), rule(rule_at))),
    }
}

/// The description nearest to the broken rule, to be put behind a message; empty if there is none.
fn rule(rule_at: &str) -> String {
    let mut at = rule_at;
    while let Some((parent, _)) = at.rsplit_once('/') {
        at = parent;
        let description =
            DOCUMENT.pointer(at).and_then(|schema| schema.get("description")).and_then(Value::as_str);
        // The outermost description is about the document, not about a rule.
        if let (Some(text), false) = (description, at.is_empty()) {
            return format!(": {text}");
        }
    }
    String::new()
}

/// The fields of the object whose `additionalProperties` stands at `rule_at`.
fn known_fields(rule_at: &str) -> String {
    let schema = rule_at.rsplit_once('/').and_then(|(schema, _)| DOCUMENT.pointer(schema));
    let names = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let mut names: Vec<String> =
        names.into_iter().flat_map(|map| map.keys()).map(|name| format!("`{name}`")).collect();
    // Whether a map is sorted depends on what else is built (serde_json's `preserve_order`).
    names.sort();
    names.join(", ")
}

/// A string without its JSON quotes, anything else as JSON; escaped and cut.
fn quoted(value: &Value) -> String {
    value.as_str().map_or_else(|| shown(&value.to_string()), shown)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A field's name as part of a JSON pointer (RFC 6901), made fit to be shown.
fn pointer_part(name: &str) -> String {
    shown(&name.replace('~', "~0").replace('/', "~1")).trim_matches('`').to_owned()
}
