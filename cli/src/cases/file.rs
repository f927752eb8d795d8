//! The files of cases: one case each, or several that share what the file says in front of them.

use std::collections::BTreeSet;
use std::path::Path;

use curfew_domain::ids::Source;
use curfew_domain::window::Window;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Case, Expected};
use crate::rulebook::{Rulebook, Unusable, read_folder};
use crate::simulate::{Circumstances, Question, account, held, offered, sender_kind};

/// Reads the cases of a folder (`*.toml`, `*.json`), by the files' names.
///
/// # Errors
/// [`Unusable`] for the first file that can't be read or is no case of these rules.
pub fn read(rulebook: &Rulebook, folder: &Path) -> Result<Vec<Case>, Unusable> {
    let mut cases = Vec::new();
    for (name, text) in read_folder(folder, "toml")? {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| Unusable::input(&folder.join(&name), error.to_string()))?;
        add(rulebook, folder, &name, from_toml(toml::Value::Table(table)), &mut cases)?;
    }
    for (name, text) in read_folder(folder, "json")? {
        let value = serde_json::from_str(&text)
            .map_err(|error| Unusable::input(&folder.join(&name), format!("not valid JSON: {error}")))?;
        add(rulebook, folder, &name, value, &mut cases)?;
    }
    Ok(cases)
}

/// Times are texts here, however TOML writes them.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, from_toml(value))).collect())
        }
    }
}

fn add(
    rulebook: &Rulebook,
    folder: &Path,
    file: &str,
    value: Value,
    cases: &mut Vec<Case>,
) -> Result<(), Unusable> {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let wrong = |name: &str, message: String| {
        let within = if name == stem { String::new() } else { format!("case `{name}`: ") };
        Unusable::input(&folder.join(file), format!("{within}{message}"))
    };
    let Value::Object(mut shared) = value else {
        return Err(wrong(stem, "a file of cases is a table or an object".to_owned()));
    };
    match shared.remove("case") {
        None => cases.push(case(rulebook, stem.to_owned(), shared).map_err(|message| wrong(stem, message))?),
        Some(Value::Array(several)) => {
            for (index, one) in several.into_iter().enumerate() {
                let number = format!("{stem}: case {}", index.saturating_add(1));
                let Value::Object(mut one) = one else {
                    return Err(wrong(&number, "is not a table".to_owned()));
                };
                let name = match one.remove("name") {
                    Some(Value::String(name)) => format!("{stem}: {name}"),
                    _ => return Err(wrong(&number, "it has no `name`".to_owned())),
                };
                let whole = over(shared.clone(), one);
                cases.push(case(rulebook, name.clone(), whole).map_err(|message| wrong(&name, message))?);
            }
        }
        Some(_) => return Err(wrong(stem, "`case` is not a list; write `[[case]]`".to_owned())),
    }
    Ok(())
}

/// What a case says over what its file says; of the request, and of its window, field by field.
fn over(mut shared: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in own {
        let merged = match (name.as_str(), shared.remove(&name), value) {
            ("request", Some(Value::Object(old)), Value::Object(new)) => Value::Object(over(old, new)),
            (_, _, value) => value,
        };
        shared.insert(name, merged);
    }
    shared
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    request: Map<String, Value>,
    now: Timestamp,
    expect: Expectation,
    #[serde(default)]
    by: Option<BTreeSet<String>>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    review: Option<bool>,
    #[serde(default, rename = "for")]
    length: Option<SignedDuration>,
    #[serde(default)]
    holds: Vec<String>,
    #[serde(default)]
    current: Option<Current>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    account: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Allowed,
    Denied,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    start: Timestamp,
    end: Timestamp,
}

fn case(rulebook: &Rulebook, name: String, written: Map<String, Value>) -> Result<Case, String> {
    let written: Written = serde_json::from_value(Value::Object(written))
        .map_err(|error| format!("{error}; see docs/check.md"))?;
    let Written { expect, by, code, review, length, .. } = &written;
    if *expect == Expectation::Allowed && code.is_some() {
        return Err("`code` is of denials, and it expects `allowed`".to_owned());
    }
    let is_guardrail = |id: &&String| rulebook.guardrails.guardrails().any(|one| one.id().as_str() == *id);
    if let Some(id) = by.iter().flatten().find(|id| !is_guardrail(id)) {
        return Err(format!("`by`: there is no guardrail `{id}`; correct its id"));
    }
    let expected = Expected {
        allowed: *expect == Expectation::Allowed,
        by: by.clone(),
        code: code.clone(),
        review: *review,
        length: *length,
    };
    Ok(Case { name, question: question(rulebook, written)?, expected })
}

fn question(rulebook: &Rulebook, written: Written) -> Result<Question, String> {
    let mut request = written.request;
    // Cases are about requests, so it need not be said.
    request.entry("type").or_insert_with(|| "access.approved".into());
    let current = written.current.map(|current| {
        Window::new(current.start, current.end).map_err(|error| format!("`current`: {error}"))
    });
    let held: Vec<_> = written.holds.iter().map(|text| held(text)).collect::<Result<_, _>>()?;
    for one in &held {
        offered(&rulebook.catalog, one).map_err(|error| format!("`holds`: {error}"))?;
    }
    let sender = written.sender.as_deref().unwrap_or("standard");
    let own_account = written.account.as_deref().map(account).transpose();
    let around = Circumstances {
        now: written.now,
        source: Source::new(written.source.as_deref().unwrap_or("simulation"))
            .map_err(|error| error.to_string())?,
        sender: sender_kind(sender).map_err(|error| format!("`sender`: {error}"))?,
        held,
        current: current.transpose()?,
        own_account: own_account.map_err(|error| format!("`account`: {error}"))?,
    };
    Question::read(&Value::Object(request).to_string(), around)
}
