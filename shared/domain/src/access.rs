//! Access: what is attached to a principal in AWS, and by which way it is reached.
//!
//! Holds everything that is needed to *end* access, so that a grant can be closed when its role, its
//! tenant or the whole catalog is gone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// How a grant takes effect in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Access {
    /// An inline policy of its own on the principal. Carries the window, shares nothing.
    Inline {
        /// Who receives it.
        principal: Principal,
        /// The policy's name, after the grant.
        policy_name: String,
        /// The policy document (minimal JSON), window included.
        document: String,
    },
    /// A standing managed policy, attached by ARN. AWS cannot time-box it, and one attachment serves
    /// every grant that needs it: its holders are kept in the ledger.
    Managed {
        /// Who receives it.
        principal: Principal,
        /// The policy's ARN.
        policy_arn: String,
    },
}

impl Access {
    /// Whether attaching this takes the place of `other`: it is the same object in AWS.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Inline { principal, policy_name, .. },
                Self::Inline { principal: of, policy_name: name, .. },
            ) => (principal, policy_name) == (of, name),
            (Self::Managed { .. }, Self::Managed { .. }) => self == other,
            (Self::Inline { .. }, Self::Managed { .. }) | (Self::Managed { .. }, Self::Inline { .. }) => {
                false
            }
        }
    }

    /// Who receives the access.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        match self {
            Self::Inline { principal, .. } | Self::Managed { principal, .. } => principal,
        }
    }

    /// The attachment that this access shares with other grants, if it shares one.
    #[must_use]
    pub fn shared(&self) -> Option<Attachment> {
        match self {
            Self::Inline { .. } => None,
            Self::Managed { principal, policy_arn } => {
                Some(Attachment { principal: principal.clone(), policy_arn: policy_arn.clone() })
            }
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline { principal, policy_name, .. } => {
                write!(f, "inline policy `{policy_name}` on {principal}")
            }
            Self::Managed { principal, policy_arn } => {
                write!(f, "managed policy `{policy_arn}` on {principal}")
            }
        }
    }
}

/// A managed policy on a principal: one object in AWS, however many grants hold it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// Whom the policy is attached to.
    pub principal: Principal,
    /// The policy's ARN.
    pub policy_arn: String,
}

/// The way to a tenant's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The tenant's 12-digit AWS account.
    pub account: String,
    /// The agent role to assume there; none where Curfew's own role reaches the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRole>,
}

/// A role in a tenant's account that Curfew assumes to change principals there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AgentRole {
    /// Its ARN.
    pub role_arn: String,
    /// The external id that its trust policy asks for: not a secret, but a guard against the confused
    /// deputy (<https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>).
    pub external_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(user: &str, policy_name: &str, document: &str) -> Access {
        let principal = Principal::parse(&format!("arn:aws:iam::111122223333:user/{user}")).unwrap();
        Access::Inline { principal, policy_name: policy_name.to_owned(), document: document.to_owned() }
    }

    fn managed(user: &str, policy: &str) -> Access {
        let principal = Principal::parse(&format!("arn:aws:iam::111122223333:user/{user}")).unwrap();
        Access::Managed { principal, policy_arn: format!("arn:aws:iam::111122223333:policy/{policy}") }
    }

    #[test]
    fn what_is_the_same_object_in_aws_takes_the_others_place_and_nothing_else_does() {
        let one = inline("ana", "curfew-g-1", "{}");
        assert!(one.replaces(&inline("ana", "curfew-g-1", r#"{"Statement":[]}"#)));
        assert!(managed("ana", "audit").replaces(&managed("ana", "audit")));
        let others = [
            inline("ben", "curfew-g-1", "{}"),
            inline("ana", "curfew-g-2", "{}"),
            managed("ana", "audit"),
            managed("ben", "audit"),
            managed("ana", "other"),
        ];
        for (n, other) in others.iter().enumerate() {
            assert!(!one.replaces(other), "{other}");
            assert!(!other.replaces(&one), "{other}");
            for another in others.iter().skip(n + 1) {
                assert!(!other.replaces(another), "{other}, {another}");
            }
        }
    }
}
