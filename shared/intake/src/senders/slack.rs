//! Slack interactivity: a button under a message approves or denies access.
//!
//! Form: <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>, signature:
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>. Slack sends an interaction to the app that
//! posted the message, so what the button stands for (its `value`) was written by that app; who clicked, and when, is
//! Slack's word. The click is the approval: the same click is the same request however often it is delivered.
//!
//! Slack shows nothing of the reply to a click; what came of it goes to the address that the click brings ([`ReplyTo`]).

use std::fmt;
use std::net::IpAddr;

use curfew_domain::ids::{Email, RoleName, TenantId, TicketId, shown};
use curfew_domain::principal::Principal;
use curfew_domain::request::{
    AccessRequest, Approval, Basis, Notice, TicketClosed, TicketFacts, WindowEnd, WindowRequest,
};
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Configuration;
use super::fields::person;
use super::payload::{nothing, unexpected};
use super::signature::{self, Scheme};
use super::standard::{duration, text, time};
use super::{People, Reading};
use crate::body::Body;
use crate::json as strict;
use crate::problems::{Malformed, Problems};
use crate::secrets::Secrets;
use crate::verify::{Unverified, VerifiedDelivery, check_age, only};

const SCHEME: Scheme = Scheme { header: "x-slack-signature", prefix: "v0=", several: false };
const HEADER_TIMESTAMP: &str = "x-slack-request-timestamp";

/// The button that approves.
const APPROVE: &str = "curfew_approve";
/// The button that denies.
const DENY: &str = "curfew_deny";
/// The longest value of a button that Slack takes
/// (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const VALUE_LIMIT: usize = 2_000;
/// Where Slack wants to be answered.
const SLACK_ANSWERS: &str = "https://hooks.slack.com";
/// The longest answer, in characters: what Slack shows of a section.
const ANSWER_LIMIT: usize = 3_000;

/// Its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The workspaces whose people may click. Empty: everybody's who sees the message, which in a channel that is
    /// shared with another company are its people too; the catalog knows none of them.
    #[serde(default)]
    workspaces: Vec<String>,
    /// Where answers go: Slack, or a loopback host in its place.
    #[serde(default = "slack_answers")]
    answers: String,
}

fn slack_answers() -> String {
    SLACK_ANSWERS.to_owned()
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        let is_id = |id: &String| {
            id.len() > 1
                && id.starts_with(['T', 'E'])
                && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        };
        if let Some(id) = self.workspaces.iter().find(|id| !is_id(id)) {
            return Err(format!("workspace {} is not one: write its id, like `T0123ABC456`", shown(id)));
        }
        if self.answers == SLACK_ANSWERS || is_loopback_origin(&self.answers) {
            Ok(())
        } else {
            Err(format!(
                "`answers` is {}, and can be `{SLACK_ANSWERS}`, or `http://127.0.0.1:<port>` for a local stack",
                shown(&self.answers)
            ))
        }
    }
}

/// Whether it is `http://<loopback address>:<port>` and nothing more.
pub(crate) fn is_loopback_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let host = uri.host().map(|host| host.trim_matches(['[', ']'])).unwrap_or_default();
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback
        && uri.authority().is_some_and(|authority| {
            !authority.as_str().contains('@') && text == format!("http://{authority}")
        })
}

pub(crate) fn verify(
    source: &str,
    headers: &HeaderMap,
    body: Body,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<VerifiedDelivery, Unverified> {
    let timestamp = only(headers, HEADER_TIMESTAMP)?;
    let sent_at = seconds(timestamp).ok_or(Unverified::HeaderInvalid {
        name: HEADER_TIMESTAMP,
        rule: "whole seconds since 1970, digits only",
    })?;
    check_age(sent_at, now)?;
    let signed = format!("v0:{timestamp}:{}", body.as_str());
    signature::verify(SCHEME, source, headers, body, secrets, Some((signed.as_bytes(), sent_at)))
}

/// Seconds since 1970, in the one form that is signed.
fn seconds(text: &str) -> Option<Timestamp> {
    let seconds = text.parse().ok().filter(|seconds: &i64| *seconds >= 0 && seconds.to_string() == text)?;
    Timestamp::from_second(seconds).ok()
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let mut problems = Problems::default();
    let payload = payload(delivery, &mut problems);
    let read =
        payload.and_then(|payload| Click { config, delivery, people, payload: &payload }.read(&mut problems));
    read.ok_or_else(|| problems.into())
}

/// The form's one field, which is JSON.
fn payload(delivery: &VerifiedDelivery, problems: &mut Problems) -> Option<Value> {
    let fields = form_urlencoded::parse(delivery.body().as_str().as_bytes());
    let mut payloads = fields.filter(|(name, _)| name == "payload").map(|(_, value)| value);
    let Some(payload) = payloads.next() else {
        problems.add(
            "",
            "is not a form with a field `payload`; let Slack's interactivity alone send to this source",
        );
        return None;
    };
    if payloads.next().is_some() {
        problems.add("", "is a form with several fields `payload`");
        return None;
    }
    let parsed = strict::parse_foreign(&payload);
    problems.take("/payload", parsed.map_err(|error| format!("not valid JSON: {error}")))
}

/// What the buttons of Curfew's that were clicked are: one, or something is wrong.
fn buttons(payload: &Value) -> Vec<(usize, &Value)> {
    let actions = payload.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_ours = |action: &Value| matches!(word(action, "/action_id"), APPROVE | DENY);
    actions.iter().enumerate().filter(|(_, action)| is_ours(action)).collect()
}

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A click on a button.
struct Click<'a> {
    config: &'a Config,
    delivery: &'a VerifiedDelivery,
    people: &'a dyn People,
    payload: &'a Value,
}

impl Click<'_> {
    fn read(&self, problems: &mut Problems) -> Option<Reading> {
        let kind = word(self.payload, "/type");
        if kind != "block_actions" {
            return Some(nothing(format!("an interaction of type {} is none with a button", shown(kind))));
        }
        let (index, button) = match buttons(self.payload).as_slice() {
            [] => return Some(nothing(format!("neither `{APPROVE}` nor `{DENY}` was clicked"))),
            [one] => *one,
            _ => {
                problems.add("/payload/actions", "has several of Curfew's buttons; one is clicked at a time");
                return None;
            }
        };
        let workspace = match word(self.payload, "/user/team_id") {
            "" => word(self.payload, "/team/id"),
            of_user => of_user,
        };
        if !self.config.workspaces.is_empty() && !self.config.workspaces.iter().any(|id| id == workspace) {
            let workspace = shown(workspace);
            return Some(nothing(format!("people of workspace {workspace} may not click (`workspaces`)")));
        }
        let at = format!("/payload/actions/{index}");
        let clicker = match self.payload.pointer("/user/id") {
            Some(Value::String(id)) if !id.is_empty() => {
                Some(self.people.address_of(self.delivery.source(), id))
            }
            found => {
                problems.add("/payload/user/id", unexpected("who clicked", found));
                None
            }
        };
        let value = self.value(button, &format!("{at}/value"), problems);
        if word(button, "/action_id") == DENY {
            return self.denied(&value?, clicker?, &format!("{at}/value"), problems);
        }
        let clicked_at = match button.get("action_ts") {
            Some(Value::String(text)) if clicked_at(text).is_some() => clicked_at(text),
            found => {
                problems.add(format!("{at}/action_ts"), unexpected("the time of the click", found));
                None
            }
        };
        let approval = Approval { approver: clicker?, at: clicked_at? };
        self.approved(value?, approval, &format!("{at}/value"), problems)
    }

    /// What the button stands for.
    fn value(&self, button: &Value, at: &str, problems: &mut Problems) -> Option<Value> {
        match button.get("value") {
            Some(Value::String(text)) if text.chars().count() <= VALUE_LIMIT => {
                let parsed = strict::parse(text).map_err(|error| format!("not valid JSON: {error}"));
                problems.take(at, parsed)
            }
            Some(Value::String(_)) => {
                problems.add(at, format!("is longer than {VALUE_LIMIT} characters"));
                None
            }
            found => {
                problems.add(at, unexpected("the button's value", found));
                None
            }
        }
    }

    /// The ticket alone counts: a denial must not fail because of something else.
    fn denied(&self, value: &Value, by: Email, at: &str, problems: &mut Problems) -> Option<Reading> {
        let ticket = match value.get("ticket") {
            Some(Value::String(ticket)) => {
                problems.take(&format!("{at}/ticket"), TicketId::new(ticket.as_str()))
            }
            found => {
                problems.add(format!("{at}/ticket"), unexpected("a ticket", found));
                None
            }
        };
        Some(Reading::Notice(Notice::TicketClosed(TicketClosed {
            source: self.delivery.source().clone(),
            ticket: ticket?,
            closed_by: Some(by),
            reason: Some("it was denied in Slack".to_owned()),
            delivery: self.delivery.id().clone(),
        })))
    }

    fn approved(
        &self,
        value: Value,
        approval: Approval,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Reading> {
        let parsed = Wanted::deserialize(value).map_err(|error| shown(&error.to_string()));
        let wanted = problems.take(at, parsed)?;
        let place = |name: &str| format!("{at}/{name}");
        let source = self.delivery.source();
        let ticket = problems.take(&place("ticket"), TicketId::new(wanted.ticket));
        let requester = if wanted.requester.trim().is_empty() {
            problems.add(place("requester"), "is empty, and should be an address or a Slack account");
            None
        } else {
            Some(person(source, self.people, &wanted.requester))
        };
        let tenant = problems.take(&place("tenant"), TenantId::new(wanted.tenant));
        let role = problems.take(&place("role"), RoleName::new(wanted.role));
        let principal = match wanted.principal {
            Some(arn) => problems.take(&place("principal"), Principal::parse(&arn)).map(Some),
            None => Some(None),
        };
        let starts_at = match wanted.start {
            Some(start) => problems.take(&place("start"), time(&start)).map(Some),
            None => Some(None),
        };
        let end = match (wanted.end, wanted.duration) {
            (Some(_), Some(_)) => {
                problems.add(at, "has both `end` and `duration`; give one of them");
                None
            }
            (Some(end), None) => problems.take(&place("end"), time(&end)).map(|end| Some(WindowEnd::At(end))),
            (None, Some(span)) => {
                problems.take(&place("duration"), duration(&span)).map(|span| Some(WindowEnd::After(span)))
            }
            (None, None) => Some(None),
        };
        let justification = problems.take(&place("justification"), text(wanted.justification));
        Some(Reading::Notice(Notice::Approved(Box::new(AccessRequest {
            source: source.clone(),
            ticket: ticket?,
            requester: requester?,
            tenant: tenant?,
            role: role?,
            principal: principal?,
            window: WindowRequest { starts_at: starts_at?, end: end? },
            approvals: vec![approval],
            basis: Basis::Approvals,
            ticket_facts: TicketFacts {
                sender: "slack".to_owned(),
                kind: "request".to_owned(),
                state: "approved".to_owned(),
            },
            justification: justification?,
            delivery: self.delivery.id().clone(),
        }))))
    }
}

/// What a button stands for: written by the app that posted the message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    ticket: String,
    requester: String,
    tenant: String,
    role: String,
    principal: Option<String>,
    start: Option<String>,
    end: Option<String>,
    duration: Option<String>,
    justification: String,
}

/// The whole second of a time like `1548426417.840180`.
fn clicked_at(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.')?;
    let is_fraction = !fraction.is_empty() && fraction.chars().all(|c| c.is_ascii_digit());
    seconds(whole).filter(|_| is_fraction)
}

/// Where and how to tell whoever clicked what came of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyTo {
    url: String,
}

/// Whoever has the address can write to the conversation.
impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyTo(…)")
    }
}

impl ReplyTo {
    /// Where to post. Its origin is configuration.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to post: JSON that shows `text` to whoever clicked, and to nobody else, and leaves the message as it is.
    #[must_use]
    pub fn body(&self, text: &str) -> String {
        let cut: String = text.chars().take(ANSWER_LIMIT).collect();
        // The three characters that mean something to Slack: without this a ticket could call everybody by `<!channel>`.
        let text = cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        json!({ "response_type": "ephemeral", "replace_original": false, "text": text }).to_string()
    }
}

/// Where to answer, if one of Curfew's buttons was clicked.
pub(crate) fn reply_to(config: &Config, delivery: &VerifiedDelivery) -> Option<ReplyTo> {
    let payload = payload(delivery, &mut Problems::default())?;
    if buttons(&payload).is_empty() {
        return None;
    }
    let url = word(&payload, "/response_url");
    let path = url.strip_prefix(&config.answers)?;
    let is_plain =
        path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic()) && !path.contains('\\');
    is_plain.then(|| ReplyTo { url: url.to_owned() })
}

#[cfg(test)]
mod tests;
