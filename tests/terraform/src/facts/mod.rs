//! The committed modules against the templates, without the translator: what each would deploy, under several
//! settings, is worked out from either side and compared to the last argument.
//!
//! That the comparison sees everything is a test of its own (`sight`): whatever is altered in a module or in a template
//! must show.

mod deployed;
mod equal;
mod expected;
mod settings;
mod sight;
mod variables;
mod wanted;

use serde_json::Value;

const STACK: &str = "curfew-a";
const ACCOUNT: &str = "111122223333";
const PARTITION: &str = "aws";
const REGION: &str = "eu-central-1";
const PACKAGES: &str = "packages";

/// Where two values differ, each place with both.
fn differences(place: &str, there: &Value, wanted: &Value) -> Vec<String> {
    match (there, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of = |fields: &serde_json::Map<String, Value>, name: &String| {
                fields.get(name).cloned().unwrap_or_default()
            };
            names
                .into_iter()
                .flat_map(|name| differences(&format!("{place}.{name}"), &of(a, name), &of(b, name)))
                .collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(n, (a, b))| differences(&format!("{place}[{n}]"), a, b)).collect()
        }
        (a, b) if a == b => Vec::new(),
        (a, b) => vec![format!("{place}: the module has {a}, the template wants {b}")],
    }
}

/// Where two sets of resources or outputs differ.
fn differing<'a>(
    there: &'a std::collections::BTreeMap<String, Value>,
    wanted: &'a std::collections::BTreeMap<String, Value>,
) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = there.keys().chain(wanted.keys()).collect();
    names
        .into_iter()
        .flat_map(|name| match (there.get(name), wanted.get(name)) {
            (Some(there), Some(wanted)) => differences(name, there, wanted),
            (there, _) => {
                let which =
                    if there.is_some() { "only the module has it" } else { "only the template has it" };
                vec![format!("{name}: {which}")]
            }
        })
        .collect()
}
