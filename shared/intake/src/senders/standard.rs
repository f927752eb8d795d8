//! Curfew's own JSON, signed by the Standard Webhooks scheme: from a verified body to the domain's words.
//!
//! Judged twice: by the JSON Schema, which is what senders are told, and by the domain's own types, which
//! refuse what they cannot hold. Neither repairs an approval: access is for what was approved, as approved. A closed
//! ticket needs its ticket alone.

use curfew_domain::decision::JUSTIFICATION_LIMIT;
use curfew_domain::ids::{DeliveryId, Email, Label, RoleName, Source, TenantId, TicketId, shown};
use curfew_domain::principal::Principal;
use curfew_domain::request::{
    AccessRequest, Approval, Basis, Notice, TicketClosed, TicketFacts, WindowEnd, WindowRequest,
    deceptive_character,
};
use curfew_domain::window::whole_second;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;

use super::payload::line;
use crate::body::Body;
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;
use crate::{json, schema, wire};

/// Reads a body that nobody signed. For dry runs of one's own making alone (`curfew simulate`, `curfew test`): what it
/// returns was claimed by nobody, and must never be opened.
///
/// # Errors
/// [`Malformed`] with all that is wrong with the body.
pub fn read_unsigned(source: &Source, body: Body) -> Result<Notice, Malformed> {
    let mut problems = Problems::default();
    match problems.take("", DeliveryId::new("unsigned")) {
        Some(id) => read(&VerifiedDelivery::new(source.clone(), id, None, body)),
        None => Err(problems.into()),
    }
}

/// Reads what a delivery says.
///
/// # Errors
/// [`Malformed`] with all that is wrong with the body.
pub(crate) fn read(delivery: &VerifiedDelivery) -> Result<Notice, Malformed> {
    let mut problems = Problems::default();
    let parsed = json::parse(delivery.body().as_str());
    let Some(body) = problems.take("", parsed.map_err(|error| format!("not valid JSON: {error}"))) else {
        return Err(problems.into());
    };
    schema::check(&body).into_result()?;
    convert(&body, delivery)
}

/// The second judgement: what the domain's types say, without the schema.
pub(crate) fn convert(body: &Value, delivery: &VerifiedDelivery) -> Result<Notice, Malformed> {
    let mut problems = Problems::default();
    let message = wire::Message::deserialize(body).map_err(|error| shown(&error.to_string()));
    let notice = match problems.take("", message) {
        Some(wire::Message::AccessApproved(message)) => {
            approved(&mut problems, *message, delivery).map(Notice::Approved)
        }
        Some(wire::Message::TicketClosed(message)) => {
            closed(&mut problems, message, delivery).map(Notice::TicketClosed)
        }
        None => None,
    };
    notice.ok_or_else(|| problems.into())
}

fn approved(
    problems: &mut Problems,
    message: wire::AccessApproved,
    delivery: &VerifiedDelivery,
) -> Option<Box<AccessRequest>> {
    let ticket = problems.take("/ticket", TicketId::new(message.ticket));
    let requester = problems.take("/requester", Email::new(&message.requester));
    let tenant = problems.take("/tenant", TenantId::new(message.tenant));
    let role = problems.take("/role", RoleName::new(message.role));
    let principal = optional(message.principal, |arn| problems.take("/principal", Principal::parse(arn)));
    let basis = basis(problems, message.basis, message.since.as_deref(), message.approvals.is_some());
    let ticket_facts = TicketFacts {
        sender: "standard".to_owned(),
        kind: optional(message.ticket_kind, |kind| problems.take("/ticket_kind", word(kind)))?
            .unwrap_or_default(),
        state: optional(message.ticket_state, |state| problems.take("/ticket_state", word(state)))?
            .unwrap_or_default(),
    };
    let approvals = approvals(problems, &message.approvals.unwrap_or_default());
    let window = window(problems, &message.window);
    let justification = problems.take("/justification", text(message.justification));
    Some(Box::new(AccessRequest {
        source: delivery.source().clone(),
        ticket: ticket?,
        requester: requester?,
        tenant: tenant?,
        role: role?,
        principal: principal?,
        window: window?,
        approvals: approvals?,
        basis: basis?,
        ticket_facts,
        justification: justification?,
        delivery: delivery.id().clone(),
    }))
}

fn closed(
    problems: &mut Problems,
    message: wire::TicketClosed,
    delivery: &VerifiedDelivery,
) -> Option<TicketClosed> {
    let ticket = problems.take("/ticket", TicketId::new(message.ticket));
    // Whoever has the access may write the note that their ticket is closed with: what can't be kept of it is cleaned
    // or left out, and never a ground to let the access go on.
    let closed_by = message.closed_by.as_str().and_then(|person| Email::new(person).ok());
    let reason = message.reason.as_str().map(|words| text(words.to_owned()).unwrap_or_else(|_| line(words)));
    Some(TicketClosed {
        source: delivery.source().clone(),
        ticket: ticket?,
        closed_by,
        reason: reason.filter(|words| !words.is_empty()),
        delivery: delivery.id().clone(),
    })
}

/// A field that may be missing. `None` means that it is there and wrong.
fn optional<T>(field: Option<String>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match field {
        Some(text) => read(&text).map(Some),
        None => Some(None),
    }
}

/// What the request rests on. Approvals have times of their own; the other two have one time, `since`.
fn basis(problems: &mut Problems, basis: wire::Basis, since: Option<&str>, approvals: bool) -> Option<Basis> {
    let at = match since {
        None => None,
        Some(text) => Some(problems.take("/since", time(text))?),
    };
    match (basis, at) {
        (wire::Basis::Approvals, None) if approvals => Some(Basis::Approvals),
        (wire::Basis::Approvals, None) => {
            problems
                .add("", "the field `approvals` is missing; only with another `basis` nobody has to approve");
            None
        }
        (wire::Basis::Approvals, Some(_)) => {
            problems.add("/since", "belongs to the bases `on-call` and `break-glass` only");
            None
        }
        (wire::Basis::OnCall, Some(since)) => Some(Basis::OnCall { since }),
        (wire::Basis::BreakGlass, Some(since)) => Some(Basis::BreakGlass { since }),
        (wire::Basis::OnCall | wire::Basis::BreakGlass, None) => {
            problems.add("", "the field `since` is missing");
            None
        }
    }
}

/// A word for guardrails, which has the form of a label.
fn word(text: &str) -> Result<String, String> {
    Label::new(text)
        .map(String::from)
        .map_err(|error| format!("{} is not valid: {}", error.shown, error.rule))
}

fn approvals(problems: &mut Problems, list: &[wire::Approval]) -> Option<Vec<Approval>> {
    let mut approvals = Some(Vec::with_capacity(list.len()));
    for (index, approval) in list.iter().enumerate() {
        let approver = problems.take(&format!("/approvals/{index}/approver"), Email::new(&approval.approver));
        let at = problems.take(&format!("/approvals/{index}/at"), time(&approval.at));
        // One wrong approval spoils the list; the others are still looked at, to tell everything at once.
        approvals = match (approvals, approver, at) {
            (Some(mut read), Some(approver), Some(at)) => {
                read.push(Approval { approver, at });
                Some(read)
            }
            _ => None,
        };
    }
    approvals
}

fn window(problems: &mut Problems, window: &wire::Window) -> Option<WindowRequest> {
    let starts_at = optional(window.start.clone(), |start| problems.take("/window/start", time(start)));
    let end = match (&window.end, &window.duration) {
        (None, None) => Some(None),
        (Some(end), None) => problems.take("/window/end", time(end)).map(|end| Some(WindowEnd::At(end))),
        (None, Some(span)) => {
            problems.take("/window/duration", duration(span)).map(|span| Some(WindowEnd::After(span)))
        }
        (Some(_), Some(_)) => {
            problems.add("/window", "has both `end` and `duration`; give one of them");
            None
        }
    };
    Some(WindowRequest { starts_at: starts_at?, end: end? })
}

/// A time with its offset, in UTC and without its fraction of a second (cut towards the past, as
/// [`curfew_domain::window`] does: access never lasts longer than was asked for).
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map(whole_second)
        .map_err(|_| format!("{} is not a time with an offset that can be kept", shown(text)))
}

pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(span) if span >= SignedDuration::from_secs(1) => Ok(SignedDuration::from_secs(span.as_secs())),
        _ => Err(format!("{} is not a length of time above zero, such as `1h30m`", shown(text))),
    }
}

/// Words for people, by the rule that [`curfew_domain::decision`] has for justifications: whatever they
/// say, but nothing that could forge a line of a log or hide what is written.
pub(crate) fn text(words: String) -> Result<String, String> {
    let blank = words.chars().all(|c| c.is_whitespace() || c == '\u{feff}');
    if blank || deceptive_character(&words).is_some() || words.chars().count() > JUSTIFICATION_LIMIT {
        Err(format!("{} is not 1 to {JUSTIFICATION_LIMIT} characters of plain text", shown(&words)))
    } else {
        Ok(words)
    }
}
