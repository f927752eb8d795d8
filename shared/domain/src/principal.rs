//! Principals: the IAM users and roles that receive access.
//!
//! Reads ARNs and says which principals AWS lets nobody modify. Does not know who a principal belongs
//! to (the catalog does), nor whether it exists (only AWS does).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::shown;

/// Why a text is not a principal that Curfew can give access to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// Not the ARN of an IAM user or role.
    #[error(
        "principal {0} is not the ARN of an IAM user or role (`arn:aws:iam::<12-digit account>:user/<name>` or `…:role/<name>`)"
    )]
    NotUserOrRole(String),
    /// A role that only AWS may modify: attaching to it is answered `UnmodifiableEntity`.
    #[error(
        "principal {shown} is {what}, which only AWS can modify; name an IAM user or a role of your own instead"
    )]
    Unmodifiable {
        /// The ARN, fit to be shown.
        shown: String,
        /// What makes it unmodifiable.
        what: &'static str,
    },
}

/// Whether a principal is an IAM user or an IAM role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// An IAM user.
    User,
    /// An IAM role; every session of it shares what is attached.
    Role,
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Role => "role",
        })
    }
}

/// An IAM user or role, checked to be one that can be modified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal {
    arn: String,
    kind: PrincipalKind,
    account: String,
    name: String,
}

impl Principal {
    /// Reads an ARN.
    ///
    /// # Errors
    /// [`PrincipalError`] if it is no user or role, or one that only AWS can modify
    /// (`AWSReservedSSO_*`, service-linked roles: attaching answers `UnmodifiableEntity`,
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>).
    pub fn parse(arn: &str) -> Result<Self, PrincipalError> {
        let refuse = || PrincipalError::NotUserOrRole(shown(arn));
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse());
        };
        let (kind, path_and_name) = match resource.split_once('/') {
            Some(("user", rest)) => (PrincipalKind::User, rest),
            Some(("role", rest)) => (PrincipalKind::Role, rest),
            _ => return Err(refuse()),
        };
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let plain =
            |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        let well_formed = matches!(partition, "aws" | "aws-cn" | "aws-us-gov")
            && is_account(account)
            && arn.len() <= 600
            && (1..=64).contains(&name.len())
            // The characters of an IAM name: https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
            && plain(name, "_+=,.@-")
            && path.split('/').all(|part| plain(part, "_+=,.@-"));
        if !well_formed {
            return Err(refuse());
        }
        let unmodifiable = |what| PrincipalError::Unmodifiable { shown: shown(arn), what };
        if kind == PrincipalKind::Role {
            if path.starts_with("aws-reserved") || name.starts_with("AWSReservedSSO_") {
                return Err(unmodifiable("a role of IAM Identity Center"));
            }
            if path.starts_with("aws-service-role") || name.starts_with("AWSServiceRoleFor") {
                return Err(unmodifiable("a service-linked role"));
            }
        }
        Ok(Self { arn: arn.to_owned(), kind, account: account.to_owned(), name: name.to_owned() })
    }

    /// The whole ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// User or role.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The 12-digit AWS account that it lives in.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Its name without path, as IAM's calls take it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl TryFrom<String> for Principal {
    type Error = PrincipalError;

    fn try_from(arn: String) -> Result<Self, PrincipalError> {
        Self::parse(&arn)
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.arn
    }
}

/// Whether `text` is an AWS account id: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_roles_are_read_with_their_paths() {
        let user = Principal::parse("arn:aws:iam::111122223333:user/eng/ana").unwrap();
        assert_eq!((user.kind(), user.account(), user.name()), (PrincipalKind::User, "111122223333", "ana"));
        let role = Principal::parse("arn:aws-us-gov:iam::111122223333:role/Ops").unwrap();
        assert_eq!((role.kind(), role.name()), (PrincipalKind::Role, "Ops"));
    }

    #[test]
    fn what_aws_lets_nobody_modify_is_refused_with_the_reason() {
        for (arn, why) in [
            (
                "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0a1b",
                "Identity Center",
            ),
            ("arn:aws:iam::111122223333:role/AWSReservedSSO_Ops_0a1b", "Identity Center"),
            (
                "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
                "service-linked",
            ),
        ] {
            let error = Principal::parse(arn).unwrap_err();
            assert!(matches!(error, PrincipalError::Unmodifiable { .. }), "{arn}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for arn in [
            "",
            "ana",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:group/ops",
            "arn:aws:sts::111122223333:assumed-role/Ops/ana",
            "arn:aws:iam::1111:user/ana",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:iam::111122223333:user/a\nb",
            "arn:evil:iam::111122223333:user/ana",
        ] {
            assert!(matches!(Principal::parse(arn), Err(PrincipalError::NotUserOrRole(_))), "{arn:?}");
        }
    }
}
