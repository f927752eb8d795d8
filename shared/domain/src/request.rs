//! Access requests: what an approval webhook claims, in one form whoever sent it.
//!
//! Produced by intake after the sender's signature was verified. A request is still only a *claim*:
//! [`crate::decision`] compares it with the catalog. It must not know any sender's format.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{DeliveryId, Email, RoleName, Source, TenantId, TicketId};
use crate::principal::Principal;

/// What a verified webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Access was approved.
    Approved(Box<AccessRequest>),
    /// The ticket was closed: whatever it justified must end.
    TicketClosed(TicketClosed),
}

/// What a request rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Basis {
    /// Its approvals.
    #[default]
    Approvals,
    /// The requester is on call for an open incident, which is the request's ticket. Nobody has to approve; whether
    /// that is enough, the guardrails say.
    OnCall {
        /// When the incident became theirs.
        since: Timestamp,
    },
    /// An emergency: the requester takes the access and answers for it afterwards, if the guardrails let them.
    BreakGlass {
        /// When they asked.
        since: Timestamp,
    },
}

impl Basis {
    /// Its name, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approvals => "approvals",
            Self::OnCall { .. } => "on-call",
            Self::BreakGlass { .. } => "break-glass",
        }
    }

    /// When it came to be, where that is not a matter of approvals.
    #[must_use]
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Approvals => None,
            Self::OnCall { since } | Self::BreakGlass { since } => Some(since),
        }
    }

    fn is_approvals(&self) -> bool {
        *self == Self::Approvals
    }
}

/// What the sender says of the ticket itself: lower-case words for guardrails, like `change` and `approved`.
///
/// Not part of what was approved: a ticket may change its state between two deliveries of one approval.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TicketFacts {
    /// The kind of sender: `standard`, `servicenow`, `jira`, `pagerduty`, `slack`, `github`, `gitlab`; `operator`, if an
    /// operator changes a live grant by hand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sender: String,
    /// The kind of ticket, for example `change`, `request` or `incident`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its state, for example `approved` or `open`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}

impl TicketFacts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One approval of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who approved.
    pub approver: Email,
    /// When.
    pub at: Timestamp,
}

/// The window as it was asked for. What is missing comes from the role's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WindowRequest {
    /// Start; now, if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// How it ends; the role's default duration, if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<WindowEnd>,
}

/// How a window's end was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowEnd {
    /// At a time.
    At(Timestamp),
    /// After a span from the start.
    After(SignedDuration),
}

/// What an approval webhook claims: who shall have what, why, and by whose approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRequest {
    /// The system that sent it, proven by its signature.
    pub source: Source,
    /// The ticket in that system.
    pub ticket: TicketId,
    /// Who asked, and receives the access.
    pub requester: Email,
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub role: RoleName,
    /// Which of the requester's principals, if they have several in the tenant's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// When.
    pub window: WindowRequest,
    /// Who approved.
    pub approvals: Vec<Approval>,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Basis::is_approvals")]
    pub basis: Basis,
    /// What the sender says of the ticket.
    #[serde(default, skip_serializing_if = "TicketFacts::is_empty")]
    pub ticket_facts: TicketFacts,
    /// Why, in the requester's words.
    pub justification: String,
    /// The delivery that brought it; not part of what was approved.
    pub delivery: DeliveryId,
}

impl AccessRequest {
    /// A digest (hex SHA-256) of what was approved. Equal for every delivery of one approval, so it
    /// tells a duplicate from a *different* request on the same ticket.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut approvals: Vec<String> =
            self.approvals.iter().map(|a| format!("{} {}", a.approver, a.at)).collect();
        approvals.sort();
        approvals.dedup();
        let principal = self.principal.as_ref().map_or("", |p| p.arn());
        let starts_at = self.window.starts_at.map_or_else(String::new, |t| t.to_string());
        let end = match self.window.end {
            None => String::new(),
            Some(WindowEnd::At(at)) => at.to_string(),
            Some(WindowEnd::After(span)) => span.as_secs().to_string(),
        };
        let basis = self.basis.since().map(|since| format!("{} {since}", self.basis.name()));
        let mut hash = Sha256::new();
        let fixed = [
            self.source.as_str(),
            self.ticket.as_str(),
            self.requester.as_str(),
            self.tenant.as_str(),
            self.role.as_str(),
            principal,
            &starts_at,
            &end,
            &self.justification,
        ];
        let varying = approvals.iter().chain(&basis).map(String::as_str);
        for part in fixed.into_iter().chain(varying) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

/// A ticket that was closed, cancelled or rejected in its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClosed {
    /// The system that sent it, proven by its signature.
    pub source: Source,
    /// The ticket in that system.
    pub ticket: TicketId,
    /// Who closed it, if the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Email>,
    /// Why, if the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The delivery that brought it.
    pub delivery: DeliveryId,
}

/// The first character of `text` that changes how the text around it is shown: a control character (but
/// line breaks and tabs) or a mark that turns the direction of writing
/// (<https://www.unicode.org/reports/tr9/>). Words of people are kept as evidence, and must not deceive.
#[must_use]
pub fn deceptive_character(text: &str) -> Option<char> {
    let deceives = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    // The line ends of Windows are what web forms send; a carriage return alone overwrites its line.
    text.replace("\r\n", "\n").chars().find(|c| deceives(*c))
}
