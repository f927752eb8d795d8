//! Payloads whose form the sender's documentation fixes: looking into them, and the access that configuration ties to
//! a part of them (a service, an environment, a project).
//!
//! What is not as documented is told by its place and by what stands there. Texts that people wrote become
//! justifications only after everything that could deceive a reader was taken out.

use curfew_domain::decision::JUSTIFICATION_LIMIT;
use curfew_domain::ids::{Email, RoleName, Source, TenantId, TicketId, shown};
use curfew_domain::principal::Principal;
use curfew_domain::request::{
    AccessRequest, Approval, Basis, Notice, TicketClosed, TicketFacts, WindowEnd, WindowRequest,
    deceptive_character,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::standard::{duration, time};
use super::{People, Reading};
use crate::json;
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

/// The access that a part of a payload stands for. Configuration, so nobody who writes tickets can change it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    /// Where.
    pub(crate) tenant: TenantId,
    /// What.
    pub(crate) role: RoleName,
    /// How long; the role's default, if missing.
    pub(crate) duration: Option<Span>,
}

impl Access {
    /// Whether it is the same role in the same tenant, for however long.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        (&self.tenant, &self.role) == (&other.tenant, &other.role)
    }
}

/// A length of time in configuration, like `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(crate) SignedDuration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

/// What somebody wants to have.
pub(crate) struct Wanted {
    pub(crate) tenant: TenantId,
    pub(crate) role: RoleName,
    pub(crate) principal: Option<Principal>,
    pub(crate) window: WindowRequest,
}

impl From<&Access> for Wanted {
    /// From now on, and for whichever principal the person has there.
    fn from(access: &Access) -> Self {
        let end = access.duration.map(|Span(length)| WindowEnd::After(length));
        Self {
            tenant: access.tenant.clone(),
            role: access.role.clone(),
            principal: None,
            window: WindowRequest { starts_at: None, end },
        }
    }
}

/// Who asks for it, why, and what speaks for it.
pub(crate) struct Asked {
    pub(crate) ticket: TicketId,
    pub(crate) requester: Email,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) basis: Basis,
    /// The kind of ticket, for its facts.
    pub(crate) kind: &'static str,
    /// The ticket's state, for its facts.
    pub(crate) state: &'static str,
    pub(crate) justification: String,
}

/// A delivery's payload.
pub(crate) struct Payload<'a> {
    delivery: &'a VerifiedDelivery,
    body: Value,
}

impl<'a> Payload<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`], if it is not one JSON object.
    pub(crate) fn parse(delivery: &'a VerifiedDelivery) -> Result<Self, Malformed> {
        let mut problems = Problems::default();
        let parsed = json::parse_foreign(delivery.body().as_str());
        match problems.take("", parsed.map_err(|error| format!("not valid JSON: {error}"))) {
            Some(body @ Value::Object(_)) => Ok(Self { delivery, body }),
            Some(_) => {
                problems.add("", "is not a JSON object");
                Err(problems.into())
            }
            None => Err(problems.into()),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        self.delivery.source()
    }

    /// What stands at a JSON pointer; nothing for `null`.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(pointer).filter(|value| !value.is_null())
    }

    /// Whether there is an object.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.at(pointer).is_some_and(Value::is_object)
    }

    /// A text to recognise something by; empty, if there is none.
    pub(crate) fn word(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The entries of a list; none, if there is no list.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A text that must be there.
    pub(crate) fn text(&self, pointer: &str, problems: &mut Problems) -> Option<&str> {
        match self.body.pointer(pointer) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
            found => {
                problems.add(pointer, unexpected("a text", found));
                None
            }
        }
    }

    /// A number that tells things or people apart, as text. It must be there.
    pub(crate) fn number(&self, pointer: &str, problems: &mut Problems) -> Option<String> {
        match self.body.pointer(pointer) {
            Some(Value::Number(number)) if number.is_u64() => Some(number.to_string()),
            found => {
                problems.add(pointer, unexpected("a whole number", found));
                None
            }
        }
    }

    /// A time that must be there.
    pub(crate) fn time(&self, pointer: &str, problems: &mut Problems) -> Option<Timestamp> {
        let text = self.text(pointer, problems)?;
        // What Ruby writes by itself, and GitLab in some versions.
        let ruby = text.strip_suffix(" UTC").map(|text| format!("{text}Z"));
        problems.take(pointer, time(ruby.as_deref().unwrap_or(text)))
    }

    /// A ticket by the words for it.
    pub(crate) fn ticket(&self, pointer: &str, text: String, problems: &mut Problems) -> Option<TicketId> {
        problems.take(pointer, TicketId::new(text))
    }

    /// A request.
    pub(crate) fn request(&self, sender: &str, wanted: Wanted, asked: Asked) -> Reading {
        Reading::Notice(Notice::Approved(Box::new(AccessRequest {
            source: self.source().clone(),
            ticket: asked.ticket,
            requester: asked.requester,
            tenant: wanted.tenant,
            role: wanted.role,
            principal: wanted.principal,
            window: wanted.window,
            approvals: asked.approvals,
            basis: asked.basis,
            ticket_facts: TicketFacts {
                sender: sender.to_owned(),
                kind: asked.kind.to_owned(),
                state: asked.state.to_owned(),
            },
            justification: asked.justification,
            delivery: self.delivery.id().clone(),
        })))
    }

    /// The end of a ticket.
    pub(crate) fn closed(&self, ticket: TicketId, closed_by: Option<Email>, reason: &str) -> Reading {
        Reading::Notice(Notice::TicketClosed(TicketClosed {
            source: self.source().clone(),
            ticket,
            closed_by,
            reason: Some(line(reason)),
            delivery: self.delivery.id().clone(),
        }))
    }

    /// Whoever has the account whose number is at `pointer`, which must be there.
    pub(crate) fn by_number(
        &self,
        pointer: &str,
        people: &dyn People,
        problems: &mut Problems,
    ) -> Option<Email> {
        let account = self.number(pointer, problems)?;
        Some(people.address_of(self.source(), &account))
    }
}

/// A payload that says nothing that concerns Curfew.
pub(crate) fn nothing(why: impl Into<String>) -> Reading {
    Reading::Nothing { why: why.into() }
}

/// What was found where something else should be.
pub(crate) fn unexpected(wanted: &str, found: Option<&Value>) -> String {
    match found {
        None => format!("is missing, and should be {wanted}"),
        Some(Value::String(text)) if text.trim().is_empty() => format!("is empty, and should be {wanted}"),
        Some(found) => format!("is {}, and should be {wanted}", shown(&found.to_string())),
    }
}

/// Words of people as one line that deceives nobody: what could is a space. Cut to `JUSTIFICATION_LIMIT`.
pub(crate) fn line(words: &str) -> String {
    let plain = |c: char| {
        let mut buffer = [0; 4];
        let deceives = deceptive_character(c.encode_utf8(&mut buffer)).is_some();
        if deceives || c.is_whitespace() || c == '\u{feff}' { ' ' } else { c }
    };
    let words: String = words.chars().map(plain).collect();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= JUSTIFICATION_LIMIT {
        return words;
    }
    words.chars().take(JUSTIFICATION_LIMIT.saturating_sub(1)).chain(['…']).collect()
}

/// A ticket's title as a justification, with `tail` behind it, which is kept whole as long as it is not longer
/// than a justification itself.
pub(crate) fn justified(title: &str, tail: &str) -> String {
    let (title, tail) = (line(title), line(tail));
    let title = if title.is_empty() { "(no title)".to_owned() } else { title };
    let room = JUSTIFICATION_LIMIT.saturating_sub(tail.chars().count().saturating_add(1));
    if title.chars().count() <= room {
        return line(&format!("{title} {tail}"));
    }
    let cut: String = title.chars().take(room.saturating_sub(1)).collect();
    line(&format!("{cut}… {tail}"))
}

#[cfg(test)]
#[path = "payload_tests.rs"]
pub(crate) mod tests;
