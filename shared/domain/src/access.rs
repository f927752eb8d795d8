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
