//! Policy documents: what an inline grant puts on its principal.
//!
//! A document is a role's statements, filled in for one tenant, each carrying the grant's window. The window
//! is a condition on `aws:CurrentTime` with literal times, because IAM takes no variables in date conditions
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_aws-dates.html>): AWS refuses
//! after the end even if nothing removes the policy. `Deny` statements carry the window too: they narrow the
//! grant and end with it.
//! Knows neither the catalog's files nor the request.

mod statement;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::Serializer;

use crate::principal::PrincipalKind;
use crate::window::Window;

pub use statement::{Action, Conditions, PolicyEffect, PolicyError, Resource, Statement};
pub use template::{Scope, ScopeError, Template};

/// A document is larger than AWS lets all inline policies of a principal be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy has {size} characters, and all inline policies of an IAM {kind} may have {quota} together"
)]
pub struct TooLarge {
    /// User or role.
    pub kind: PrincipalKind,
    /// The document's size in characters.
    pub size: usize,
    /// The quota in characters.
    pub quota: usize,
}

/// How many characters all inline policies of a principal may have together.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
#[must_use]
pub fn quota(kind: PrincipalKind) -> usize {
    match kind {
        PrincipalKind::User => 2_048,
        PrincipalKind::Role => 10_240,
    }
}

/// Whether two texts are the same policy document, however they are spaced and ordered. What is no JSON is the
/// same as nothing.
#[must_use]
pub fn same_document(one: &str, other: &str) -> bool {
    match (serde_json::from_str::<serde_json::Value>(one), serde_json::from_str::<serde_json::Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether a document can fit the quota of its principal's kind.
///
/// AWS counts characters without JSON white space, of which a rendered document has none. Only AWS knows
/// what other inline policies the principal has already: a document that fits here can still be refused
/// with `LimitExceeded`.
///
/// # Errors
/// [`TooLarge`] if it can't fit even alone.
pub fn fits(kind: PrincipalKind, document: &str) -> Result<(), TooLarge> {
    let (size, quota) = (document.chars().count(), quota(kind));
    if size <= quota { Ok(()) } else { Err(TooLarge { kind, size, quota }) }
}

/// Renders statements for one tenant and one window as minimal JSON.
///
/// Equal for equal input, whatever the order: statements that differ in their actions alone become one,
/// values are sorted, and a list of one is written without brackets.
#[must_use]
pub fn render<'a>(
    statements: impl IntoIterator<Item = &'a Statement>,
    scope: &Scope,
    window: Window,
) -> String {
    let mut merged: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for statement in statements {
        let resources: Values = statement.resources().map(|r| r.template().expand(scope)).collect();
        let shape = (statement.effect(), resources, conditions(statement, scope, window));
        merged.entry(shape).or_default().extend(statement.actions().map(Action::as_str));
    }
    let statements = merged
        .into_iter()
        .map(|((effect, resource, condition), actions)| Rendered {
            effect,
            action: actions.into_iter().map(str::to_owned).collect(),
            resource,
            condition,
        })
        .collect();
    // Can't fail: nothing but strings and maps keyed by strings. An empty text, were it ever written,
    // would be refused by IAM.
    serde_json::to_string(&Document { version: "2012-10-17", statements }).unwrap_or_default()
}

/// Operator → key → values, as IAM reads it.
type RenderedConditions = BTreeMap<String, BTreeMap<String, Values>>;

fn conditions(statement: &Statement, scope: &Scope, window: Window) -> RenderedConditions {
    let mut rendered = RenderedConditions::new();
    for (operator, key, values) in statement.conditions().iter() {
        let values = values.iter().map(|value| value.expand(scope)).collect();
        rendered.entry(operator.to_owned()).or_default().insert(key.to_owned(), values);
    }
    // Into the operator's map, not in its place: a permission may compare other times with it.
    for (operator, time) in
        [("DateGreaterThanEquals", window.starts_at()), ("DateLessThan", window.expires_at())]
    {
        let time = std::iter::once(time.to_string()).collect();
        rendered.entry(operator.to_owned()).or_default().insert(statement::CURRENT_TIME.to_owned(), time);
    }
    rendered
}

#[derive(Serialize)]
struct Document {
    #[serde(rename = "Version")]
    version: &'static str,
    #[serde(rename = "Statement")]
    statements: Vec<Rendered>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rendered {
    effect: PolicyEffect,
    action: Values,
    resource: Values,
    condition: RenderedConditions,
}

/// A sorted set of values; one alone is written as a plain string, which IAM reads alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Values(BTreeSet<String>);

impl FromIterator<String> for Values {
    fn from_iter<I: IntoIterator<Item = String>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0.first(), self.0.len()) {
            (Some(only), 1) => serializer.serialize_str(only),
            _ => self.0.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
