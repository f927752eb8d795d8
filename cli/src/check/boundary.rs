//! Roles against the permissions boundaries of their tenants: what a boundary does not allow, AWS does not either.
//!
//! Boundaries live in the accounts and not in the repository, so a document is compared only if it was given. The
//! comparison is by IAM's wildcards, an action and a resource at a time, and a statement of the boundary at a time. One
//! with conditions counts as allowing, and not as denying: whether they hold, only a request shows. So whatever is told
//! is not allowed by any one statement of the boundary; what several allow only together is told too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use curfew_domain::catalog::{Place, Role, RoleAccess, Tenant};
use curfew_domain::document::PolicyEffect;
use serde::Deserialize;

use super::finding::{Grade, Report, Rule};
use super::pattern::{covers, overlap};
use crate::rulebook::{Rulebook, Unusable, read_text};

/// So many of what exceeds a boundary are listed in a message.
const LISTED: usize = 5;

/// A permissions boundary, as IAM writes one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMany<Clause>,
}

/// A boundary's document, and the file that it was read from.
#[derive(Debug)]
pub(crate) struct Boundary {
    path: PathBuf,
    document: Document,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Clause {
    effect: PolicyWord,
    #[serde(default)]
    action: Option<OneOrMany<String>>,
    #[serde(default)]
    not_action: Option<OneOrMany<String>>,
    #[serde(default)]
    resource: Option<OneOrMany<String>>,
    #[serde(default)]
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum PolicyWord {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Documents by the ARNs of their policies.
pub(crate) type Boundaries = BTreeMap<String, Boundary>;

/// Reads the documents that were given.
pub(crate) fn read(given: &[(String, PathBuf)]) -> Result<Boundaries, Unusable> {
    given.iter().map(|(arn, path)| Ok((arn.clone(), read_one(path)?))).collect()
}

fn read_one(path: &Path) -> Result<Boundary, Unusable> {
    let document = serde_json::from_str(&read_text(path)?)
        .map_err(|error| Unusable::input(path, format!("not a policy document: {error}")))?;
    Ok(Boundary { path: path.to_owned(), document })
}

pub(crate) fn check(rulebook: &Rulebook, boundaries: &Boundaries, report: &mut Report) {
    let folder = &rulebook.folders.catalog;
    for (arn, boundary) in boundaries {
        if rulebook.catalog.tenants().any(|tenant| tenant.boundary() == Some(arn)) {
            continue;
        }
        let at = Place { file: Arc::from(boundary.path.to_string_lossy().as_ref()), line: 1, column: 1 };
        let message = format!("no tenant names the boundary `{arn}`, so nothing was compared with it");
        let remedy = "correct the ARN given with --boundary, or name it as a tenant's `boundary`";
        // The path is whole already.
        report.add((Rule::BoundaryNotChecked, Grade::Warning), Path::new(""), &at, message, remedy);
    }
    for tenant in rulebook.catalog.tenants() {
        let known = tenant.boundary().and_then(|arn| boundaries.get(arn));
        let Some(boundary) = known else {
            let (message, remedy) = match tenant.boundary() {
                Some(arn) => (
                    format!(
                        "what tenant `{}` offers was not compared with its boundary `{arn}`",
                        tenant.id()
                    ),
                    format!("give its document: --boundary {arn}=FILE"),
                ),
                None => (
                    format!(
                        "tenant `{}` names no permissions boundary to compare its roles with",
                        tenant.id()
                    ),
                    "name it (`boundary`), and give its document with --boundary".to_owned(),
                ),
            };
            report.add((Rule::BoundaryNotChecked, Grade::Note), folder, tenant.place(), message, remedy);
            continue;
        };
        for role in rulebook.catalog.roles().filter(|role| role.is_available_in(tenant.id())) {
            let beyond = boundary.document.beyond(role, tenant);
            if beyond.is_empty() {
                continue;
            }
            let shown: Vec<&str> = beyond.iter().take(LISTED).map(String::as_str).collect();
            let more = match beyond.len().saturating_sub(shown.len()) {
                0 => String::new(),
                others => format!(", and {others} more"),
            };
            let message = format!(
                "role `{}` allows what the boundary of tenant `{}` does not: {}{more}",
                role.name(),
                tenant.id(),
                shown.join(", ")
            );
            let remedy = "AWS will refuse it all the same: take it out of the role, or widen the boundary";
            report.add((Rule::ExceedsBoundary, Grade::Warning), folder, role.place(), message, remedy);
        }
    }
}

impl Document {
    /// What an inline role allows in a tenant and this does not. A managed role's document is in its account.
    fn beyond(&self, role: &Role, tenant: &Tenant) -> BTreeSet<String> {
        let RoleAccess::Inline { statements } = role.access() else { return BTreeSet::new() };
        let mut beyond = BTreeSet::new();
        for statement in statements.iter().filter(|statement| statement.effect() == PolicyEffect::Allow) {
            for resource in statement.resources() {
                let resource = resource.template().expand(tenant.scope());
                for action in statement.actions().filter(|action| !self.allows(action.as_str(), &resource)) {
                    beyond.insert(format!("`{}` on `{resource}`", action.as_str()));
                }
            }
        }
        beyond
    }

    fn allows(&self, action: &str, resource: &str) -> bool {
        let clauses = self.statement.as_slice();
        let is_denied = clauses.iter().any(|one| {
            one.effect == PolicyWord::Deny && one.condition.is_none() && one.is_about_all(action, resource)
        });
        let is_allowed =
            clauses.iter().any(|one| one.effect == PolicyWord::Allow && one.is_about_all(action, resource));
        is_allowed && !is_denied
    }
}

impl Clause {
    /// Whether it is about every action and resource that these patterns match.
    fn is_about_all(&self, action: &str, resource: &str) -> bool {
        let lower = |text: &str| text.to_ascii_lowercase();
        let action = lower(action);
        let actions = match (&self.action, &self.not_action) {
            (Some(named), _) => named.as_slice().iter().any(|one| covers(&lower(one), &action)),
            (None, Some(except)) => !except.as_slice().iter().any(|one| overlap(&lower(one), &action)),
            (None, None) => false,
        };
        let resources = match (&self.resource, &self.not_resource) {
            (Some(named), _) => named.as_slice().iter().any(|one| covers(one, resource)),
            (None, Some(except)) => !except.as_slice().iter().any(|one| overlap(one, resource)),
            (None, None) => false,
        };
        actions && resources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_allows_what_one_statement_allows_and_none_denies() {
        let boundary: Document = serde_json::from_value(serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Action": ["s3:*", "logs:Get*"], "Resource": "*" },
                { "Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "arn:aws:sqs:*" },
                { "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*" },
                { "Effect": "Deny", "Action": "s3:Put*", "Resource": "*", "Condition": { "Bool": {} } },
            ],
        }))
        .expect("a boundary");
        for (action, resource, allowed) in [
            ("s3:GetObject", "arn:aws:s3:::b/*", true),
            ("S3:getobject", "*", true),
            ("s3:*", "*", true),
            ("s3:DeleteObject", "*", false),
            ("s3:PutObject", "*", true),
            ("logs:*", "*", false),
            ("logs:GetLogEvents", "*", true),
            ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:1:q", true),
            ("sqs:SendMessage", "*", false),
            ("iam:Get*", "arn:aws:sqs:x", false),
            ("i*:Get*", "arn:aws:sqs:x", false),
        ] {
            assert_eq!(boundary.allows(action, resource), allowed, "{action} {resource}");
        }
    }
}
