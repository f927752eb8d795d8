//! Jira and Jira Service Management: an issue whose status becomes an approved one, and the approvals on record.
//!
//! Form: <https://developer.atlassian.com/server/jira/platform/webhooks/>, signature:
//! <https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks>. The webhook is a claim: who
//! moved an issue says nothing about who approved it. Approvers are asked for at the site ([`record`]), and so is what
//! was edited since they approved, because whoever may edit an issue could otherwise have one thing approved and get
//! another.
//!
//! Only a change of the status counts, not the status: every later edit sends it again. Nothing signs a time in a
//! header; all times are those of the issue, so the same delivery, days later, is the same request.

mod record;

use curfew_domain::ids::{Email, TicketId, shown};
use curfew_domain::request::{AccessRequest, Basis, Notice, TicketFacts};
use http::Uri;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use self::record::{Claim, Watched};
use super::config::Configuration;
use super::fields::{Field, Fields, Mapped, person};
use super::payload::{Payload, nothing, unexpected};
use super::signature::Scheme;
use super::slack::is_loopback_origin;
use super::{People, Reading};
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

pub(crate) const SCHEME: Scheme = Scheme { header: "x-hub-signature", prefix: "sha256=", several: false };

/// Who reported an issue in Jira Cloud; a Jira of one's own has `/issue/fields/reporter/name`.
const REPORTER: &str = "/issue/fields/reporter/accountId";
const SUMMARY: &str = "/issue/fields/summary";
/// What all mapped fields are below.
const FIELDS: &str = "/issue/fields/";

/// Its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The site: `https://example.atlassian.net`.
    site: String,
    /// The statuses that an issue gets by being approved.
    #[serde(default = "approved")]
    approved: Vec<String>,
    /// The statuses that end whatever an issue justified, besides those that Jira counts as done.
    #[serde(default = "closed")]
    closed: Vec<String>,
    /// Where the approvals are on record.
    #[serde(default)]
    approvals: Approvals,
    /// The issue types that are changes.
    #[serde(default = "changes")]
    changes: Vec<String>,
    /// The issue types that are incidents; all others are requests.
    #[serde(default = "incidents")]
    incidents: Vec<String>,
    /// Which field holds what.
    fields: Fields,
}

/// Where approvals are on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Approvals {
    /// The approvals of a request in Jira Service Management.
    #[default]
    Jsm,
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn approved() -> Vec<String> {
    words(&["Approved"])
}

fn closed() -> Vec<String> {
    words(&["Done", "Closed", "Cancelled", "Canceled", "Declined", "Rejected", "Resolved"])
}

fn changes() -> Vec<String> {
    words(&["Change", "[System] Change"])
}

fn incidents() -> Vec<String> {
    words(&["Incident", "[System] Incident"])
}

/// Whether a list has a name. Jira has no two statuses or types that differ in case alone.
fn has(list: &[String], name: &str) -> bool {
    let name = name.trim().to_lowercase();
    !name.is_empty() && list.iter().any(|known| known.trim().to_lowercase() == name)
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        if !is_site(&self.site) {
            return Err(format!(
                "`site` is {}, and should be like `https://example.atlassian.net`, without a slash at its end",
                shown(&self.site)
            ));
        }
        for (name, list) in [("approved", &self.approved), ("closed", &self.closed)] {
            if list.is_empty() || list.iter().any(|status| status.trim().is_empty()) {
                return Err(format!("`{name}` must name statuses, and none of them empty"));
            }
        }
        if let Some(both) = self.approved.iter().find(|status| has(&self.closed, status)) {
            return Err(format!(
                "status {} is in `approved` and in `closed`; keep one of the two",
                shown(both)
            ));
        }
        if self.fields.tenant.is_none() || self.fields.role.is_none() {
            return Err("`fields` must say where `tenant` and `role` are".to_owned());
        }
        for (name, field) in self.mapped() {
            if matches!(field, Field::At(_)) && field_id(field).is_none() {
                return Err(format!(
                    "the field `{name}` must be one of the issue's: a pointer below `{FIELDS}`"
                ));
            }
        }
        Ok(())
    }
}

impl Config {
    /// The fields that are mapped.
    fn mapped(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        let fields = &self.fields;
        let named = [
            ("tenant", &fields.tenant),
            ("role", &fields.role),
            ("requester", &fields.requester),
            ("principal", &fields.principal),
            ("start", &fields.start),
            ("end", &fields.end),
            ("duration", &fields.duration),
            ("justification", &fields.justification),
        ];
        named.into_iter().filter_map(|(name, field)| field.as_ref().map(|field| (name, field)))
    }

    /// What must not be edited after an approval: all that says what access is for whom.
    fn watched(&self) -> Watched {
        let apart = ["end", "justification"];
        let mut fields: Vec<String> = self
            .mapped()
            .filter(|(name, _)| !apart.contains(name))
            .filter_map(|(_, field)| field_id(field).map(str::to_owned))
            .collect();
        if self.fields.requester.is_none() {
            fields.push("reporter".to_owned());
        }
        // Guardrails go by the kind of ticket.
        fields.push("issuetype".to_owned());
        let end = self.fields.end.as_ref().and_then(field_id).map(str::to_owned);
        Watched { fields, end, closed: self.closed.clone() }
    }
}

/// The id of the issue's field that a mapping looks into.
fn field_id(field: &Field) -> Option<&str> {
    let Field::At(pointer) = field else { return None };
    pointer.strip_prefix(FIELDS)?.split('/').next().filter(|id| !id.is_empty())
}

/// Whether it is an origin, perhaps with a path of plain words as Jiras of one's own have it.
fn is_site(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
        return false;
    };
    let path = text.strip_prefix(&format!("https://{authority}"));
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let is_https =
        path.is_some_and(|path| path.split('/').skip(1).all(is_plain) && !path.contains(['?', '#']));
    is_https || is_loopback_origin(text)
}

/// Whether it is an issue's key. It becomes part of an address, so nothing else may pass.
fn is_key(text: &str) -> bool {
    let Some((project, number)) = text.split_once('-') else { return false };
    let is_project = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.len() <= 64
        && project.len() >= 2
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && project.chars().all(is_project)
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let mut problems = Problems::default();
    let payload = Payload::parse(delivery)?;
    let event = Event { config, delivery, payload: &payload, people };
    event.read(&mut problems).ok_or_else(|| problems.into())
}

/// One event, whichever.
struct Event<'a> {
    config: &'a Config,
    delivery: &'a VerifiedDelivery,
    payload: &'a Payload<'a>,
    people: &'a dyn People,
}

impl Event<'_> {
    fn read(&self, problems: &mut Problems) -> Option<Reading> {
        match self.payload.word("/webhookEvent") {
            "jira:issue_updated" => self.updated(problems),
            "jira:issue_deleted" => {
                let ticket = self.key("/issue/key", self.payload.at("/issue/key"), problems)?;
                Some(self.payload.closed(ticket, self.actor(), "the issue was deleted"))
            }
            "" => Some(nothing("the body names no event (`webhookEvent`)")),
            other => Some(nothing(format!("the event {} neither gives nor takes access", shown(other)))),
        }
    }

    fn updated(&self, problems: &mut Problems) -> Option<Reading> {
        let items = self.payload.list("/changelog/items");
        // A moved issue has another key, by which nobody would find what it justified before.
        if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| record::is_move(item)) {
            let at = format!("/changelog/items/{index}/fromString");
            let ticket = self.key(&at, item.get("fromString"), problems)?;
            return Some(self.payload.closed(
                ticket,
                self.actor(),
                "the issue was moved and has another key",
            ));
        }
        let statuses: Vec<&str> =
            items.iter().filter(|item| record::is_status(item)).map(record::to_name).collect();
        if let Some(status) = statuses.iter().find(|status| has(&self.config.closed, status)) {
            let ticket = self.key("/issue/key", self.payload.at("/issue/key"), problems)?;
            let reason = format!("the issue's status became {}", shown(status));
            return Some(self.payload.closed(ticket, self.actor(), &reason));
        }
        if let Some(status) = statuses.first().filter(|_| self.is_done()) {
            let ticket = self.key("/issue/key", self.payload.at("/issue/key"), problems)?;
            let reason = format!("the issue's status became {}, which is a done one", shown(status));
            return Some(self.payload.closed(ticket, self.actor(), &reason));
        }
        if statuses.iter().any(|status| has(&self.config.approved, status)) {
            return self.approved(problems);
        }
        if let Some(status) = statuses.first() {
            return Some(nothing(format!(
                "the status {} is neither in `approved` nor in `closed`",
                shown(status)
            )));
        }
        let end = self.config.fields.end.as_ref().and_then(field_id);
        if !end.is_some_and(|end| items.iter().any(|item| record::is_about(item, end))) {
            return Some(nothing("neither the status nor the end of access was changed"));
        }
        let status = self.payload.word("/issue/fields/status/name");
        if has(&self.config.approved, status) {
            self.approved(problems)
        } else {
            Some(nothing(format!(
                "the end was changed while the status, {}, is no approved one",
                shown(status)
            )))
        }
    }

    /// Whether the issue is in a status that Jira counts as done, by whatever name, and that does not approve.
    fn is_done(&self) -> bool {
        let name = self.payload.word("/issue/fields/status/name");
        // The key of a category is Jira's own, and the same in all languages.
        self.payload.word("/issue/fields/status/statusCategory/key") == "done"
            && !has(&self.config.approved, name)
    }

    /// Who did it, as far as the event says.
    fn actor(&self) -> Option<Email> {
        let accounts = ["/user/accountId", "/user/name"].map(|at| self.payload.word(at));
        let account = accounts.into_iter().find(|account| !account.is_empty())?;
        Some(self.people.address_of(self.delivery.source(), account))
    }

    fn key(&self, at: &str, found: Option<&Value>, problems: &mut Problems) -> Option<TicketId> {
        match found {
            Some(Value::String(key)) if is_key(key) => problems.take(at, TicketId::new(key.as_str())),
            found => {
                problems.add(at, unexpected("an issue's key, like `ACC-123`", found));
                None
            }
        }
    }

    /// What is claimed; the approvals have to be asked for.
    fn approved(&self, problems: &mut Problems) -> Option<Reading> {
        let (config, payload) = (self.config, self.payload);
        let body = payload.at("")?;
        let mapped = Mapped { source: self.delivery.source(), body };
        let ticket = self.key("/issue/key", payload.at("/issue/key"), problems);
        let happened_at = self.happened_at(problems);
        let tenant = config.fields.tenant(&mapped, problems);
        let role = config.fields.role(&mapped, problems);
        let reporter = Field::At(REPORTER.to_owned());
        let requester =
            mapped.required("requester", config.fields.requester.as_ref().unwrap_or(&reporter), problems);
        let principal = config.fields.principal(&mapped, problems);
        let window = config.fields.window(&mapped, problems);
        let summary = Field::At(SUMMARY.to_owned());
        let justification = config.fields.justification(&mapped, &summary, problems);
        let issue_type = payload.word("/issue/fields/issuetype/name");
        let kind = if has(&config.changes, issue_type) {
            "change"
        } else if has(&config.incidents, issue_type) {
            "incident"
        } else {
            "request"
        };
        let request = AccessRequest {
            source: self.delivery.source().clone(),
            ticket: ticket?,
            requester: person(self.delivery.source(), self.people, &requester?),
            tenant: tenant?,
            role: role?,
            principal: principal?,
            window: window?,
            approvals: Vec::new(),
            basis: Basis::Approvals,
            ticket_facts: TicketFacts {
                sender: "jira".to_owned(),
                kind: kind.to_owned(),
                state: "approved".to_owned(),
            },
            justification: justification?,
            delivery: self.delivery.id().clone(),
        };
        let claim = Claim {
            request,
            happened_at: happened_at?,
            site: config.site.clone(),
            watched: config.watched(),
        };
        match config.approvals {
            Approvals::Jsm => Some(Reading::Lookup(claim.approvals())),
        }
    }

    /// When Jira says that it happened.
    fn happened_at(&self, problems: &mut Problems) -> Option<Timestamp> {
        let found = self.payload.at("/timestamp");
        let at = found.and_then(Value::as_i64).and_then(|at| Timestamp::from_millisecond(at).ok());
        if at.is_none() {
            problems.add("/timestamp", unexpected("the event's time, in milliseconds since 1970", found));
        }
        at
    }
}

/// An approval without approvers is denied, on record: that is told better there than here.
fn notice(request: AccessRequest) -> Reading {
    Reading::Notice(Notice::Approved(Box::new(request)))
}

#[cfg(test)]
mod tests;
