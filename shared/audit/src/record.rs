//! Records: what the archive and the bus have of one event of a grant, or of one denied request.
//!
//! A record is an OCSF event for whatever tools an auditor has, and carries the ledger's own bytes, which alone are
//! evidence. Must not know where records go.

mod canonical;
mod read;

use std::fmt;
use std::str::FromStr;

use curfew_app::ports::DeniedRequest;
use curfew_domain::access::Access;
use curfew_domain::event::{Event, canonical_json};
use curfew_domain::grant::Grant;
use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ocsf;

pub use read::{Defect, NotARecord, ReadRecord, read_line};

/// What records of denied requests are called.
pub const DENIED: &str = "Denied";

/// Where Curfew itself runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stack's name.
    pub stack: String,
    /// The 12-digit AWS account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Curfew's own version.
    pub version: &'static str,
}

/// What a record needs of its grant besides the event: what does not change in the grant's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The ticket's source.
    pub source: Source,
    /// The ticket.
    pub ticket: TicketId,
    /// Whose access it is.
    pub requester: Email,
    /// Where.
    pub tenant: TenantId,
    /// Which role.
    pub role: RoleName,
    /// Who receives it in AWS.
    pub principal: Principal,
    /// As what.
    pub access: Attached,
    /// Whether the role is a privileged one.
    pub privileged: bool,
}

/// How a grant takes effect in AWS, without the document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attached {
    /// By an inline policy of its own; its name.
    Inline(String),
    /// By a standing managed policy; its ARN.
    Managed(String),
}

impl From<&Grant> for Subject {
    fn from(grant: &Grant) -> Self {
        let request = grant.request();
        let access = match grant.access() {
            Access::Inline { policy_name, .. } => Attached::Inline(policy_name.clone()),
            Access::Managed { policy_arn, .. } => Attached::Managed(policy_arn.clone()),
        };
        Self {
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            requester: request.requester.clone(),
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            principal: grant.access().principal().clone(),
            access,
            privileged: grant.privileged(),
        }
    }
}

/// The version of OCSF that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Mapping {
    /// 1.8: User Access Management (3005).
    #[default]
    V1_8,
    /// 1.9: User Management (3007), which takes the place of 3005.
    V1_9,
}

/// A text names no version of OCSF that records can be written in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OCSF version {0} is not one that records can be written in; say `1.8` or `1.9`")]
pub struct UnknownMapping(String);

impl Mapping {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_8 => "1.8",
            Self::V1_9 => "1.9",
        }
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mapping {
    type Err = UnknownMapping;

    fn from_str(text: &str) -> Result<Self, UnknownMapping> {
        match text {
            "1.8" => Ok(Self::V1_8),
            "1.9" => Ok(Self::V1_9),
            _ => Err(UnknownMapping(curfew_domain::ids::shown(text))),
        }
    }
}

impl TryFrom<String> for Mapping {
    type Error = UnknownMapping;

    fn try_from(text: String) -> Result<Self, UnknownMapping> {
        text.parse()
    }
}

impl From<Mapping> for String {
    fn from(mapping: Mapping) -> Self {
        mapping.as_str().to_owned()
    }
}

/// Why an event's bytes make no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmappable {
    /// They are no event.
    #[error("what the ledger has is no event that this version of Curfew knows: {0}")]
    NotAnEvent(String),
    /// They are not the bytes that the event's digest is made of.
    #[error("the bytes of event `{0}` are not its canonical ones: was it edited in the ledger?")]
    NotCanonical(String),
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Unlike any other's, and always the same for the same event or denial: see [`RecordId`].
    pub id: String,
    /// The fact's name, or [`DENIED`].
    pub name: String,
    /// When it happened.
    pub at: Timestamp,
    /// The ARN of whose access it is about, if it is a grant's.
    pub principal: Option<String>,
    /// The grant, if it is one's.
    pub grant_id: Option<GrantId>,
    /// Its number in the grant's chain.
    pub seq: Option<u32>,
    ocsf: Value,
}

impl Record {
    /// The record of an event. `body` is its canonical bytes, as the ledger has them.
    ///
    /// # Errors
    /// [`Unmappable`], if they are no event, or not canonical: a digest made of them would not be the event's.
    pub fn of_event(
        mapping: Mapping,
        origin: &Origin,
        subject: &Subject,
        body: &str,
    ) -> Result<Self, Unmappable> {
        let event: Event =
            serde_json::from_str(body).map_err(|error| Unmappable::NotAnEvent(error.to_string()))?;
        let id = event_id(&event.grant_id, event.seq);
        if event.canonical() != body {
            return Err(Unmappable::NotCanonical(id));
        }
        Ok(Self {
            name: event.fact.name().to_owned(),
            at: event.at,
            principal: Some(subject.principal.arn().to_owned()),
            grant_id: Some(event.grant_id.clone()),
            seq: Some(event.seq),
            ocsf: ocsf::of_event(mapping, origin, subject, &event, &id, body),
            id,
        })
    }

    /// The record of a denied request.
    #[must_use]
    pub fn of_denial(mapping: Mapping, origin: &Origin, denied: &DeniedRequest) -> Self {
        // Made of strings, a time and lists: serialising it can't fail.
        let body = canonical_json(&serde_json::to_value(denied).unwrap_or_default());
        let id = RecordId::Denial(Sha256::digest(&body).into()).to_string();
        Self {
            name: DENIED.to_owned(),
            at: denied.at,
            principal: None,
            grant_id: None,
            seq: None,
            ocsf: ocsf::of_denial(mapping, origin, denied, &id, &body),
            id,
        }
    }

    /// The record as canonical JSON, on one line: what goes on the bus and, with a line feed, into the archive.
    #[must_use]
    pub fn detail(&self) -> String {
        canonical_json(&self.ocsf)
    }
}

/// What a record is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordId {
    /// An event: `<grant id>#<number, at least six digits>`.
    Event {
        /// The grant.
        grant_id: GrantId,
        /// The event's number in its chain, from 1.
        seq: u32,
    },
    /// A denied request: `denied#<hex SHA-256 of its canonical bytes>`.
    Denial([u8; 32]),
}

/// The id of an event's record.
#[must_use]
pub fn event_id(grant_id: &GrantId, seq: u32) -> String {
    format!("{grant_id}#{seq:06}")
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { grant_id, seq } => f.write_str(&event_id(grant_id, *seq)),
            Self::Denial(digest) => write!(f, "denied#{}", HEXLOWER.encode(digest)),
        }
    }
}
