//! Statements: the pieces of IAM policy that a permission is made of.
//!
//! What IAM would refuse at the moment of the grant is refused here, at catalog load: action forms,
//! operator names, ARN forms. And what would break Curfew's own promise can't be built at all: no statement
//! has a condition on `aws:CurrentTime`, because that is where the window goes.
//! Knows nothing of TOML, nor of any tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::template::Template;
use crate::ids::shown;

/// The condition key that carries the window.
pub(super) const CURRENT_TIME: &str = "aws:CurrentTime";

/// Why a text is no part of a policy statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A `${…}` that is neither Curfew's nor IAM's.
    #[error("placeholder {0} is not known")]
    Placeholder(String),
    /// A `${` without its `}`.
    #[error("{0} has a `${{` that is not closed before the next one or the end")]
    Unclosed(String),
    /// Empty, or with characters that no IAM policy takes.
    #[error("{0} is empty or has characters that IAM takes in no policy")]
    Characters(String),
    /// Not `service:Action`.
    #[error("action {0} is not `*` or `<service>:<action>`")]
    Action(String),
    /// Not an ARN.
    #[error("resource {0} is not `*` or an ARN")]
    Resource(String),
    /// Not a condition operator of IAM.
    #[error("{0} is not a condition operator of IAM")]
    Operator(String),
    /// Not a condition key of IAM.
    #[error("{0} is not a condition key of IAM")]
    Key(String),
    /// A condition on the current time.
    #[error("a condition on {0} is not allowed: Curfew writes the grant's window there")]
    Window(String),
    /// One key twice under one operator.
    #[error(
        "condition key {0} stands twice under one operator (IAM does not tell upper from lower case here)"
    )]
    DuplicateKey(String),
    /// Nothing to compare with, to allow or to act on.
    #[error("a statement needs at least one action and one resource, a condition at least one value")]
    Empty,
}

impl PolicyError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Placeholder(_) => {
                "Curfew's are `${tenant}`, `${account}` and `${region}`; IAM's have a prefix, like `${aws:username}`"
            }
            Self::Unclosed(_) => "write `${name}`; placeholders can't be nested",
            Self::Characters(_) => "use printable characters up to U+00FF",
            Self::Action(_) => {
                "write it as IAM does, like `s3:GetObject` or `logs:Get*`; actions take no placeholders"
            }
            Self::Resource(_) => "write it like `arn:aws:s3:::data-${tenant}/*`",
            Self::Operator(_) => {
                "write it exactly as IAM does, like `StringEquals` or `ForAnyValue:StringLike`"
            }
            Self::Key(_) => "write it like `aws:PrincipalTag/team`; keys take no placeholders",
            Self::Window(_) => "remove it; limit the time by the role's `max_duration`",
            Self::DuplicateKey(_) => "keep one of the two, with the values of both if any of them shall do",
            Self::Empty => "fill it in or remove it",
        }
    }
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PolicyEffect {
    /// It permits.
    Allow,
    /// It forbids. Like every statement of a grant it does so while the window lasts, no longer: a
    /// `Deny` here narrows the grant, it is no standing guardrail.
    Deny,
}

/// An IAM action, or a pattern of actions: `*`, `s3:GetObject`, `logs:Get*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Action(String);

impl Action {
    /// Checks the form of an action. Whether the service has it, only AWS knows.
    ///
    /// # Errors
    /// [`PolicyError::Action`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let fits = text == "*"
            || text.split_once(':').is_some_and(|(service, name)| {
                !service.is_empty()
                    && !name.is_empty()
                    && service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || "*?".contains(c))
            });
        if fits { Ok(Self(text.to_owned())) } else { Err(PolicyError::Action(shown(text))) }
    }

    /// The action as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a statement acts on: `*` or an ARN pattern, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource(Template);

impl Resource {
    /// Checks the form of a resource.
    ///
    /// # Errors
    /// [`PolicyError`] if it is neither `*` nor an ARN of six parts, or a placeholder is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let template = Template::parse(text)?;
        let is_arn = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
        if text == "*" || is_arn { Ok(Self(template)) } else { Err(PolicyError::Resource(shown(text))) }
    }

    /// The resource, before a tenant fills it in.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.0
    }
}

/// The conditions of a statement: operator → key → values. All operators and keys must hold, one of a
/// key's values is enough.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Conditions(BTreeMap<String, BTreeMap<String, BTreeSet<Template>>>);

impl Conditions {
    /// Checks an operator's name.
    ///
    /// # Errors
    /// [`PolicyError::Operator`].
    pub fn check_operator(operator: &str) -> Result<(), PolicyError> {
        if is_operator(operator) { Ok(()) } else { Err(PolicyError::Operator(shown(operator))) }
    }

    /// Adds one key with its values under an operator.
    ///
    /// # Errors
    /// [`PolicyError`] if the operator or key is none of IAM's, the key is `aws:CurrentTime` in whatever case,
    /// it is there already, or there is no value.
    pub fn insert(
        &mut self,
        operator: &str,
        key: &str,
        values: impl IntoIterator<Item = Template>,
    ) -> Result<(), PolicyError> {
        Self::check_operator(operator)?;
        if key.eq_ignore_ascii_case(CURRENT_TIME) {
            return Err(PolicyError::Window(shown(key)));
        }
        if !is_key(key) {
            return Err(PolicyError::Key(shown(key)));
        }
        let values: BTreeSet<Template> = values.into_iter().collect();
        if values.is_empty() {
            return Err(PolicyError::Empty);
        }
        let keys = self.0.entry(operator.to_owned()).or_default();
        if keys.keys().any(|known| known.eq_ignore_ascii_case(key)) {
            return Err(PolicyError::DuplicateKey(shown(key)));
        }
        keys.insert(key.to_owned(), values);
        Ok(())
    }

    /// Every operator, key and set of values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<Template>)> {
        self.0.iter().flat_map(|(operator, keys)| {
            keys.iter().map(|(key, values)| (operator.as_str(), key.as_str(), values))
        })
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
const OPERATORS: [&str; 26] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "BinaryEquals",
    "Bool",
    "DateEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateNotEquals",
    "IpAddress",
    "NotIpAddress",
    "NumericEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericNotEquals",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
];

fn is_operator(text: &str) -> bool {
    let single =
        text.strip_prefix("ForAllValues:").or_else(|| text.strip_prefix("ForAnyValue:")).unwrap_or(text);
    let plain = single.strip_suffix("IfExists").unwrap_or(single);
    // `Null` asks whether a key is there: neither a set nor `IfExists` makes sense of it.
    text == "Null" || OPERATORS.contains(&plain)
}

fn is_key(text: &str) -> bool {
    text.len() <= 256
        && text.split_once(':').is_some_and(|(prefix, name)| {
            !prefix.is_empty()
                && !name.is_empty()
                && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                // A tag's name is part of the key, and may hold spaces.
                && name.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c))
        })
}

/// One statement of a permission, before a tenant and a window complete it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    pub(super) effect: PolicyEffect,
    pub(super) actions: BTreeSet<Action>,
    pub(super) resources: BTreeSet<Resource>,
    pub(super) conditions: Conditions,
}

impl Statement {
    /// Puts a statement together.
    ///
    /// # Errors
    /// [`PolicyError::Empty`] without action or resource.
    pub fn new(
        effect: PolicyEffect,
        actions: impl IntoIterator<Item = Action>,
        resources: impl IntoIterator<Item = Resource>,
        conditions: Conditions,
    ) -> Result<Self, PolicyError> {
        let (actions, resources): (BTreeSet<_>, BTreeSet<_>) =
            (actions.into_iter().collect(), resources.into_iter().collect());
        if actions.is_empty() || resources.is_empty() {
            return Err(PolicyError::Empty);
        }
        Ok(Self { effect, actions, resources, conditions })
    }

    /// Whether it permits or forbids.
    #[must_use]
    pub fn effect(&self) -> PolicyEffect {
        self.effect
    }

    /// What it permits or forbids to do.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter()
    }

    /// What it permits or forbids that on.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter()
    }

    /// Under which conditions, besides the window.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(operator: &str, key: &str) -> Result<(), PolicyError> {
        Conditions::default().insert(operator, key, [Template::parse("x").unwrap()])
    }

    #[test]
    fn actions_have_the_form_that_iam_takes() {
        for good in ["*", "s3:GetObject", "logs:Get*", "execute-api:Invoke", "s3:*", "iam:Get?ser"] {
            assert!(Action::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "s3",
            ":x",
            "s3:",
            "s3:Get Object",
            "${tenant}:Get",
            "s3:Get${tenant}",
            "*:*",
            "s3:a:b",
            "s3:Gét",
        ] {
            let error = Action::parse(bad).unwrap_err();
            assert!(error.to_string().contains(&shown(bad)), "{error}");
        }
    }

    #[test]
    fn resources_are_arns() {
        for good in [
            "*",
            "arn:aws:s3:::b",
            "arn:aws:logs:${region}:${account}:log-group:/x/${tenant}:*",
            "arn:aws:s3:::${aws:username}",
        ] {
            assert!(Resource::parse(good).is_ok(), "{good}");
        }
        for bad in ["bucket", "arn:aws:s3", "s3:::b", "**"] {
            assert_eq!(Resource::parse(bad), Err(PolicyError::Resource(shown(bad))));
        }
    }

    #[test]
    fn the_window_is_curfews_alone() {
        for operator in
            ["DateLessThan", "DateGreaterThan", "StringEquals", "Null", "ForAnyValue:DateLessThanIfExists"]
        {
            for key in ["aws:CurrentTime", "aws:currenttime", "AWS:CURRENTTIME"] {
                assert_eq!(insert(operator, key), Err(PolicyError::Window(shown(key))));
            }
        }
        assert_eq!(insert("DateLessThan", "aws:TokenIssueTime"), Ok(()));
    }

    #[test]
    fn operators_and_keys_are_those_of_iam() {
        for good in [
            "StringNotLike",
            "ForAllValues:StringLike",
            "BoolIfExists",
            "Null",
            "ForAnyValue:ArnLikeIfExists",
        ] {
            assert_eq!(insert(good, "aws:username"), Ok(()), "{good}");
        }
        for bad in [
            "stringequals",
            "StringEqual",
            "",
            "ForAll:StringLike",
            "NullIfExists",
            "ForAnyValue:Null",
            "IfExists",
        ] {
            assert_eq!(insert(bad, "aws:username"), Err(PolicyError::Operator(shown(bad))), "{bad}");
        }
        for bad in ["", "username", "aws:", ":x", "aws:${tenant}", "aws:a\"b", "aws:ä"] {
            assert_eq!(insert("Bool", bad), Err(PolicyError::Key(shown(bad))), "{bad}");
        }
        assert_eq!(insert("StringEquals", "aws:PrincipalTag/Cost Centre"), Ok(()));
    }

    #[test]
    fn a_key_stands_once_under_an_operator_and_has_a_value() {
        let value = || [Template::parse("x").unwrap()];
        let mut conditions = Conditions::default();
        conditions.insert("StringEquals", "aws:PrincipalTag/Team", value()).unwrap();
        let twice = conditions.insert("StringEquals", "aws:principaltag/team", value());
        assert_eq!(twice, Err(PolicyError::DuplicateKey(shown("aws:principaltag/team"))));
        assert_eq!(conditions.insert("StringLike", "aws:PrincipalTag/Team", value()), Ok(()));
        assert_eq!(conditions.insert("Bool", "aws:SecureTransport", []), Err(PolicyError::Empty));
        assert_eq!(conditions.iter().count(), 2);
        let nothing = Statement::new(PolicyEffect::Allow, [], [], Conditions::default());
        assert_eq!(nothing, Err(PolicyError::Empty));
    }
}
