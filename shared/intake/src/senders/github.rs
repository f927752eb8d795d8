//! GitHub webhooks: the review of a deployment, or a label on an issue, approves access.
//!
//! Form: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>, signature:
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>. The header that names the event is
//! not signed, so events are recognised by their bodies. Nothing signs a time either: an approval is as old as the
//! payload says, so the same delivery, days later, is the same request.
//!
//! People are GitHub's numbers for accounts, or their logins if that is configured: a login can be given up and taken
//! by somebody else. Repositories are named in the configuration: an organisation's webhook also tells of repositories
//! that anybody may make.

mod form;

use std::collections::BTreeMap;

use curfew_domain::ids::{Email, TicketId, shown};
use curfew_domain::request::{Approval, Basis};
use serde::Deserialize;
use serde_json::Value;

use self::form::Sections;
use super::config::Configuration;
use super::payload::{Access, Asked, Payload, justified, nothing, unexpected};
use super::signature::Scheme;
use super::{People, Reading};
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

pub(crate) const SCHEME: Scheme = Scheme { header: "x-hub-signature-256", prefix: "sha256=", several: false };

/// Its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The repositories that access can be asked for in: `owner/name`.
    repositories: Vec<String>,
    /// How the catalog calls people.
    #[serde(default)]
    people: Accounts,
    /// Which access a deployment to which environment stands for.
    #[serde(default)]
    environments: BTreeMap<String, Access>,
    /// What a workflow run must have been started by to ask for access.
    #[serde(default = "started_by_hand")]
    started_by: Vec<String>,
    /// The label that approves an issue.
    #[serde(default = "approving_label")]
    label: String,
    /// The sections of an issue's form; without them issues ask for nothing.
    sections: Option<Sections>,
}

/// How the catalog calls people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Accounts {
    /// By the number of the account, which nobody else can ever get.
    #[default]
    Id,
    /// By the login.
    Login,
}

fn started_by_hand() -> Vec<String> {
    vec!["workflow_dispatch".to_owned()]
}

fn approving_label() -> String {
    "access-approved".to_owned()
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        if self.repositories.is_empty() {
            return Err("`repositories` is empty: name those that access can be asked for in".to_owned());
        }
        for repository in &self.repositories {
            let parts: Vec<&str> = repository.split('/').collect();
            if parts.len() != 2
                || parts.iter().any(|part| part.is_empty())
                || TicketId::new(repository).is_err()
            {
                return Err(format!("{} is not a repository: write `owner/name`", shown(repository)));
            }
        }
        if self.environments.is_empty() && self.sections.is_none() {
            return Err(
                "neither `environments` nor `sections` is there, so nothing asks for access".to_owned()
            );
        }
        let mut names: Vec<String> = self.environments.keys().map(|name| name.to_lowercase()).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            let name = pair.first().map(String::as_str).unwrap_or_default();
            return Err(format!(
                "environment {} is there twice; GitHub does not tell cases apart",
                shown(name)
            ));
        }
        if self.label.trim().is_empty() {
            return Err("`label` is empty".to_owned());
        }
        self.sections.as_ref().map_or(Ok(()), Sections::check)
    }
}

impl Config {
    fn has_repository(&self, full_name: &str) -> bool {
        self.repositories.iter().any(|name| name.eq_ignore_ascii_case(full_name))
    }

    fn environment(&self, name: &str) -> Option<&Access> {
        let name = name.to_lowercase();
        self.environments.iter().find(|(known, _)| known.to_lowercase() == name).map(|(_, access)| access)
    }

    fn approves(&self, label: &str) -> bool {
        self.label.to_lowercase() == label.to_lowercase()
    }
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let mut problems = Problems::default();
    if delivery.body().as_str().starts_with("payload=") {
        problems.add("", "is a form; choose the content type `application/json` in the webhook's settings");
        return Err(problems.into());
    }
    let payload = Payload::parse(delivery)?;
    let event = Event { config, payload: &payload, people };
    event.read(&mut problems).ok_or_else(|| problems.into())
}

/// One event, whichever.
struct Event<'a> {
    config: &'a Config,
    payload: &'a Payload<'a>,
    people: &'a dyn People,
}

impl Event<'_> {
    /// Tells what happened by the body's shape. Comments on issues and reports on runs have an issue or a run too.
    fn read(&self, problems: &mut Problems) -> Option<Reading> {
        let payload = self.payload;
        let action = payload.word("/action");
        let review = payload.has("/workflow_run") && payload.at("/since").is_some();
        let report = payload.has("/workflow_run") && payload.has("/workflow");
        let issue = payload.has("/issue") && payload.at("/comment").is_none();
        match action {
            "approved" if review => self.deployment_approved(problems),
            "rejected" if review => {
                let ticket = self.run(problems)?;
                let by = payload.has("/approver").then(|| self.person("/approver", problems));
                Some(payload.closed(ticket, by.flatten(), "the deployment was rejected"))
            }
            "completed" if report => self.run_completed(problems),
            "labeled" if issue => self.issue_labeled(problems),
            "unlabeled" if issue => {
                let label = payload.text("/label/name", problems)?;
                if self.config.approves(label) {
                    self.issue_closed("the approval was taken back: its label was removed", problems)
                } else {
                    Some(nothing(format!("the label {} approves nothing", shown(label))))
                }
            }
            "closed" if issue => self.issue_closed("the issue was closed", problems),
            "deleted" if issue => self.issue_closed("the issue was deleted", problems),
            "transferred" if issue => {
                self.issue_closed("the issue was moved to another repository", problems)
            }
            "" => Some(nothing("the event has no action, so it neither gives nor takes access")),
            _ => Some(nothing(format!("the action {} neither gives nor takes access here", shown(action)))),
        }
    }

    /// The repository, if access can be asked for in it.
    fn repository(&self, problems: &mut Problems) -> Option<Result<&str, Reading>> {
        let name = self.payload.text("/repository/full_name", problems)?;
        Some(if self.config.has_repository(name) {
            Ok(name)
        } else {
            Err(nothing(format!("repository {} is not one that access can be asked for in", shown(name))))
        })
    }

    fn deployment_approved(&self, problems: &mut Problems) -> Option<Reading> {
        if let Err(nothing) = self.repository(problems)? {
            return Some(nothing);
        }
        let payload = self.payload;
        let started_by = payload.text("/workflow_run/event", problems)?;
        if !self.config.started_by.iter().any(|event| event == started_by) {
            return Some(nothing(format!(
                "the run was started by {}, and only those started by {} ask for access (`started_by`)",
                shown(started_by),
                self.config.started_by.iter().map(|event| shown(event)).collect::<Vec<_>>().join(", "),
            )));
        }
        let environments = self.environments(problems)?;
        let known: Vec<(&&str, &Access)> = environments
            .iter()
            .filter_map(|name| self.config.environment(name).map(|access| (name, access)))
            .collect();
        let (environment, access) = match known.as_slice() {
            [] => {
                let names: Vec<String> = environments.iter().map(|name| shown(name)).collect();
                return Some(nothing(format!(
                    "no access is configured for environment {}",
                    names.join(", ")
                )));
            }
            [(name, access), others @ ..] if others.iter().all(|(_, other)| other == access) => {
                (name, access)
            }
            _ => {
                let told =
                    "approve several environments with different access at once; approve them one by one";
                problems.add("/workflow_job_runs", told);
                return None;
            }
        };
        let ticket = self.run(problems);
        // Whoever started this attempt of the run; the first attempt's starter, where that is not told.
        let starter = ["/workflow_run/triggering_actor", "/workflow_run/actor"];
        let starter =
            starter.into_iter().find(|place| payload.has(place)).unwrap_or("/workflow_run/triggering_actor");
        let requester = self.person(starter, problems);
        let approver = self.person("/approver", problems);
        let at = payload.time("/since", problems);
        let tail = format!("(deployment to {environment}, {})", payload.word("/workflow_run/html_url"));
        let title = ["/workflow_run/display_title", "/workflow_run/name"];
        let title = title.into_iter().map(|place| payload.word(place)).find(|title| !title.is_empty());
        let asked = Asked {
            ticket: ticket?,
            requester: requester?,
            approvals: vec![Approval { approver: approver?, at: at? }],
            basis: Basis::Approvals,
            kind: "deployment",
            state: "approved",
            justification: justified(title.unwrap_or_default(), &tail),
        };
        Some(payload.request("github", (*access).into(), asked))
    }

    /// The environments that were approved, each once.
    fn environments(&self, problems: &mut Problems) -> Option<Vec<&str>> {
        let payload = self.payload;
        let jobs = payload.list("/workflow_job_runs").iter().chain(payload.at("/workflow_job_run"));
        let named = jobs.filter_map(|job| job.get("environment")).chain(payload.at("/environment"));
        let mut names: Vec<&str> = Vec::new();
        for name in named.filter_map(Value::as_str).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        if names.is_empty() {
            let found = payload.at("/workflow_job_runs");
            problems.add("/workflow_job_runs", unexpected("a list of jobs with an environment", found));
            return None;
        }
        Some(names)
    }

    /// The run is over, and with it what it was the ticket for. Only for runs that could ask for access: there may be
    /// very many others.
    fn run_completed(&self, problems: &mut Problems) -> Option<Reading> {
        if let Err(nothing) = self.repository(problems)? {
            return Some(nothing);
        }
        let started_by = self.payload.word("/workflow_run/event");
        if self.config.environments.is_empty()
            || !self.config.started_by.iter().any(|event| event == started_by)
        {
            return Some(nothing("the run was none that asks for access"));
        }
        let ticket = self.run(problems)?;
        Some(self.payload.closed(ticket, None, "the workflow run ended"))
    }

    /// The run as a ticket. A run that is started again is approved again, so it is another ticket.
    fn run(&self, problems: &mut Problems) -> Option<TicketId> {
        let payload = self.payload;
        let repository = payload.text("/repository/full_name", problems)?;
        let run = payload.number("/workflow_run/id", problems)?;
        let attempt = match payload.at("/workflow_run/run_attempt") {
            None => 1,
            Some(found) => found.as_u64().or_else(|| {
                problems.add("/workflow_run/run_attempt", unexpected("a whole number", Some(found)));
                None
            })?,
        };
        let ticket = match attempt {
            0 | 1 => format!("{repository}/runs/{run}"),
            again => format!("{repository}/runs/{run}/attempts/{again}"),
        };
        payload.ticket("/workflow_run/id", ticket, problems)
    }

    fn issue_labeled(&self, problems: &mut Problems) -> Option<Reading> {
        let payload = self.payload;
        let label = payload.text("/label/name", problems)?;
        if !self.config.approves(label) {
            return Some(nothing(format!("the label {} approves nothing", shown(label))));
        }
        if let Err(nothing) = self.repository(problems)? {
            return Some(nothing);
        }
        let Some(sections) = &self.config.sections else {
            return Some(nothing("no `sections` are configured, so issues ask for nothing"));
        };
        let state = payload.text("/issue/state", problems)?;
        if state != "open" {
            return Some(nothing(format!("the issue is not open: its state is {}", shown(state))));
        }
        let ticket = self.issue(problems);
        let requester = self.person("/issue/user", problems);
        let approver = self.person("/sender", problems);
        let at = payload.time("/issue/updated_at", problems);
        let form = sections.read(payload.source(), payload.word("/issue/body"), problems);
        let fallback =
            || justified(payload.word("/issue/title"), &format!("({})", payload.word("/issue/html_url")));
        let form = form?;
        let asked = Asked {
            ticket: ticket?,
            requester: requester?,
            approvals: vec![Approval { approver: approver?, at: at? }],
            basis: Basis::Approvals,
            kind: "request",
            state: "approved",
            justification: form.justification.unwrap_or_else(fallback),
        };
        Some(payload.request("github", form.wanted, asked))
    }

    /// Also in repositories that are not configured (any more): what was once approved there must end.
    fn issue_closed(&self, reason: &str, problems: &mut Problems) -> Option<Reading> {
        let ticket = self.issue(problems)?;
        let by = self.payload.has("/sender").then(|| self.person("/sender", problems));
        Some(self.payload.closed(ticket, by.flatten(), reason))
    }

    fn issue(&self, problems: &mut Problems) -> Option<TicketId> {
        let payload = self.payload;
        let repository = payload.text("/repository/full_name", problems)?;
        let number = payload.number("/issue/number", problems)?;
        payload.ticket("/issue/number", format!("{repository}/issues/{number}"), problems)
    }

    /// The person whose account is the object at `place`.
    fn person(&self, place: &str, problems: &mut Problems) -> Option<Email> {
        let payload = self.payload;
        match self.config.people {
            Accounts::Id => payload.by_number(&format!("{place}/id"), self.people, problems),
            Accounts::Login => {
                let login = payload.text(&format!("{place}/login"), problems)?;
                Some(self.people.address_of(payload.source(), login))
            }
        }
    }
}

#[cfg(test)]
mod tests;
