//! The wire format as Rust types: what `docs/webhook.schema.json` says, field by field.
//!
//! Texts stay texts here; [`crate::senders::standard`] turns them into the domain's types.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One webhook body.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Message {
    #[serde(rename = "access.approved")]
    AccessApproved(Box<AccessApproved>),
    #[serde(rename = "ticket.closed")]
    TicketClosed(TicketClosed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessApproved {
    pub(crate) ticket: String,
    pub(crate) requester: String,
    pub(crate) tenant: String,
    pub(crate) role: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) principal: Option<String>,
    #[serde(default)]
    pub(crate) basis: Basis,
    #[serde(default, deserialize_with = "present")]
    pub(crate) since: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) ticket_kind: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) ticket_state: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) approvals: Option<Vec<Approval>>,
    #[serde(default)]
    pub(crate) window: Window,
    pub(crate) justification: String,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Basis {
    #[default]
    Approvals,
    OnCall,
    BreakGlass,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    pub(crate) approver: String,
    pub(crate) at: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    #[serde(default, deserialize_with = "present")]
    pub(crate) start: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) end: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) duration: Option<String>,
}

/// Nothing but its ticket can make it wrong: access must end, whatever else was written into the ticket.
#[derive(Deserialize)]
pub(crate) struct TicketClosed {
    pub(crate) ticket: String,
    #[serde(default)]
    pub(crate) closed_by: Value,
    #[serde(default)]
    pub(crate) reason: Value,
}

/// A field that may be missing, but not `null`: a sender's template that found nothing writes `null`, and
/// "nothing found" must not be taken for "nothing asked".
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(source: D) -> Result<Option<T>, D::Error> {
    T::deserialize(source).map(Some)
}
