//! A grant's story in words: what its events say to a person, the same in the terminal and in the console.
//!
//! The words of people (justifications, reasons, notes) and of AWS are in it as they are: whoever shows it makes them
//! harmless. Must not know where it is shown.

use curfew_domain::effect::{Found, Proof};
use curfew_domain::event::{DriftResponse, Event, Fact};

/// Who asked, who approved, and what was given for it: each under a name.
#[must_use]
pub fn circumstances(events: &[Event]) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for event in events {
        match &event.fact {
            Fact::Requested { request, .. } => {
                let asked =
                    format!("{} by ticket {} of {}", request.requester, request.ticket, request.source);
                all.push(("asked", asked));
                all.push(("because", request.justification.clone()));
                for approval in &request.approvals {
                    all.push(("approved", format!("{} at {}", approval.approver, approval.at)));
                }
                all.push(("what", format!("role {} in tenant {}", request.role, request.tenant)));
            }
            Fact::Opened { window, access, .. } => {
                all.push(("as", access.clone()));
                all.push(("from", format!("{} until {}", window.starts_at(), window.expires_at())));
            }
            _ => {}
        }
    }
    all
}

/// What an event says beside its name and time.
#[must_use]
pub fn in_words(event: &Event) -> String {
    let actor = &event.actor;
    match &event.fact {
        Fact::Requested { .. } => format!("by {actor}, signature verified"),
        Fact::Opened { timer, .. } => {
            format!(
                "by {actor}: written down before anything changed; its timer will fire at {}",
                timer.fires_at
            )
        }
        Fact::Activated { attached, timer_set } => {
            format!("AWS confirmed the access ({}) and the timer ({})", proven(attached), proven(timer_set))
        }
        Fact::Extended { change } | Fact::Shortened { change } => {
            let mut words = format!(
                "by {actor}: until {} and no longer until {}; its timer moves to {}",
                change.to.expires_at(),
                change.from.expires_at(),
                change.timer.fires_at
            );
            if let Some(reason) = &change.reason {
                words.push_str("; because ");
                words.push_str(reason);
            }
            words
        }
        Fact::ChangeResumed { lease_until } => {
            format!(
                "by {actor}: a change that AWS had not confirmed is made again, until {lease_until} at most"
            )
        }
        Fact::DriftFound { drift, response } => {
            let response = match response {
                DriftResponse::Close => "the grant is ended",
                DriftResponse::Restore => "it is put back",
                DriftResponse::Remove => "it is removed",
            };
            format!("by {actor}: what AWS holds is {drift}, and Curfew did not do it; {response}")
        }
        Fact::DriftRemoved { access } => format!("AWS confirmed that it is gone ({})", proven(access)),
        Fact::Expired {} => format!("by {actor}"),
        Fact::ReviewOwed { reason } => format!("somebody has to look at it afterwards: {reason}"),
        Fact::Reviewed { note } => format!("by {actor}: {note}"),
        Fact::RevocationRequested { reason } | Fact::OpeningFailed { reason } => {
            format!("by {actor}: {reason}")
        }
        Fact::RevocationFailed { error, retry_at, .. } => {
            format!("by {actor}: {error}; tried again at {retry_at}")
        }
        Fact::Revoked { outcome, access, .. } => {
            format!("{outcome}; AWS confirmed that the access is gone ({})", proven(access))
        }
    }
}

fn proven(proof: &Proof) -> String {
    let found = match proof.found {
        Found::Applied if proof.unsettled => "made, at the second try",
        Found::Applied => "made",
        Found::Deleted => "deleted",
        Found::Absent => "not there",
        Found::HeldByOthers => "still held by other grants",
    };
    match &proof.aws_request_id {
        Some(id) => format!("{found}, request {id}"),
        None => found.to_owned(),
    }
}
