//! A grant's events, one after the other, become its row.
//!
//! Events may come twice and, from objects that were written side by side, out of turn: each waits for the one before it.
//! Must not know objects or lines.

use std::collections::BTreeMap;

use curfew_domain::effect::Proof;
use curfew_domain::event::{DriftResponse, Event, Fact, WindowChange};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::GrantId;
use curfew_domain::principal::Principal;
use jiff::Timestamp;
use serde_json::Value;

use super::grant::{
    Change, Confirmed, Direction, DriftSeen, Ending, GrantRow, Removal, RemovalMeasure, ReviewDone,
    ReviewRow, Span,
};

/// A row that is being made.
#[derive(Debug)]
pub(super) struct Folding {
    row: GrantRow,
    /// Events whose predecessor has not come yet.
    waiting: BTreeMap<u32, Event>,
}

impl Folding {
    /// An empty row of a grant: whose it is, every record of it says. The events say it too, and they are bound to the
    /// chain where these words are not: they take their place as they come.
    pub(super) fn new(grant_id: &GrantId, ocsf: &Value) -> Self {
        let text = |pointer: &str| {
            ocsf.pointer(pointer).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
        };
        let row = GrantRow {
            grant_id: grant_id.clone(),
            sampled: false,
            source: text("/unmapped/curfew/source"),
            ticket: text("/unmapped/curfew/ticket"),
            requester: text("/unmapped/curfew/requester"),
            tenant: text("/metadata/tenant_uid"),
            role: text("/unmapped/curfew/role"),
            privileged: ocsf.pointer("/unmapped/curfew/privileged").and_then(Value::as_bool).unwrap_or(false),
            principal: text("/user/uid"),
            access: None,
            document_sha256: None,
            requested_at: None,
            request: None,
            decided: None,
            window: None,
            effective_at: None,
            attached_by: None,
            changes: Vec::new(),
            ending: None,
            overruled: None,
            removal: None,
            removal_failures: 0,
            drift: Vec::new(),
            review: None,
            records: Span { first: 0, last: 0, count: 0, since: None },
        };
        Self { row, waiting: BTreeMap::new() }
    }

    /// Takes an event in, once.
    pub(super) fn take(&mut self, event: Event) {
        if event.seq <= self.row.records.last {
            return;
        }
        self.waiting.insert(event.seq, event);
        while let Some(next) = self.row.records.last.checked_add(1) {
            let Some(event) = self.waiting.remove(&next) else { break };
            self.fold(event);
        }
    }

    /// The row, with whatever is still waiting: what is missing between is not in the archive.
    pub(super) fn finish(mut self) -> GrantRow {
        for event in std::mem::take(&mut self.waiting).into_values() {
            self.fold(event);
        }
        let mut row = self.row;
        // A policy is attached before its window begins: what was removed before then never gave anything.
        let gone = row.removal.as_ref().map(|removal| removal.at);
        row.effective_at = row.effective_at.filter(|begins| gone.is_none_or(|gone| *begins < gone));
        row
    }

    fn fold(&mut self, event: Event) {
        let Event { seq, at, actor, fact, .. } = event;
        let row = &mut self.row;
        let by = actor.to_string();
        if row.records.count == 0 {
            row.records = Span { first: seq, last: seq, count: 0, since: Some(at) };
        }
        row.records.last = seq;
        row.records.count = row.records.count.saturating_add(1);
        let name = fact.name();
        match fact {
            Fact::Requested { request, decided } => {
                row.requested_at = Some(at);
                row.source = request.source.to_string();
                row.ticket = request.ticket.to_string();
                row.requester = request.requester.to_string();
                row.tenant = request.tenant.to_string();
                row.role = request.role.to_string();
                row.request = Some(*request);
                row.decided = Some(decided);
            }
            Fact::Opened { access, document_sha256, window, .. } => {
                let principal = access.rsplit_once(" on ").map(|(_, arn)| Principal::parse(arn));
                if let Some(Ok(principal)) = principal {
                    row.principal = principal.arn().to_owned();
                }
                row.access = Some(access);
                row.document_sha256 = document_sha256;
                row.window = Some(window);
            }
            // Also the confirmation of a change: access held before it.
            Fact::Activated { attached, .. } => {
                let begins = row.window.map_or(at, |window| at.max(window.starts_at()));
                row.effective_at.get_or_insert(begins);
                confirm(row, DriftResponse::Restore, &attached, false);
                if row.attached_by.is_none() {
                    row.attached_by = attached.aws_request_id;
                }
            }
            Fact::Extended { change } => row.changes.push(changed(at, by, Direction::Extended, *change)),
            Fact::Shortened { change } => row.changes.push(changed(at, by, Direction::Shortened, *change)),
            Fact::DriftFound { drift, response } => {
                row.drift.push(DriftSeen { at, drift, response, confirmed: None });
            }
            // Each lap that found it still there told so: this settles them all.
            Fact::DriftRemoved { access } => confirm(row, DriftResponse::Remove, &access, false),
            Fact::Expired {} => row.ending = Some(Ending { at, event: name, by, reason: None }),
            Fact::RevocationRequested { reason } | Fact::OpeningFailed { reason } => {
                let ending = Some(Ending { at, event: name, by, reason: Some(reason) });
                *(if row.removal.is_some() { &mut row.overruled } else { &mut row.ending }) = ending;
            }
            Fact::ReviewOwed { reason } => {
                row.review = Some(ReviewRow { owed_since: at, reason, done: None })
            }
            Fact::Reviewed { note } => {
                let done = Some(ReviewDone { at, by, note });
                match &mut row.review {
                    Some(review) => review.done = done,
                    // Why it was owed is not in the archive.
                    none => *none = Some(ReviewRow { owed_since: at, reason: String::new(), done }),
                }
            }
            Fact::RevocationFailed { .. } => row.removal_failures = row.removal_failures.saturating_add(1),
            Fact::Revoked { outcome, access, .. } => {
                let (counted_from, from) = match outcome {
                    Outcome::Expired => (RemovalMeasure::WindowEnd, row.ends_at()),
                    Outcome::Revoked | Outcome::Failed => {
                        (RemovalMeasure::Asked, row.ending.as_ref().map(|ending| ending.at))
                    }
                };
                for response in [DriftResponse::Close, DriftResponse::Restore] {
                    confirm(row, response, &access, true);
                }
                row.removal = Some(Removal {
                    at: access.at,
                    outcome,
                    found: access.found,
                    seconds: from.map(|from| access.at.duration_since(from).as_secs()),
                    aws_request_id: access.aws_request_id,
                    counted_from,
                });
            }
            Fact::ChangeResumed { .. } => {}
        }
    }
}

/// AWS's answer settles what was found before it and was to be dealt with so.
fn confirm(row: &mut GrantRow, response: DriftResponse, proof: &Proof, by_the_end: bool) {
    let open = |seen: &&mut DriftSeen| seen.response == response && seen.confirmed.is_none();
    for seen in row.drift.iter_mut().filter(open) {
        let Proof { at, found, aws_request_id, .. } = proof.clone();
        seen.confirmed = Some(Confirmed { at, found, aws_request_id, by_the_end });
    }
}

fn changed(at: Timestamp, by: String, direction: Direction, change: WindowChange) -> Change {
    let WindowChange { request, decided, from, to, reason, .. } = change;
    Change {
        at,
        direction,
        by,
        from: from.expires_at(),
        to: to.expires_at(),
        approvals: request.approvals,
        reason,
        decided,
    }
}
