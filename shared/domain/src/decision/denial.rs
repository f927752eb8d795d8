//! Denials: why a request is not granted, in a word for programs and in sentences for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::GuardrailId;

/// Why a request was denied, and what its sender can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}; {remedy}")]
pub struct Denial {
    /// Which rule.
    pub code: DenialCode,
    /// What was found, named.
    pub reason: String,
    /// What would help.
    pub remedy: String,
    /// The guardrails that denied it, if it was them; none, if they failed as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailId>,
}

impl Denial {
    pub(super) fn new(code: DenialCode, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), remedy: remedy.into(), guardrails: Vec::new() }
    }

    /// A denial by guardrails.
    #[must_use]
    pub fn by_guardrails(
        code: DenialCode,
        guardrails: Vec<GuardrailId>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code, reason: reason.into(), remedy: remedy.into(), guardrails }
    }
}

macro_rules! denial_codes {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The rules that deny, in the order in which they are applied.
        ///
        /// Their texts are stable: metrics, alarms and senders match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum DenialCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl DenialCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as text, in kebab case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

denial_codes! {
    /// The tenant is not in the catalog.
    UnknownTenant => "unknown-tenant",
    /// The role is not in the catalog.
    UnknownRole => "unknown-role",
    /// The requester is not in the catalog.
    UnknownPerson => "unknown-person",
    /// The role may not be had in the tenant.
    RoleNotInTenant => "role-not-in-tenant",
    /// The principal that was named is none of the requester's.
    PrincipalNotTheirs => "principal-not-theirs",
    /// The principal that was named is the requester's, but in another account than the tenant's.
    PrincipalElsewhere => "principal-elsewhere",
    /// The requester has no principal in the tenant's account.
    NoPrincipal => "no-principal",
    /// The requester has several principals in the tenant's account, and none was named.
    AmbiguousPrincipal => "ambiguous-principal",
    /// Nobody approved.
    NoApproval => "no-approval",
    /// An approval is dated later than now, by more than clocks may differ.
    ApprovalInFuture => "approval-in-future",
    /// Somebody known approved, but too long ago for access that starts now.
    ApprovalTooOld => "approval-too-old",
    /// Others than the requester approved, but none that the catalog knows.
    UnknownApprover => "unknown-approver",
    /// The requester alone approved.
    SelfApproval => "self-approval",
    /// No justification was given.
    NoJustification => "no-justification",
    /// The justification is too long to be kept.
    JustificationTooLong => "justification-too-long",
    /// The justification has characters that could deceive whoever reads it.
    JustificationUnreadable => "justification-unreadable",
    /// The window is empty or ends before it starts.
    WindowEmpty => "window-empty",
    /// The window is over, or about to be.
    WindowOver => "window-over",
    /// The window is longer than the role may be had for.
    WindowTooLong => "window-too-long",
    /// The window starts too far in the future.
    WindowTooFarAhead => "window-too-far-ahead",
    /// The window of a managed role starts later, and AWS would let it begin at once.
    ManagedNotYet => "managed-window-not-begun",
    /// Curfew has no way to the tenant's account.
    TenantUnreachable => "tenant-unreachable",
    /// The policy is larger than AWS takes for the principal.
    PolicyTooLarge => "policy-too-large",
    /// An operator changes the grant by hand, and its role takes another approval than theirs, or more than one.
    OperatorNotEntitled => "operator-not-entitled",
    /// No guardrail permits it.
    NotPermitted => "not-permitted-by-guardrails",
    /// A guardrail forbids it.
    Forbidden => "forbidden-by-guardrail",
    /// The guardrails could not be evaluated, so nobody knows whether one forbids it.
    GuardrailError => "guardrail-error",
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
