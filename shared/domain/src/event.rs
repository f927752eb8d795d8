//! Events: past-tense facts in a grant's life, chained by their digests.
//!
//! An event is evidence: it says who did what when, and by its `prev` which event came before it, so
//! that none can be changed, dropped or moved unseen. Does not know where events are kept.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::effect::{Proof, Timer};
use crate::grant::{Cause, Outcome};
use crate::ids::{Email, GrantId, GuardrailId, IdError, Source};
use crate::request::AccessRequest;
use crate::window::Window;

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Actor {
    /// A sender of webhooks.
    Source(Source),
    /// A person acting in a source, as that source reports it.
    Person(Email),
    /// An operator, as they named themselves.
    Operator(OperatorName),
    /// The grant's own expiry timer.
    Timer,
    /// The grant function, while opening.
    GrantFunction,
    /// The revoke function, while proving a removal.
    RevokeFunction,
    /// The sweep.
    Sweep,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => write!(f, "source {source}"),
            Self::Person(person) => write!(f, "{person}"),
            Self::Operator(name) => write!(f, "operator {name}"),
            Self::Timer => f.write_str("the expiry timer"),
            Self::GrantFunction => f.write_str("the grant function"),
            Self::RevokeFunction => f.write_str("the revoke function"),
            Self::Sweep => f.write_str("the sweep"),
        }
    }
}

/// How an operator named themselves: 1 to 128 printable ASCII characters. A claim, not an identity;
/// who called the function stands in CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperatorName(String);

impl OperatorName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`IdError`] if it is empty, too long or not printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let printable = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if (1..=128).contains(&text.len()) && printable && !text.trim().is_empty() {
            Ok(Self(text))
        } else {
            Err(IdError {
                kind: "operator",
                shown: crate::ids::shown(&text),
                rule: "1 to 128 printable ASCII characters, such as your email address",
            })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Email> for OperatorName {
    /// An operator who is known by their address. One that is longer than a name is cut short.
    fn from(email: &Email) -> Self {
        Self(email.as_str().chars().take(128).collect())
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OperatorName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<OperatorName> for String {
    fn from(name: OperatorName) -> Self {
        name.0
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "PascalCase", rename_all_fields = "snake_case")]
pub enum Fact {
    /// An approved request arrived and was found good. Nothing was changed in AWS yet.
    Requested {
        /// What was approved, by whom.
        request: Box<AccessRequest>,
        /// What decided it.
        #[serde(flatten)]
        decided: Decided,
    },
    /// The grant was written down, before anything was changed in AWS.
    Opened {
        /// What will be attached, in words.
        access: String,
        /// Hex SHA-256 of the policy document; none for a managed policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document_sha256: Option<String>,
        /// Over which window.
        window: Window,
        /// What will end it.
        timer: Timer,
        /// Until when the opening invocation may have a change in flight.
        lease_until: Timestamp,
    },
    /// AWS confirmed access and timer. Access holds from then, or from the window's start if later.
    Activated {
        /// AWS's word on the attachment.
        attached: Proof,
        /// AWS's word on the timer.
        timer_set: Proof,
    },
    /// A later approval, or an operator's, moved the window's end back. Written before anything was changed in AWS.
    Extended {
        /// The approval, and what was decided on it.
        #[serde(flatten)]
        change: Box<WindowChange>,
    },
    /// A later approval, or an operator's, moved the window's end forward. Written before anything was changed in AWS.
    Shortened {
        /// The approval, and what was decided on it.
        #[serde(flatten)]
        change: Box<WindowChange>,
    },
    /// A change that AWS had not confirmed is made again.
    ChangeResumed {
        /// Until when this try may have a change in flight.
        lease_until: Timestamp,
    },
    /// What AWS holds under the grant's name is not what the ledger says, and Curfew did not do it.
    DriftFound {
        /// What was found.
        drift: Drift,
        /// What is done about it.
        response: DriftResponse,
    },
    /// What somebody put back under an ended grant's name is gone again.
    DriftRemoved {
        /// AWS's word on it.
        access: Proof,
    },
    /// The window is over, and the removal began. Not yet a proof that it is removed.
    Expired {},
    /// Somebody ended the grant early, and the removal began. Not yet a proof that it is removed.
    RevocationRequested {
        /// Why, in their words.
        reason: String,
    },
    /// The opening could not be finished: what it may have left is being removed.
    OpeningFailed {
        /// What went wrong.
        reason: String,
    },
    /// The guardrail that permitted the access wants somebody to look at it afterwards.
    ReviewOwed {
        /// Why, in the guardrail's words.
        reason: String,
    },
    /// An operator looked at it.
    Reviewed {
        /// What they found, in their words.
        note: String,
    },
    /// A removal could not be proven, and will be tried again.
    RevocationFailed {
        /// What went wrong.
        error: String,
        /// How often in a row it failed.
        failures: u32,
        /// When the sweep tries again.
        retry_at: Timestamp,
    },
    /// AWS confirmed that the grant's access is gone, and its timer too.
    Revoked {
        /// How the grant ended.
        outcome: Outcome,
        /// AWS's word on the access.
        access: Proof,
        /// AWS's word on the timer; none where it deletes itself after firing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Proof>,
    },
}

/// By which catalog and guardrails a request was found good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Digest of the catalog.
    pub catalog_digest: String,
    /// Digest of the guardrails.
    #[serde(default)]
    pub guardrails_digest: String,
    /// The guardrails that permitted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permitted_by: Vec<GuardrailId>,
}

/// A change of an active grant's window by a later approval: of its ticket's source, or of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowChange {
    /// What was approved, by whom.
    pub request: AccessRequest,
    /// What decided it.
    #[serde(flatten)]
    pub decided: Decided,
    /// The window before.
    pub from: Window,
    /// The window from now on.
    pub to: Window,
    /// Hex SHA-256 of the new policy document; none for a managed policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_sha256: Option<String>,
    /// What will end it.
    pub timer: Timer,
    /// Until when the changing invocation may have a change in flight.
    pub lease_until: Timestamp,
    /// If an operator approved it by hand (the event's actor): why, in their words, and by which invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How AWS and the ledger differ on one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// A live grant's policy is not there.
    Missing,
    /// A live grant's policy is there with another document.
    Edited,
    /// An ended grant's policy is there.
    Leftover,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Edited => "edited",
            Self::Leftover => "leftover",
        })
    }
}

/// What is done about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftResponse {
    /// The grant is ended: whoever took the access away meant it.
    Close,
    /// What the ledger says is put back.
    Restore,
    /// What nobody has a right to is removed.
    Remove,
}

impl Fact {
    /// The event's name, as in the ledger and the metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "Requested",
            Self::Opened { .. } => "Opened",
            Self::Activated { .. } => "Activated",
            Self::Extended { .. } => "Extended",
            Self::Shortened { .. } => "Shortened",
            Self::ChangeResumed { .. } => "ChangeResumed",
            Self::DriftFound { .. } => "DriftFound",
            Self::DriftRemoved { .. } => "DriftRemoved",
            Self::Expired {} => "Expired",
            Self::RevocationRequested { .. } => "RevocationRequested",
            Self::OpeningFailed { .. } => "OpeningFailed",
            Self::RevocationFailed { .. } => "RevocationFailed",
            Self::Revoked { .. } => "Revoked",
            Self::ReviewOwed { .. } => "ReviewOwed",
            Self::Reviewed { .. } => "Reviewed",
        }
    }

    pub(crate) fn of_cause(cause: Cause, reason: &str) -> Self {
        let reason = reason.to_owned();
        match cause {
            Cause::Expired => Self::Expired {},
            Cause::Revoked => Self::RevocationRequested { reason },
            Cause::OpeningFailed | Cause::Abandoned => Self::OpeningFailed { reason },
        }
    }
}

/// One event of one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The grant.
    pub grant_id: GrantId,
    /// 1 for the first event, without gaps.
    pub seq: u32,
    /// When it happened.
    pub at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub fact: Fact,
    /// The digest of the event before it; [`GENESIS`] for the first.
    pub prev: String,
}

/// What the first event of a grant has as `prev`: 64 zeros.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Event {
    /// The event's canonical bytes: JSON without white space, object keys in code point order.
    #[must_use]
    pub fn canonical(&self) -> String {
        // A value made of strings, integers, maps and lists: serialising it can't fail.
        canonical_json(&serde_json::to_value(self).unwrap_or_default())
    }

    /// Hex SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.canonical()))
    }
}

/// The canonical bytes of any JSON: no white space, object keys in code point order.
#[must_use]
pub fn canonical_json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

/// Writes `value` with sorted keys. `serde_json` alone would sort or not by a feature flag that any
/// crate in the build can turn on, and the digests would change with it.
fn write_canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, item)) in entries.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// The end of a grant's chain of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The last event's number; 0 before the first.
    pub seq: u32,
    /// The last event's digest.
    pub head: String,
}

impl Chain {
    /// A chain without events.
    #[must_use]
    pub fn new() -> Self {
        Self { seq: 0, head: GENESIS.to_owned() }
    }

    /// Adds an event at the end.
    #[must_use]
    pub(crate) fn append(&mut self, grant_id: &GrantId, at: Timestamp, actor: Actor, fact: Fact) -> Event {
        let event = Event {
            grant_id: grant_id.clone(),
            seq: self.seq.saturating_add(1),
            at,
            actor,
            fact,
            prev: std::mem::take(&mut self.head),
        };
        self.seq = event.seq;
        self.head = event.digest();
        event
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a chain of events is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An event is missing, doubled or out of order.
    #[error("event {found} stands where event {expected} should")]
    Gap {
        /// The number that should come next.
        expected: u32,
        /// The number that is there.
        found: u32,
    },
    /// An event does not follow from the one before it: one of them was changed.
    #[error("event {seq} does not follow from the event before it")]
    Altered {
        /// The event whose `prev` does not fit.
        seq: u32,
    },
    /// The events end before or after where the grant says that they end.
    #[error("the last event is number {found}, but the grant says {expected} or has another digest for it")]
    End {
        /// The last number that the grant knows.
        expected: u32,
        /// The last number found.
        found: u32,
    },
}

/// Checks that `events` are whole, in order and unaltered, and end where `end` says.
///
/// # Errors
/// The first [`BrokenChain`] found.
pub fn verify_chain(events: &[Event], end: &Chain) -> Result<(), BrokenChain> {
    let mut so_far = Chain::new();
    for event in events {
        let expected = so_far.seq.saturating_add(1);
        if event.seq != expected {
            return Err(BrokenChain::Gap { expected, found: event.seq });
        }
        if event.prev != so_far.head {
            return Err(BrokenChain::Altered { seq: event.seq });
        }
        so_far = Chain { seq: event.seq, head: event.digest() };
    }
    if so_far == *end { Ok(()) } else { Err(BrokenChain::End { expected: end.seq, found: so_far.seq }) }
}
