//! Reading a permission's statements: IAM's own words, in TOML.

use super::finding::Report;
use super::lasting;
use super::table::{Located, Table};
use crate::document::{Action, Conditions, PolicyEffect, Resource, Statement, Template};
use crate::ids::{PermissionName, shown};

/// Keys that IAM has and a permission has not, with the reason.
const REFUSED: [(&str, &str); 6] = [
    ("NotAction", "it would grant every action that AWS adds later; list what is needed under `Action`"),
    (
        "NotResource",
        "it would grant everything outside, other tenants included; list what is needed under `Resource`",
    ),
    ("Principal", "the grant's own principal receives the policy; remove it"),
    ("NotPrincipal", "the grant's own principal receives the policy; remove it"),
    ("Sid", "statements are merged, so they keep no id; use the permission's `description`"),
    ("Id", "documents are made for each grant; remove it"),
];

/// Reads every `[[permission.<name>.statement]]`. `None` if any is broken.
pub(super) fn read(
    name: &PermissionName,
    permission: &Table<'_>,
    report: &mut Report,
) -> Option<Vec<Statement>> {
    if !permission.has("statement") {
        let example = format!("… in a table `[[permission.{name}.statement]]`");
        permission.missing("statement", &example, report);
        return None;
    }
    let subject = |number| format!("statement {number} of permission `{name}`");
    let tables = permission.tables("statement", subject, report);
    let statements: Vec<Option<Statement>> = tables.iter().map(|table| statement(table, report)).collect();
    let all: Option<Vec<Statement>> = statements.into_iter().collect();
    all.filter(|all| !all.is_empty())
}

fn statement(table: &Table<'_>, report: &mut Report) -> Option<Statement> {
    table.only(&["Effect", "Action", "Resource", "Condition"], &REFUSED, report);
    let effect =
        table.required_text("Effect", "\"Allow\"", report).and_then(|text| match text.value.as_str() {
            "Allow" => Some(PolicyEffect::Allow),
            "Deny" => Some(PolicyEffect::Deny),
            other => {
                let message = format!("`Effect` of {} is {}", table.subject(), shown(other));
                report.error(&text.place, message, "use \"Allow\" or \"Deny\"");
                None
            }
        });
    let actions = values(table, "Action", "[\"s3:GetObject\"]", Action::parse, report);
    let resources = values(table, "Resource", "[\"arn:aws:s3:::data-${tenant}/*\"]", Resource::parse, report);
    let conditions = conditions(table, report);
    let (effect, actions) = (effect?, actions?);
    if effect == PolicyEffect::Allow {
        lasting::warn(table.subject(), &actions, report);
    }
    let (actions, resources) = (bare(actions), bare(resources?));
    Statement::new(effect, actions, resources, conditions?).ok()
}

/// A list that must be there. `None` if it is not, or any of it is broken.
fn values<T, E: Into<super::table::Problem>>(
    table: &Table<'_>,
    key: &str,
    example: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    report: &mut Report,
) -> Option<Vec<Located<T>>> {
    if !table.has(key) {
        table.missing(key, example, report);
        return None;
    }
    let texts = table.one_or_many(key, report)?;
    let located = |text: Located<String>| {
        text.read(report, &parse).map(|value| Located { value, place: text.place.clone() })
    };
    let read: Vec<Option<Located<T>>> = texts.into_iter().map(located).collect();
    read.into_iter().collect()
}

/// The values without their places.
fn bare<T>(located: Vec<Located<T>>) -> impl Iterator<Item = T> {
    located.into_iter().map(|located| located.value)
}

/// The conditions; none at all if there are none. `None` if any is broken.
fn conditions(table: &Table<'_>, report: &mut Report) -> Option<Conditions> {
    let mut conditions = Conditions::default();
    if !table.has("Condition") {
        return Some(conditions);
    }
    let operators = table.table("Condition", format!("`Condition` of {}", table.subject()), report)?;
    let mut whole = true;
    if operators.entries().next().is_none() {
        table.empty("Condition", report);
        whole = false;
    }
    for (operator, _) in operators.entries() {
        if let Err(error) = Conditions::check_operator(&operator.value) {
            operator.refuse(report, error);
            whole = false;
            continue;
        }
        let subject = format!("`{}` of {}", operator.value, table.subject());
        let Some(keys) = operators.table(&operator.value, subject, report) else {
            whole = false;
            continue;
        };
        if keys.entries().next().is_none() {
            operators.empty(&operator.value, report);
            whole = false;
        }
        for (key, _) in keys.entries() {
            whole &= condition(&operator, &key, &keys, &mut conditions, report).is_some();
        }
    }
    whole.then_some(conditions)
}

fn condition(
    operator: &Located<String>,
    key: &Located<String>,
    keys: &Table<'_>,
    conditions: &mut Conditions,
    report: &mut Report,
) -> Option<()> {
    let texts = keys.one_or_many(&key.value, report)?;
    let read: Vec<Option<Template>> = texts.iter().map(|text| text.read(report, Template::parse)).collect();
    let empty = read.is_empty();
    let values: Vec<Template> = read.into_iter().collect::<Option<_>>()?;
    if empty {
        return None;
    }
    key.read(report, |key| conditions.insert(&operator.value, key, values))
}
