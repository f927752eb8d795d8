//! What a policy names and looks at, read off its syntax tree. Not off its text: an attribute can be written in more
//! than one way, and a word in a text is no policy.

use std::collections::BTreeSet;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;

use crate::guardrail::{Mentions, Resource, Scope, Who};
use crate::schema::{ACTIONS, ANY_ACTION, Kind};

/// The scope of a policy that was validated.
pub(crate) fn scope(policy: &Policy) -> Scope {
    let who = match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Who::Anybody,
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => {
            match Kind::of(&uid) {
                Some(Kind::Group) => Who::Group(id(&uid)),
                _ => Who::Person(id(&uid)),
            }
        }
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => Resource::Anything,
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            match Kind::of(&uid) {
                Some(Kind::Tenant) => Resource::Tenant(id(&uid)),
                Some(Kind::Role) => Resource::Role(id(&uid)),
                _ => Resource::Access(id(&uid)),
            }
        }
    };
    let named: Vec<String> = match policy.action_constraint() {
        ActionConstraint::Any => vec![ANY_ACTION.to_owned()],
        ActionConstraint::Eq(uid) => vec![id(&uid)],
        ActionConstraint::In(uids) => uids.iter().map(id).collect(),
    };
    let is_meant = |action: &&str| named.iter().any(|name| name == ANY_ACTION || name == action);
    Scope { who, resource, actions: ACTIONS.into_iter().filter(is_meant).collect() }
}

fn id(uid: &EntityUid) -> String {
    uid.id().unescaped().to_owned()
}

/// What a policy names, and what costly things it looks at: what judging needs to know.
///
/// The syntax tree of a policy is costly too: Cedar parses the text once more for it. Attributes are written as they are
/// called, or in quotes with escapes; so where the text has neither the name nor a backslash, the attribute is not.
pub(crate) fn names(policy: &Policy) -> Mentions {
    let text = policy.to_cedar();
    let may_look = text.is_none_or(|text| ["holds", "approves", "\\"].iter().any(|part| text.contains(part)));
    let Mentions { held, approves, .. } = if may_look { mentions(policy) } else { Mentions::default() };
    Mentions { held, approves, ..named(policy) }
}

fn named(policy: &Policy) -> Mentions {
    let mut mentions = Mentions::default();
    for uid in policy.entity_literals() {
        let kind = match Kind::of(&uid) {
            Some(Kind::Group) => &mut mentions.groups,
            Some(Kind::Person) => &mut mentions.people,
            Some(Kind::Tenant) => &mut mentions.tenants,
            Some(Kind::Role) => &mut mentions.roles,
            Some(Kind::Access) => &mut mentions.access,
            Some(Kind::Source) => &mut mentions.sources,
            Some(Kind::Action) | None => continue,
        };
        kind.insert(id(&uid));
    }
    mentions
}

/// All that a policy names and looks at. If its syntax tree can't be had, it counts as looking at everything.
pub(crate) fn mentions(policy: &Policy) -> Mentions {
    let mut mentions = named(policy);
    match policy.to_json() {
        Ok(tree) => tree.get("conditions").into_iter().for_each(|conditions| walk(conditions, &mut mentions)),
        Err(_) => (mentions.held, mentions.approves) = (true, true),
    }
    mentions
}

/// Looks through an expression in Cedar's JSON format
/// (<https://docs.cedarpolicy.com/policies/json-format.html>).
pub(crate) fn walk(tree: &Value, mentions: &mut Mentions) {
    match tree {
        Value::Array(parts) => parts.iter().for_each(|part| walk(part, mentions)),
        Value::Object(parts) => {
            for (operator, operands) in parts {
                match operator.as_str() {
                    // A literal is no expression, whatever its keys are called.
                    "Value" => continue,
                    // The context as a whole, not one attribute of it.
                    "Var" if is_context(tree) => (mentions.held, mentions.approves) = (true, true),
                    "." | "has" if operands.get("left").is_some_and(is_context) => {
                        look_at(operands.get("attr"), mentions);
                        continue;
                    }
                    "contains" | "containsAny" | "containsAll"
                        if is_attribute(operands.get("left"), "labels") =>
                    {
                        texts(operands.get("right"), &mut mentions.labels);
                    }
                    "==" | "!=" => {
                        for (one, other) in [("left", "right"), ("right", "left")] {
                            if is_attribute(operands.get(one), "environment") {
                                texts(operands.get(other), &mut mentions.environments);
                            }
                        }
                    }
                    _ => {}
                }
                walk(operands, mentions);
            }
        }
        _ => {}
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("context")
}

/// An attribute of the context; of `has` it may be a path.
fn look_at(attribute: Option<&Value>, mentions: &mut Mentions) {
    let first = match attribute {
        Some(Value::Array(path)) => path.first(),
        other => other,
    };
    match first.and_then(Value::as_str) {
        Some("holds") => mentions.held = true,
        Some("approves") => mentions.approves = true,
        Some(_) => {}
        None => (mentions.held, mentions.approves) = (true, true),
    }
}

fn is_attribute(expression: Option<&Value>, name: &str) -> bool {
    let attribute = expression.and_then(|expression| expression.get(".")).and_then(|dot| dot.get("attr"));
    attribute.and_then(Value::as_str) == Some(name)
}

/// The texts that are written out in an expression: one, or a set of them.
fn texts(expression: Option<&Value>, into: &mut BTreeSet<String>) {
    let Some(expression) = expression else { return };
    if let Some(text) = expression.get("Value").and_then(Value::as_str) {
        into.insert(text.to_owned());
    }
    for part in expression.get("Set").and_then(Value::as_array).into_iter().flatten() {
        texts(Some(part), into);
    }
}
