//! Reading policies as IAM does, as far as these tests need it: patterns, and what a statement is bound to.
//!
//! No evaluation of policies: conditions are looked at, not decided.

use curfew_domain::document::{PolicyEffect, Scope, Statement, Template};
use curfew_domain::ids::TenantId;

/// Whether a pattern of IAM (`*` any text, `?` any character) stands for a text.
pub(super) fn covers(pattern: &str, text: &str) -> bool {
    fn rest(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', after)) => (0..=text.len()).any(|skipped| rest(after, &text[skipped..])),
            Some((b'?', after)) => text.split_first().is_some_and(|(_, text)| rest(after, text)),
            Some((byte, after)) => text.split_first().is_some_and(|(t, text)| t == byte && rest(after, text)),
        }
    }
    rest(pattern.as_bytes(), text.as_bytes())
}

/// Whether an action's pattern stands for an action. IAM does not tell upper from lower case here.
pub(super) fn covers_action(pattern: &str, action: &str) -> bool {
    covers(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// Placeholders filled in for a tenant of this name, in the account and region of the shipped one.
pub(super) fn scope(tenant: &str) -> Scope {
    Scope::new(TenantId::new(tenant).unwrap(), "111122223333", "eu-central-1").unwrap()
}

/// A template as it stands in the file: filled in with values that occur nowhere else, which are then taken out again.
pub(super) fn written(template: &Template) -> String {
    const VALUES: [(&str, &str); 3] =
        [("${tenant}", "that-tenant"), ("${account}", "987654321098"), ("${region}", "that-region-9")];
    let [tenant, account, region] = VALUES.map(|(_, value)| value);
    let filled = template.expand(&Scope::new(TenantId::new(tenant).unwrap(), account, region).unwrap());
    VALUES.iter().fold(filled, |text, (placeholder, value)| text.replace(value, placeholder))
}

/// Conditions that narrow what they are written for: `…IfExists` and `ForAllValues:` hold where the key is missing, and
/// negations hold nearly everywhere.
const BINDING_OPERATORS: [&str; 3] = ["ArnEquals", "ArnLike", "StringEquals"];

/// Keys that tell whose the resource is. Others (`ecs:task-definition` …) say what is asked for, not of whom.
const OWNER_KEYS: [&str; 2] = ["aws:ResourceTag/tenant", "ecs:cluster"];

/// Whether a condition on one of these keys asks for these values alone.
fn demands(statement: &Statement, keys: &[&str], is_fine: impl Fn(&str) -> bool) -> bool {
    statement.conditions().iter().any(|(operator, key, values)| {
        BINDING_OPERATORS.contains(&operator)
            && keys.contains(&key)
            && values.iter().all(|value| is_fine(&written(value)))
    })
}

fn resources(statement: &Statement) -> impl Iterator<Item = String> {
    statement.resources().map(|resource| written(resource.template()))
}

/// Whether a statement reaches what is its tenant's alone: by every resource's name, or by a condition.
pub(super) fn is_bound_to_tenant(statement: &Statement) -> bool {
    let named = resources(statement).all(|resource| resource.contains("${tenant}"));
    named || demands(statement, &OWNER_KEYS, |value| value.contains("${tenant}"))
}

/// Whether a statement stays in its tenant's region (and in us-east-1, where the services without a region are).
pub(super) fn is_bound_to_region(statement: &Statement) -> bool {
    let named = resources(statement).all(|resource| resource.contains(":${region}:${account}:"));
    named
        || demands(statement, &["aws:RequestedRegion"], |region| ["${region}", "us-east-1"].contains(&region))
}

/// The actions that a statement allows; none, if it denies.
pub(super) fn allowed(statement: &Statement) -> impl Iterator<Item = &str> {
    let allows = statement.effect() == PolicyEffect::Allow;
    statement.actions().filter(move |_| allows).map(|action| action.as_str())
}

#[test]
fn a_template_is_read_back_as_it_was_written() {
    for text in ["arn:aws:s3:::${tenant}-data/*", "${region}.${account}${tenant}", "${aws:username}", "*"] {
        assert_eq!(written(&Template::parse(text).unwrap()), text);
    }
}

#[test]
fn patterns_stand_for_what_iam_takes_them_for() {
    for (pattern, text) in [("a*c", "abc"), ("a*c", "ac"), ("a?c", "abc"), ("*", ""), ("x/*", "x/y:z/*")] {
        assert!(covers(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a*c", "abd"), ("a?c", "ac"), ("a", "ab"), ("a-*", "a_b")] {
        assert!(!covers(pattern, text), "{pattern} {text}");
    }
    assert!(covers_action("IAM:get*", "iam:GetUser"));
}
