//! Templates: policy texts with Curfew's placeholders, and the tenant that fills them in.
//!
//! A placeholder's value comes from a [`Scope`], whose parts were checked to hold nothing that means
//! anything in a policy (no `*`, `?`, `$`, quote). Expansion is one pass: what was filled in is never read
//! again, so no value can bring a placeholder of its own.

use super::statement::PolicyError;
use crate::ids::{TenantId, shown};
use crate::principal::is_account;

/// What placeholders stand for: one tenant's id, account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    tenant: TenantId,
    account: String,
    region: String,
}

/// Why a tenant's account or region can't fill a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not an AWS account id.
    #[error("account {0} is not an AWS account id")]
    Account(String),
    /// Not an AWS region.
    #[error("region {0} is not an AWS region")]
    Region(String),
}

impl Scope {
    /// The placeholder values of one tenant.
    ///
    /// # Errors
    /// [`ScopeError`] if `account` is not twelve digits or `region` has not the form of a region's name.
    pub fn new(tenant: TenantId, account: &str, region: &str) -> Result<Self, ScopeError> {
        if !is_account(account) {
            return Err(ScopeError::Account(shown(account)));
        }
        if !is_region(region) {
            return Err(ScopeError::Region(shown(region)));
        }
        Ok(Self { tenant, account: account.to_owned(), region: region.to_owned() })
    }

    /// The value of `${tenant}`.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The value of `${account}`: twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The value of `${region}`, for example `eu-central-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// Whether `text` has the form of a region's name. AWS adds regions, so no list of them is kept.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number =
        parts.next().is_some_and(|n| (1..=2).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<&str> = parts.collect();
    text.len() <= 32
        && number
        && words.len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// A text of a policy in which `${tenant}`, `${account}` and `${region}` stand for the tenant's values.
///
/// IAM's own variables (`${aws:PrincipalTag/team}`, `${*}` …) pass through: IAM reads them at each request
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Tenant,
    Account,
    Region,
}

impl Template {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// [`PolicyError`] for a `${…}` that is neither Curfew's nor IAM's, one that is not closed, and for
    /// characters that IAM takes in no policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html (PolicyDocument), less
        // the line breaks, which have no place in a value.
        if text.is_empty() || text.chars().any(|c| c.is_control() || c > '\u{ff}') {
            return Err(PolicyError::Characters(shown(text)));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after.split_once('}').ok_or_else(|| PolicyError::Unclosed(shown(text)))?;
            if name.contains("${") {
                return Err(PolicyError::Unclosed(shown(text)));
            }
            push_text(&mut parts, before);
            match name {
                "tenant" => parts.push(Part::Tenant),
                "account" => parts.push(Part::Account),
                "region" => parts.push(Part::Region),
                _ if is_iam_variable(name) => push_text(&mut parts, &format!("${{{name}}}")),
                _ => return Err(PolicyError::Placeholder(shown(&format!("${{{name}}}")))),
            }
            rest = behind;
        }
        push_text(&mut parts, rest);
        Ok(Self { parts })
    }

    /// The text for one tenant.
    #[must_use]
    pub fn expand(&self, scope: &Scope) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Tenant => scope.tenant.as_str(),
                Part::Account => &scope.account,
                Part::Region => &scope.region,
            })
            .collect()
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.push_str(text);
    } else {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// IAM's variables have a service prefix (`aws:username`), except for three that stand for a character.
fn is_iam_variable(name: &str) -> bool {
    matches!(name, "*" | "?" | "$")
        || name.split_once(':').is_some_and(|(prefix, key)| {
            !key.is_empty()
                && !prefix.is_empty()
                && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new(TenantId::new("acme").unwrap(), "111122223333", "eu-central-1").unwrap()
    }

    #[test]
    fn placeholders_become_the_tenants_values() {
        for (text, expanded) in [
            ("arn:aws:s3:::data-${tenant}/*", "arn:aws:s3:::data-acme/*"),
            ("arn:aws:sqs:${region}:${account}:${tenant}", "arn:aws:sqs:eu-central-1:111122223333:acme"),
            ("${tenant}${tenant}", "acmeacme"),
            ("no placeholder, $ and } and { alone", "no placeholder, $ and } and { alone"),
        ] {
            assert_eq!(Template::parse(text).unwrap().expand(&scope()), expanded);
        }
    }

    #[test]
    fn iam_variables_pass_through() {
        for text in [
            "${aws:username}",
            "home/${aws:PrincipalTag/team, 'none'}/*",
            "${*}${?}${$}",
            "${saml:sub}",
            "${s3express:x}",
        ] {
            assert_eq!(Template::parse(text).unwrap().expand(&scope()), text);
        }
        assert_eq!(
            Template::parse("${aws:username}-${tenant}").unwrap().expand(&scope()),
            "${aws:username}-acme"
        );
    }

    #[test]
    fn a_misspelt_or_unclosed_placeholder_is_refused_by_name() {
        for (text, named) in [
            ("a-${tenent}", "${tenent}"),
            ("${Tenant}", "${Tenant}"),
            ("${ tenant }", "${ tenant }"),
            ("${}", "${}"),
            ("${aws:}", "${aws:}"),
            ("${:x}", "${:x}"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(matches!(&error, PolicyError::Placeholder(shown) if shown.contains(named)), "{error:?}");
        }
        for text in ["${tenant", "x${", "${aws:PrincipalTag/${tenant}}"] {
            assert!(matches!(Template::parse(text), Err(PolicyError::Unclosed(_))), "{text}");
        }
        for text in ["", "a\nb", "a\u{0}", "a\u{202e}b", "日本"] {
            assert!(matches!(Template::parse(text), Err(PolicyError::Characters(_))), "{text:?}");
        }
    }

    #[test]
    fn a_scope_holds_nothing_that_means_anything_in_a_policy() {
        let tenant = || TenantId::new("acme").unwrap();
        for region in ["eu-central-1", "us-gov-west-1", "ap-southeast-12"] {
            assert!(Scope::new(tenant(), "111122223333", region).is_ok(), "{region}");
        }
        for region in [
            "",
            "*",
            "eu-*-1",
            "eu-central",
            "eu-central-1\"",
            "EU-central-1",
            "eu--1",
            "-1",
            "${region}",
            "eu-central-123",
        ] {
            assert!(
                matches!(Scope::new(tenant(), "111122223333", region), Err(ScopeError::Region(_))),
                "{region}"
            );
        }
        for account in ["", "*", "1111", "11112222333x", "1111222233334"] {
            assert!(
                matches!(Scope::new(tenant(), account, "eu-central-1"), Err(ScopeError::Account(_))),
                "{account}"
            );
        }
    }
}
