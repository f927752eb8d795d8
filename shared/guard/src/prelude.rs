//! Preludes: what a policy asks before it looks at something that is costly to find out.
//!
//! `when { resource.role.labels.contains("deploys") && context.holds.… }` looks at what is held only if the role has
//! that label: Cedar evaluates from left to right and stops at what settles it
//! (<https://docs.cedarpolicy.com/policies/syntax-operators.html>). A policy cut off in front of the costly part tells
//! whether that part is ever come to. If it is not, its value can't matter: neither for the answer, nor for an error.

use cedar_policy::{Policy, PolicyId};
use serde_json::{Value, json};

use crate::guardrail::Mentions;
use crate::literals;

/// What costs to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Costly {
    /// `context.holds`: reads of the ledger.
    Holds,
    /// `context.approves`: a look at every role of the catalog.
    Approves,
}

impl Costly {
    fn is_in(self, mentions: &Mentions) -> bool {
        match self {
            Self::Holds => mentions.held,
            Self::Approves => mentions.approves,
        }
    }
}

/// The policy up to where it first looks at something costly, as one that permits. `None` if it never does.
///
/// If it can't be taken apart, it is a policy that always applies: then the costly thing is found out.
pub(crate) fn prelude(policy: &Policy, mentions: &Mentions, costly: Costly) -> Option<Policy> {
    if !costly.is_in(mentions) {
        return None;
    }
    let id = policy.id().clone();
    let cut = policy.to_json().ok().map(|tree| cut(tree, costly));
    let cut = cut.and_then(|tree| Policy::from_json(Some(id.clone()), tree).ok());
    cut.or_else(|| always(id))
}

fn always(id: PolicyId) -> Option<Policy> {
    Policy::parse(Some(id), "permit (principal, action, resource);").ok()
}

fn cut(mut tree: Value, costly: Costly) -> Value {
    let mut kept = Vec::new();
    for clause in tree.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let (Some(kind), Some(body)) = (clause.get("kind").and_then(Value::as_str), clause.get("body"))
        else {
            break;
        };
        let operator = operator(kind);
        let parts = apart(body, operator);
        let cheap: Vec<&Value> = parts.iter().copied().take_while(|part| !looks_at(part, costly)).collect();
        if let Some(body) = together(&cheap, operator) {
            kept.push(json!({ "kind": kind, "body": body }));
        }
        if cheap.len() < parts.len() {
            break;
        }
    }
    if let Some(tree) = tree.as_object_mut() {
        tree.insert("effect".to_owned(), json!("permit"));
        tree.insert("conditions".to_owned(), Value::Array(kept));
    }
    tree
}

fn looks_at(expression: &Value, costly: Costly) -> bool {
    let mut mentions = Mentions::default();
    literals::walk(expression, &mut mentions);
    costly.is_in(&mentions)
}

/// What joins the parts of a clause that each settle it: one that fails of `when`, one that holds of `unless`.
pub(crate) fn operator(kind: &str) -> &'static str {
    if kind == "unless" { "||" } else { "&&" }
}

/// The operands of an operator, from left to right, in Cedar's JSON format.
pub(crate) fn apart<'a>(body: &'a Value, operator: &str) -> Vec<&'a Value> {
    let mut parts = Vec::new();
    let mut ahead = vec![body];
    while let Some(part) = ahead.pop() {
        let operands = part.get(operator).and_then(|both| Some((both.get("left")?, both.get("right")?)));
        match operands {
            Some((left, right)) => ahead.extend([right, left]),
            None => parts.push(part),
        }
    }
    parts
}

fn together(parts: &[&Value], operator: &str) -> Option<Value> {
    let (first, rest) = parts.split_first()?;
    Some(
        rest.iter()
            .fold((*first).clone(), |left, right| json!({ operator: { "left": left, "right": right } })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_at_holds(conditions: &str) -> Option<String> {
        let policy: Policy = format!("forbid (principal, action, resource) {conditions};").parse().unwrap();
        let cut = prelude(&policy, &literals::mentions(&policy), Costly::Holds)?;
        let text = cut.to_cedar().unwrap();
        let (_, conditions) = text.split_once("resource").unwrap();
        Some(conditions.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_policy_is_cut_off_in_front_of_what_is_costly() {
        for (whole, cut) in [
            ("when { context.change }", None),
            ("when { context.approves.labels.contains(\"x\") }", None),
            ("when { context.holds.access.contains(resource) }", Some(");")),
            ("when { context has holds }", Some(");")),
            ("when { context[\"h\\u{6f}lds\"].access.contains(resource) }", Some(");")),
            (
                "when { context.change && context.holds.access.contains(resource) && context.extends }",
                Some(") when { context.change };"),
            ),
            (
                "when { context.change } unless { context.extends || context.holds.access.contains(resource) } \
                 when { context.one_day }",
                Some(") when { context.change && (!context.extends) };"),
            ),
            ("when { context.change || context.holds.access.contains(resource) }", Some(");")),
            ("when { \"context.holds\" == \"holds\" }", None),
        ] {
            assert_eq!(cut_at_holds(whole).as_deref(), cut, "{whole}");
        }
    }
}
