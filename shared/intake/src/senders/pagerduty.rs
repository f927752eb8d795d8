//! PagerDuty v3 webhooks: whoever is on call for an open incident gets access for it.
//!
//! PagerDuty knows no approvals. That an incident is open and somebody's is what the access rests on
//! ([`Basis::OnCall`]); whether that is enough, and for whom, the guardrails say. Form and signature:
//! <https://developer.pagerduty.com/docs/webhooks-overview>, <https://developer.pagerduty.com/docs/verifying-webhook-signatures>.
//!
//! Nothing signs a time, so a delivery is as old as the event that it tells of: the same delivery, days later, is the
//! same request. Accounts are PagerDuty's ids of users (`PTUXL6G`).

use std::collections::BTreeMap;

use curfew_domain::ids::{Email, shown};
use curfew_domain::request::Basis;
use serde::Deserialize;
use serde_json::Value;

use super::config::Configuration;
use super::payload::{Access, Asked, Payload, justified, nothing, unexpected};
use super::signature::Scheme;
use super::{People, Reading};
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

pub(crate) const SCHEME: Scheme = Scheme { header: "x-pagerduty-signature", prefix: "v1=", several: true };

/// Its configuration: which access an incident of which service stands for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By the service's id.
    #[serde(default)]
    services: BTreeMap<String, Access>,
    /// For every other service.
    default: Option<Access>,
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        let is_id =
            |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if let Some(id) = self.services.keys().find(|id| !is_id(id)) {
            return Err(format!(
                "service {} is not PagerDuty's id of one: take it from the end of the service's address",
                shown(id)
            ));
        }
        if self.services.is_empty() && self.default.is_none() {
            return Err("no service has any access: write `[source.<name>.services.<id>]`".to_owned());
        }
        Ok(())
    }
}

impl Config {
    fn access(&self, service: &str) -> Option<&Access> {
        self.services.get(service).or(self.default.as_ref())
    }
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let payload = Payload::parse(delivery)?;
    let mut problems = Problems::default();
    let Some(event) = payload.text("/event/event_type", &mut problems) else { return Err(problems.into()) };
    let reading = match event {
        "incident.acknowledged" => acknowledged(config, &payload, people, &mut problems),
        // All of them say whose the incident is now.
        "incident.triggered" | "incident.reassigned" | "incident.delegated" | "incident.escalated" => {
            assigned(config, &payload, people, &mut problems)
        }
        "incident.resolved" => closed(&payload, people, "the incident was resolved", &mut problems),
        "incident.service_updated" => moved(config, &payload, people, &mut problems),
        other => Some(nothing(format!("the event {} neither gives nor takes access", shown(other)))),
    };
    reading.ok_or_else(|| problems.into())
}

/// Somebody took the incident.
fn acknowledged(
    config: &Config,
    payload: &Payload<'_>,
    people: &dyn People,
    problems: &mut Problems,
) -> Option<Reading> {
    let Some(agent) = user(payload.at("/event/agent")) else {
        return Some(nothing("the incident was acknowledged by something that is not a person"));
    };
    let assignees = assignees(payload, problems)?;
    if !assignees.contains(&agent) {
        return Some(nothing(format!(
            "{} acknowledged the incident, and it is not assigned to them",
            shown(agent)
        )));
    }
    on_call(config, payload, people, agent, problems)
}

/// The incident is somebody's, who did not say anything yet.
fn assigned(
    config: &Config,
    payload: &Payload<'_>,
    people: &dyn People,
    problems: &mut Problems,
) -> Option<Reading> {
    match assignees(payload, problems)?.as_slice() {
        [] => Some(nothing("the incident is assigned to nobody")),
        [assignee] => on_call(config, payload, people, assignee, problems),
        several => Some(nothing(format!(
            "the incident is assigned to {} people: whoever acknowledges it gets access",
            several.len()
        ))),
    }
}

fn on_call(
    config: &Config,
    payload: &Payload<'_>,
    people: &dyn People,
    account: &str,
    problems: &mut Problems,
) -> Option<Reading> {
    let status = payload.word("/event/data/status");
    if !matches!(status, "triggered" | "acknowledged") {
        return Some(nothing(format!("the incident is not open: its status is {}", shown(status))));
    }
    let service = payload.text("/event/data/service/id", problems)?;
    let Some(access) = config.access(service) else {
        return Some(nothing(format!("no access is configured for incidents of service {}", shown(service))));
    };
    let ticket = payload.text("/event/data/id", problems).map(str::to_owned);
    let ticket = ticket.and_then(|id| payload.ticket("/event/data/id", id, problems));
    let since = payload.time("/event/occurred_at", problems);
    let asked = Asked {
        ticket: ticket?,
        requester: person(payload, people, account),
        approvals: Vec::new(),
        basis: Basis::OnCall { since: since? },
        kind: "incident",
        state: "open",
        justification: justification(payload),
    };
    Some(payload.request("pagerduty", access.into(), asked))
}

/// The incident is another service's now. A webhook of the old service alone will not hear how it ends, and whoever has
/// the access may be the one who moved it; so this is the end, unless both services stand for the same access.
///
/// The event does not say which service had the incident, so every access of this source must be the same. The new
/// service must be named: a default is no sign that anything is heard of it.
fn moved(
    config: &Config,
    payload: &Payload<'_>,
    people: &dyn People,
    problems: &mut Problems,
) -> Option<Reading> {
    let service = payload.word("/event/data/service/id");
    if let Some(new) = config.services.get(service)
        && config.services.values().chain(&config.default).all(|old| old.is_as(new))
    {
        return Some(nothing(format!(
            "the incident was moved to service {}, which stands for the same access",
            shown(service)
        )));
    }
    closed(payload, people, "the incident was moved to another service", problems)
}

/// Also for services that are not configured (any more): what they once gave must end.
fn closed(
    payload: &Payload<'_>,
    people: &dyn People,
    reason: &str,
    problems: &mut Problems,
) -> Option<Reading> {
    let id = payload.text("/event/data/id", problems)?.to_owned();
    let ticket = payload.ticket("/event/data/id", id, problems)?;
    let closed_by = user(payload.at("/event/agent")).map(|agent| person(payload, people, agent));
    Some(payload.closed(ticket, closed_by, reason))
}

/// The accounts of everybody that it is assigned to, each once.
fn assignees<'a>(payload: &'a Payload<'_>, problems: &mut Problems) -> Option<Vec<&'a str>> {
    const PLACE: &str = "/event/data/assignees";
    let found = payload.at(PLACE);
    let Some(list) = found.and_then(Value::as_array) else {
        problems.add(PLACE, unexpected("a list of users", found));
        return None;
    };
    let mut accounts: Vec<&str> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let Some(account) = user(Some(entry)) else {
            problems.add(format!("{PLACE}/{index}"), unexpected("a user with an id", Some(entry)));
            return None;
        };
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    Some(accounts)
}

/// The id of a user; none, if it is something else.
fn user(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    let kind = value.get("type").and_then(Value::as_str)?;
    let id = value.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())?;
    matches!(kind, "user_reference" | "user").then_some(id)
}

fn person(payload: &Payload<'_>, people: &dyn People, account: &str) -> Email {
    people.address_of(payload.source(), account)
}

fn justification(payload: &Payload<'_>) -> String {
    let number = payload.at("/event/data/number").and_then(Value::as_u64);
    let number = number.map_or_else(String::new, |number| format!("incident #{number}, "));
    justified(
        payload.word("/event/data/title"),
        &format!("({number}{})", payload.word("/event/data/html_url")),
    )
}

#[cfg(test)]
#[path = "pagerduty_tests.rs"]
mod tests;
