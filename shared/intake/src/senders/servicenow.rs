//! ServiceNow: requested items and changes, sent by the business rules in `infra/senders/servicenow`.
//!
//! ServiceNow has no webhooks of its own, so the payload is Curfew's choice: the facts of one ticket as they are when it
//! is sent, signed by the Standard Webhooks scheme. What they mean is decided here and not in the instance.
//!
//! A ticket can be edited after it was approved. Each approval therefore carries what the ticket asked for when it was
//! given (`asked`, `planned`, stamped by a rule and by nobody else), and counts only for that: for the same person,
//! tenant, role, length and words, and for no time outside of the planned window it was given for. One that was taken
//! back ends what it was given for: so does all that un-approves a ticket, as the rules saw it.

use curfew_domain::ids::{Email, RoleName, Source, TenantId, TicketId, shown};
use curfew_domain::request::{AccessRequest, Approval, Basis, Notice, TicketFacts};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::config::Configuration;
use super::fields::{Field, Fields, Mapped, person};
use super::payload::{Payload, nothing, unexpected};
use super::standard::time;
use super::{People, Reading};
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

/// What is bound to the approvals.
const ASKED: &str = "/asked/";
/// The planned window: each approval says which one it was given for.
const PLANNED_START: &str = "/planned/start";
const PLANNED_END: &str = "/planned/end";

const SOMEBODY: &str = "somebody with an `email` or a `user_name`";

/// Its configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the payload holds what, as far as it differs from the business rules as they are shipped.
    #[serde(default)]
    fields: Fields,
    /// By what people are known.
    #[serde(default)]
    people: KnownBy,
}

/// By what people are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KnownBy {
    /// Their email address; without one, their user name as an account.
    #[default]
    Email,
    /// Their user name, as an account. For instances where people can change their own address.
    UserName,
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        let Fields { tenant, role, requester, principal, duration, .. } = &self.fields;
        for (name, field) in [
            ("tenant", tenant),
            ("role", role),
            ("requester", requester),
            ("principal", principal),
            ("duration", duration),
        ] {
            if let Some(Field::At(pointer)) = field
                && !pointer.starts_with(ASKED)
            {
                return Err(unbound(name, pointer, ""));
            }
        }
        for (name, field, planned) in
            [("start", &self.fields.start, PLANNED_START), ("end", &self.fields.end, PLANNED_END)]
        {
            if let Some(Field::At(pointer)) = field
                && !pointer.starts_with(ASKED)
                && pointer != planned
            {
                return Err(unbound(name, pointer, &format!(" and `{planned}`")));
            }
        }
        Ok(())
    }
}

fn unbound(name: &str, pointer: &str, also: &str) -> String {
    format!(
        "the field `{name}` is mapped to {}; only what is below `{ASKED}`{also} is bound to the approvals",
        shown(pointer)
    )
}

/// A kind of ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A requested item (`sc_req_item`).
    Request,
    /// A change (`change_request`).
    Change,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Change => "change",
        }
    }

    /// A state's word, by the values that ServiceNow ships.
    fn state(self, value: &str) -> Option<&'static str> {
        Some(match (self, value) {
            (Self::Request, "-5") => "pending",
            (Self::Request, "1") => "open",
            (Self::Request, "2") => "work-in-progress",
            (Self::Request, "3") => "closed-complete",
            (Self::Request, "4") => "closed-incomplete",
            (Self::Request, "7") => "closed-skipped",
            (Self::Change, "-5") => "new",
            (Self::Change, "-4") => "assess",
            (Self::Change, "-3") => "authorize",
            (Self::Change, "-2") => "scheduled",
            (Self::Change, "-1") => "implement",
            (Self::Change, "0") => "review",
            (Self::Change, "3") => "closed",
            (Self::Change, "4") => "canceled",
            _ => return None,
        })
    }
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let payload = Payload::parse(delivery)?;
    match payload.word("/type") {
        "servicenow.ticket" => {}
        "" => {
            let mut problems = Problems::default();
            problems.add("/type", unexpected("`servicenow.ticket`", payload.at("/type")));
            return Err(problems.into());
        }
        other => return Ok(nothing(format!("the type {} is not about a ticket", shown(other)))),
    }
    let kind = match payload.word("/ticket/table") {
        "sc_req_item" => Kind::Request,
        "change_request" => Kind::Change,
        other => return Ok(nothing(format!("the table {} has no access in it", shown(other)))),
    };
    let mut problems = Problems::default();
    let ticket = payload
        .text("/ticket/number", &mut problems)
        .and_then(|number| payload.ticket("/ticket/number", number.to_owned(), &mut problems));
    let state = match payload.at("/ticket/state") {
        Some(Value::String(value)) => value.clone(),
        Some(Value::Number(value)) => value.to_string(),
        _ => String::new(),
    };
    let word = kind.state(&state).unwrap_or("other");
    let approval = payload.word("/ticket/approval");
    let Some(ticket) = ticket else { return Err(problems.into()) };

    // Before anything else is looked at: an end that is refused is access that stays.
    if let Some(how) = ended(&payload, word, approval) {
        let closed_by = user(config, payload.source(), people, payload.at("/ticket/changed_by"));
        let reason = match payload.word("/ticket/close_notes").trim() {
            "" => how.to_owned(),
            notes => format!("{how}: {notes}"),
        };
        return Ok(payload.closed(ticket, closed_by, &reason));
    }
    if payload.at("/ticket/active").and_then(Value::as_bool).is_none() {
        problems.add("/ticket/active", unexpected("`true` or `false`", payload.at("/ticket/active")));
        return Err(problems.into());
    }
    if approval != "approved" {
        return Ok(nothing(format!("the approval of {ticket} is {}", shown(approval))));
    }
    let request = Request { config, payload: &payload, people, kind, state: word };
    let request = request.read(ticket, delivery, &mut problems);
    problems.into_result()?;
    request.map_or_else(
        || Err(Problems::default().into()),
        |request| Ok(Reading::Notice(Notice::Approved(Box::new(request)))),
    )
}

/// How a ticket ended, if it did. `active` is what ServiceNow itself goes by; instances rename states. What the rules
/// saw happen (`ended`) need not show in the ticket any more.
fn ended(payload: &Payload<'_>, state: &str, approval: &str) -> Option<&'static str> {
    match (approval, state) {
        ("rejected", _) => return Some("rejected"),
        ("cancelled" | "canceled", _) | (_, "canceled") => return Some("canceled"),
        (_, "closed" | "closed-complete" | "closed-incomplete" | "closed-skipped") => return Some("closed"),
        _ => {}
    }
    match payload.at("/ticket/ended").map(Value::as_str) {
        None => {}
        Some(Some("deleted")) => return Some("deleted"),
        Some(Some("unapproved")) => return Some("no longer approved"),
        Some(Some("approval-deleted")) => return Some("an approval was deleted"),
        Some(_) => return Some("ended"),
    }
    if payload.at("/ticket/active") == Some(&Value::Bool(false)) {
        return Some("closed");
    }
    let is_taken_back = payload.list("/approvals").iter().any(|one| is_taken_back(one, approval));
    is_taken_back.then_some("an approval was taken back")
}

/// Whether an approval was given and is not any more. While the ticket stays approved, somebody may merely be asked
/// again: for a later end.
fn is_taken_back(one: &Value, approval: &str) -> bool {
    let state = one.get("state").and_then(Value::as_str).unwrap_or_default();
    one.get("taken_back") == Some(&Value::Bool(true))
        && (approval != "approved" || matches!(state, "rejected" | "cancelled" | "canceled"))
}

/// Somebody, by what the configuration says; nobody, if the payload names nobody.
fn user(config: &Config, source: &Source, people: &dyn People, found: Option<&Value>) -> Option<Email> {
    let text = |name: &str| {
        let text = found?.get(name)?.as_str()?.trim();
        if text.is_empty() { None } else { Some(text) }
    };
    let address = text("email").and_then(|email| Email::new(email).ok());
    let account =
        || text("user_name").or_else(|| text("sys_id")).map(|account| people.address_of(source, account));
    match config.people {
        KnownBy::Email => address.or_else(account),
        KnownBy::UserName => account(),
    }
}

/// A ticket that is approved and not ended.
struct Request<'a> {
    config: &'a Config,
    payload: &'a Payload<'a>,
    people: &'a dyn People,
    kind: Kind,
    state: &'static str,
}

impl Request<'_> {
    fn read(
        &self,
        ticket: TicketId,
        delivery: &VerifiedDelivery,
        problems: &mut Problems,
    ) -> Option<AccessRequest> {
        let body = self.payload.at("")?;
        let mapped = Mapped { source: self.payload.source(), body };
        let fields = self.fields();
        let tenant: Option<TenantId> = fields.tenant(&mapped, problems);
        let role: Option<RoleName> = fields.role(&mapped, problems);
        let requester = self.requester(&mapped, problems);
        let principal = fields.principal(&mapped, problems);
        let window = fields.window(&mapped, problems);
        let justification = fields.justification(&mapped, &at("/justification"), problems);
        let approvals = self.approvals(problems);
        Some(AccessRequest {
            source: delivery.source().clone(),
            ticket,
            requester: requester?,
            tenant: tenant?,
            role: role?,
            principal: principal?,
            window: window?,
            approvals: approvals?,
            basis: Basis::Approvals,
            ticket_facts: TicketFacts {
                sender: "servicenow".to_owned(),
                kind: self.kind.name().to_owned(),
                state: self.state.to_owned(),
            },
            justification: justification?,
            delivery: delivery.id().clone(),
        })
    }

    /// The configured mapping, and what the shipped rules send where nothing is configured.
    fn fields(&self) -> Fields {
        let configured = self.config.fields.clone();
        let or = |field: Option<Field>, pointer: &str| field.or_else(|| Some(at(pointer)));
        Fields {
            tenant: or(configured.tenant, "/asked/variables/curfew_tenant"),
            role: or(configured.role, "/asked/variables/curfew_role"),
            principal: or(configured.principal, "/asked/variables/curfew_principal"),
            start: or(configured.start, PLANNED_START),
            end: or(configured.end, PLANNED_END),
            duration: or(configured.duration, "/asked/variables/curfew_duration"),
            requester: configured.requester,
            justification: configured.justification,
        }
    }

    fn requester(&self, mapped: &Mapped<'_>, problems: &mut Problems) -> Option<Email> {
        if let Some(field) = &self.config.fields.requester {
            let text = mapped.required("requester", field, problems)?;
            return Some(match self.config.people {
                KnownBy::Email => person(mapped.source, self.people, &text),
                KnownBy::UserName => self.people.address_of(mapped.source, &text),
            });
        }
        let found = self.payload.at("/asked/requester");
        let requester = user(self.config, mapped.source, self.people, found);
        if requester.is_none() {
            problems.add("/asked/requester", unexpected(SOMEBODY, found));
        }
        requester
    }

    /// The approvals that were given for what the ticket asks for now.
    fn approvals(&self, problems: &mut Problems) -> Option<Vec<Approval>> {
        let mut counted = Some(Vec::new());
        let mut others: Vec<(String, String)> = Vec::new();
        for (index, approval) in self.payload.list("/approvals").iter().enumerate() {
            if approval.get("state").and_then(Value::as_str) != Some("approved") {
                continue;
            }
            let place = format!("/approvals/{index}");
            if let Some(difference) = self.difference(approval, &place, problems) {
                others.push((place, difference));
                continue;
            }
            counted = match (counted, self.approval(approval, &place, problems)) {
                (Some(mut counted), Some(approval)) => {
                    counted.push(approval);
                    Some(counted)
                }
                _ => None,
            };
        }
        // Without any, the request is denied on record. With some that don't count, it has to be said why.
        if counted.as_ref().is_some_and(Vec::is_empty) {
            for (place, difference) in others {
                problems.add(
                    place,
                    format!("does not count: {difference}; ask for approval of the ticket as it is now"),
                );
            }
        }
        counted
    }

    fn approval(&self, approval: &Value, place: &str, problems: &mut Problems) -> Option<Approval> {
        let by = approval.get("decided_by");
        let approver = user(self.config, self.payload.source(), self.people, by);
        if approver.is_none() {
            problems.add(format!("{place}/decided_by"), unexpected(SOMEBODY, by));
        }
        let at = format!("{place}/decided_at");
        let decided = self.payload.text(&at, problems).and_then(|text| problems.take(&at, time(text)));
        Some(Approval { approver: approver?, at: decided? })
    }

    /// What the ticket has that the approval was not given for, if anything.
    fn difference(&self, approval: &Value, place: &str, problems: &mut Problems) -> Option<String> {
        let asked = self.payload.at("/asked");
        match approval.get("asked").filter(|given| !given.is_null()) {
            None => return Some("it was given before Curfew's rules were there, or past them".to_owned()),
            Some(given) if Some(given) != asked => return Some(differing(given, asked)),
            Some(_) => {}
        }
        let mut planned =
            |of: Option<&Value>, name: &str, at: String| match of.and_then(|of| of.pointer(name)) {
                None | Some(Value::Null) => Some(None),
                Some(Value::String(text)) => problems.take(&at, time(text)).map(Some),
                found => {
                    problems.add(at, unexpected("a time", found));
                    None
                }
            };
        let mut both = |name: &str| {
            let now = planned(self.payload.at(""), name, name.to_owned());
            let then = planned(Some(approval), name, format!("{place}{name}"));
            Some((now?, then?))
        };
        // What is not a time is a problem by itself.
        // Without an end, the length counts from the start: a later start is time that nobody approved.
        let has_end = is_planned(self.config.fields.end.as_ref()) && self.payload.at(PLANNED_END).is_some();
        if is_planned(self.config.fields.start.as_ref())
            && let Some((now, then)) = both(PLANNED_START)
            && (now.is_none() != then.is_none() || now < then || (!has_end && now != then))
        {
            return Some(moved("start", now, then));
        }
        if is_planned(self.config.fields.end.as_ref())
            && let Some((now, then)) = both(PLANNED_END)
            && (now.is_none() != then.is_none() || now > then)
        {
            return Some(moved("end", now, then));
        }
        None
    }
}

/// Whether a time comes from the planned window.
fn is_planned(field: Option<&Field>) -> bool {
    match field {
        None => true,
        Some(Field::Fixed(_)) => false,
        Some(Field::At(pointer)) => !pointer.starts_with(ASKED),
    }
}

fn at(pointer: &str) -> Field {
    Field::At(pointer.to_owned())
}

fn moved(name: &str, now: Option<Timestamp>, then: Option<Timestamp>) -> String {
    let told = |time: Option<Timestamp>| time.map_or_else(|| "none".to_owned(), |time| format!("`{time}`"));
    format!("the planned {name} is {} now, and was {} when it was given", told(now), told(then))
}

/// What differs between what was asked when an approval was given, and what is asked now. Names only: the values are
/// in the ticket's history.
fn differing(given: &Value, asked: Option<&Value>) -> String {
    if given.get("ticket") != asked.and_then(|asked| asked.get("ticket")) {
        return "it was given for another ticket, or by older rules".to_owned();
    }
    let mut names: Vec<String> = Vec::new();
    for (part, name) in [("requester", "`requester`"), ("words", "`justification`")] {
        if given.get(part) != asked.and_then(|asked| asked.get(part)) {
            names.push(name.to_owned());
        }
    }
    let variables = |value: Option<&Value>| {
        value.and_then(|value| value.get("variables")).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (then, now) = (variables(Some(given)), variables(asked));
    let changed = then.keys().chain(now.keys()).filter(|name| then.get(*name) != now.get(*name));
    names.extend(changed.map(|name| shown(name)));
    names.sort();
    names.dedup();
    names.truncate(8);
    if names.is_empty() {
        "the ticket asked for something else when it was given".to_owned()
    } else {
        format!("{} changed after it was given", names.join(", "))
    }
}

#[cfg(test)]
#[path = "servicenow_tests.rs"]
mod tests;
