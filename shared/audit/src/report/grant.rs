//! A grant's row: its whole life, from the request to the proof that it is gone.
//!
//! Must not know how it is shown; nor records.

use curfew_domain::effect::Found;
use curfew_domain::event::{Decided, Drift, DriftResponse};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::GrantId;
use curfew_domain::request::{AccessRequest, Approval, Basis};
use curfew_domain::window::Window;
use jiff::Timestamp;
use serde::Serialize;

/// One grant. What is missing has not happened, or is not in the archive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrantRow {
    /// Its id.
    pub grant_id: GrantId,
    /// Whether it is in the sample.
    pub sampled: bool,
    /// The system that its ticket lives in.
    pub source: String,
    /// Its ticket.
    pub ticket: String,
    /// Who asked, and received the access.
    pub requester: String,
    /// Where.
    pub tenant: String,
    /// What.
    pub role: String,
    /// Whether the role is a privileged one.
    pub privileged: bool,
    /// The ARN of what received it.
    pub principal: String,
    /// What was attached, in words.
    pub access: Option<String>,
    /// Hex SHA-256 of the policy document, if it was the grant's own.
    pub document_sha256: Option<String>,
    /// When it was asked for and permitted.
    pub requested_at: Option<Timestamp>,
    /// What was asked for, and who approved.
    pub request: Option<AccessRequest>,
    /// By which catalog and guardrails it was permitted.
    pub decided: Option<Decided>,
    /// Over which time it was given at first.
    pub window: Option<Window>,
    /// When it took effect: AWS had confirmed it, and its window had begun.
    pub effective_at: Option<Timestamp>,
    /// AWS's id of the request that attached it.
    pub attached_by: Option<String>,
    /// Changes of its end, in order.
    pub changes: Vec<Change>,
    /// How it came to its end.
    pub ending: Option<Ending>,
    /// Who asked for its end when it was over: what failed to open is not to be tried again.
    pub overruled: Option<Ending>,
    /// The proof that it is gone.
    pub removal: Option<Removal>,
    /// How often its removal could not be proven at first.
    pub removal_failures: u32,
    /// What was found in AWS that Curfew had not done.
    pub drift: Vec<DriftSeen>,
    /// The review afterwards, if one was owed.
    pub review: Option<ReviewRow>,
    /// Which records it is made of.
    pub records: Span,
}

/// Which events of a grant are in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first one's number.
    pub first: u32,
    /// The last one's.
    pub last: u32,
    /// How many.
    pub count: u32,
    /// When the first one happened.
    pub since: Option<Timestamp>,
}

impl Span {
    /// Whether some that must be there are not: before the first, or in between.
    #[must_use]
    pub fn is_missing_some(self) -> bool {
        self.count != self.last
    }
}

/// Which way an end was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Later.
    Extended,
    /// Earlier.
    Shortened,
}

/// A change of a grant's end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// When it was decided.
    pub at: Timestamp,
    /// Which way.
    pub direction: Direction,
    /// By whom, in words.
    pub by: String,
    /// The end before.
    pub from: Timestamp,
    /// The end from then on.
    pub to: Timestamp,
    /// Who approved.
    pub approvals: Vec<Approval>,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// By which catalog and guardrails it was permitted.
    pub decided: Decided,
}

/// How a grant came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// When that began.
    pub at: Timestamp,
    /// The name of the event: `Expired`, `RevocationRequested`, `OpeningFailed`.
    pub event: &'static str,
    /// By whom or what, in words.
    pub by: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
}

/// AWS's proof that a grant's access is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// When AWS confirmed it.
    pub at: Timestamp,
    /// How the grant ended.
    pub outcome: Outcome,
    /// What AWS said.
    pub found: Found,
    /// AWS's id of the request.
    pub aws_request_id: Option<String>,
    /// How long it took.
    pub seconds: Option<i64>,
    /// From when that is counted.
    pub counted_from: RemovalMeasure,
}

/// From when a removal's time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalMeasure {
    /// The window's end.
    WindowEnd,
    /// The moment that somebody asked for it, or that the opening was given up.
    Asked,
}

/// Something that Curfew had not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftSeen {
    /// When it was found.
    pub at: Timestamp,
    /// What.
    pub drift: Drift,
    /// What was to be done about it.
    pub response: DriftResponse,
    /// AWS's word that it was done; none, as long as there is none.
    pub confirmed: Option<Confirmed>,
}

/// AWS's word that something found was dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// When AWS said so.
    pub at: Timestamp,
    /// What AWS said.
    pub found: Found,
    /// AWS's id of the request.
    pub aws_request_id: Option<String>,
    /// Whether that was the grant's own end.
    pub by_the_end: bool,
}

/// A review that is owed, or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewRow {
    /// Since when it was owed.
    pub owed_since: Timestamp,
    /// Why, in the guardrail's words.
    pub reason: String,
    /// What somebody found; none, if nobody has looked.
    pub done: Option<ReviewDone>,
}

/// A review that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewDone {
    /// When.
    pub at: Timestamp,
    /// By whom, in words.
    pub by: String,
    /// What they found.
    pub note: String,
}

impl GrantRow {
    /// When its story begins, as far as the archive goes.
    #[must_use]
    pub fn begins(&self) -> Option<Timestamp> {
        self.requested_at.or(self.records.since)
    }

    /// The end that is in force.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.changes.last().map(|change| change.to).or_else(|| self.window.map(Window::expires_at))
    }

    /// What it rested on, if not on approvals: an emergency.
    #[must_use]
    pub fn emergency(&self) -> Option<Basis> {
        self.request.as_ref().map(|request| request.basis).filter(|basis| basis.since().is_some())
    }

    /// Whether something was found in AWS of which AWS has not said yet that it was dealt with.
    #[must_use]
    pub fn has_open_drift(&self) -> bool {
        self.drift.iter().any(|seen| seen.confirmed.is_none())
    }

    /// Whether a review of it is owed and not done. What never took effect is owed none.
    #[must_use]
    pub fn owes_review(&self) -> bool {
        let failed = self.removal.as_ref().is_some_and(|removal| removal.outcome == Outcome::Failed);
        !failed && self.review.as_ref().is_some_and(|review| review.done.is_none())
    }

    /// The newest approval of the request.
    #[must_use]
    pub fn approved_at(&self) -> Option<Timestamp> {
        self.request.as_ref()?.approvals.iter().map(|approval| approval.at).max()
    }

    /// From when on AWS refuses by itself, if the policy carries its times: the latest end that it ever had.
    fn refused_from(&self) -> Option<Timestamp> {
        self.document_sha256.as_ref()?;
        let changed = self.changes.iter().map(|change| change.to);
        changed.chain(self.window.map(Window::expires_at)).max()
    }

    /// For how long access held between two times, in seconds; until `until`, if nothing had ended it by then.
    #[must_use]
    pub fn held_seconds(&self, from: Timestamp, until: Timestamp) -> i64 {
        let Some(effective) = self.effective_at else { return 0 };
        let removed = self.removal.as_ref().map(|removal| removal.at);
        let end = removed.into_iter().chain(self.refused_from()).fold(until, Timestamp::min);
        end.duration_since(effective.max(from)).as_secs().max(0)
    }
}
