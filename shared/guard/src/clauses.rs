//! A guardrail's conditions without a case: for checks of guardrails against each other, before they are live.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use crate::guardrail::Guardrail;
use crate::judge::CedarGuardrails;
use crate::prelude::{apart, operator};

/// The conditions of one guardrail, `when` and `unless` taken apart at their outermost `&&` and `||`: it applies where
/// all of them hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clauses {
    /// Each condition in a form that is the same for the same condition, however it is laid out. Not for people.
    pub all: BTreeSet<String>,
    /// Whether one of them is the same for every request: it looks at nothing.
    pub has_constant: bool,
}

impl CedarGuardrails {
    /// The conditions of every guardrail, in the order of [`CedarGuardrails::guardrails`]; of one whose syntax tree can't
    /// be had, none are told.
    pub fn clauses(&self) -> impl Iterator<Item = (&Guardrail, Option<Clauses>)> {
        let all = (0..).map_while(|number| self.numbered(number));
        all.map(|guardrail| (guardrail, clauses(&guardrail.policy)))
    }
}

fn clauses(policy: &Policy) -> Option<Clauses> {
    let tree = policy.to_json().ok()?;
    let mut clauses = Clauses::default();
    for clause in tree.get("conditions")?.as_array()? {
        let (kind, body) = (clause.get("kind")?.as_str()?, clause.get("body")?);
        for part in apart(body, operator(kind)) {
            clauses.has_constant |= !looks_at_something(part);
            clauses.all.insert(format!("{kind} {part}"));
        }
    }
    Some(clauses)
}

/// Whether an expression names the request or an entity. Of an entity that is written out, attributes may differ from
/// request to request (`Group::"managers".approvals`).
fn looks_at_something(expression: &Value) -> bool {
    match expression {
        Value::Object(parts) => parts
            .iter()
            .any(|(name, part)| matches!(name.as_str(), "Var" | "__entity") || looks_at_something(part)),
        Value::Array(parts) => parts.iter().any(looks_at_something),
        _ => false,
    }
}
