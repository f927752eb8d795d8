//! GitLab webhooks: the approval of a merge request, or of a deployment to a protected environment, approves access.
//!
//! Signed by the Standard Webhooks scheme, if the webhook has a *signing token* (the older *secret token* is no
//! signature and is not looked at). Form: <https://docs.gitlab.com/user/project/integrations/webhook_events/>.
//!
//! `approved` and `approval` are both one person's approval; the first also says that no more are required. Likewise
//! `unapproved` and `unapproval`. Which approvals a grant rests on is not known here, so any that is taken back
//! ends it, and so does a push that makes GitLab reset them.
//!
//! Accounts are GitLab's numbers for users: of authors nothing else is told, addresses are mostly `[REDACTED]`, and a
//! user name can be given up and taken by somebody else.

use std::collections::BTreeMap;

use curfew_domain::ids::{RoleName, TenantId, TicketId, shown};
use curfew_domain::request::{Approval, Basis};
use serde::Deserialize;

use super::config::Configuration;
use super::payload::{Access, Asked, Payload, Span, justified, nothing};
use super::{People, Reading};
use crate::problems::{Malformed, Problems};
use crate::verify::VerifiedDelivery;

/// Its configuration: which access an approval in which project stands for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By the project's path, for example `group/app`.
    projects: BTreeMap<String, Project>,
}

/// A project: the access that its merge requests ask for, if they do, and that of deployments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    tenant: Option<TenantId>,
    role: Option<RoleName>,
    duration: Option<Span>,
    /// By the environment's name.
    #[serde(default)]
    environments: BTreeMap<String, Access>,
}

impl Project {
    /// The access that merge requests ask for.
    fn merge_requests(&self) -> Option<Access> {
        let (tenant, role) = (self.tenant.clone()?, self.role.clone()?);
        Some(Access { tenant, role, duration: self.duration })
    }
}

impl Configuration for Config {
    fn check(&self) -> Result<(), String> {
        if self.projects.is_empty() {
            return Err(
                "no project has any access: write `[source.<name>.projects.\"group/app\"]`".to_owned()
            );
        }
        for (path, project) in &self.projects {
            let wrong = |what: &str| Err(format!("project {}: {what}", shown(path)));
            if !path.contains('/') || TicketId::new(path).is_err() {
                return wrong("is no path of one, such as `group/app`");
            }
            if project.tenant.is_some() != project.role.is_some() {
                return wrong("`tenant` and `role` go together");
            }
            if project.tenant.is_none() && project.duration.is_some() {
                return wrong("`duration` is for merge requests, which need a `tenant` and a `role` too");
            }
            if project.tenant.is_none() && project.environments.is_empty() {
                return wrong("nothing in it asks for access: give `tenant` and `role`, or `environments`");
            }
        }
        Ok(())
    }
}

impl Config {
    fn project(&self, path: &str) -> Option<&Project> {
        self.projects.iter().find(|(known, _)| known.eq_ignore_ascii_case(path)).map(|(_, project)| project)
    }
}

pub(crate) fn read(
    config: &Config,
    delivery: &VerifiedDelivery,
    people: &dyn People,
) -> Result<Reading, Malformed> {
    let payload = Payload::parse(delivery)?;
    let event = Event { config, payload: &payload, people };
    let mut problems = Problems::default();
    event.read(&mut problems).ok_or_else(|| problems.into())
}

/// One event, whichever.
struct Event<'a> {
    config: &'a Config,
    payload: &'a Payload<'a>,
    people: &'a dyn People,
}

impl Event<'_> {
    fn read(&self, problems: &mut Problems) -> Option<Reading> {
        let kind = self.payload.word("/object_kind");
        let (what, is) = match kind {
            "merge_request" => ("action", self.payload.word("/object_attributes/action")),
            "deployment" => ("status", self.payload.word("/status")),
            other => {
                return Some(nothing(format!("the event {} neither gives nor takes access", shown(other))));
            }
        };
        let merge_request = |reason: &str, problems: &mut Problems| {
            let ticket = self.ticket("merge_requests", "/object_attributes/iid", problems)?;
            self.closed(ticket, "/user", reason)
        };
        let deployment = |reason: &str, problems: &mut Problems| {
            let ticket = self.ticket("deployments", "/deployment_id", problems)?;
            self.closed(ticket, "/approver", reason)
        };
        match (kind, is) {
            ("merge_request", "approved" | "approval") => self.merge_request_approved(problems),
            ("merge_request", "unapproved" | "unapproval") => {
                let by_system =
                    self.payload.at("/object_attributes/system").is_some_and(|system| system == true);
                let reason =
                    if by_system { "GitLab reset its approvals" } else { "an approval was taken back" };
                merge_request(reason, problems)
            }
            ("merge_request", "close") => merge_request("the merge request was closed", problems),
            ("merge_request", "merge") => merge_request("the merge request was merged", problems),
            ("deployment", "approved") => self.deployment_approved(problems),
            ("deployment", "rejected") => deployment("the deployment was rejected", problems),
            ("deployment", "canceled") => deployment("the deployment was cancelled", problems),
            ("deployment", "skipped") => deployment("the deployment was skipped", problems),
            // Succeeded and failed deployments are what the access was asked for: it lasts as long as was approved.
            _ => Some(nothing(format!("a {kind} with {what} {} neither gives nor takes access", shown(is)))),
        }
    }

    fn project(&self, problems: &mut Problems) -> Option<Result<&Project, Reading>> {
        let path = self.payload.text("/project/path_with_namespace", problems)?;
        let none = || nothing(format!("no access is configured for project {}", shown(path)));
        Some(self.config.project(path).ok_or_else(none))
    }

    fn merge_request_approved(&self, problems: &mut Problems) -> Option<Reading> {
        let payload = self.payload;
        let project = match self.project(problems)? {
            Ok(project) => project,
            Err(nothing) => return Some(nothing),
        };
        let Some(access) = project.merge_requests() else {
            return Some(nothing("merge requests of this project ask for no access"));
        };
        let state = payload.text("/object_attributes/state", problems)?;
        if state != "opened" {
            return Some(nothing(format!("the merge request is not open: its state is {}", shown(state))));
        }
        // When it was approved, as newer versions say. In older ones the time of the last change has to do, which may
        // lie before the approval (<https://gitlab.com/gitlab-org/gitlab/-/issues/414759>): it then counts as older
        // than it is.
        let at = ["/object_attributes/actioned_at", "/object_attributes/updated_at"];
        let at = at
            .into_iter()
            .find(|place| payload.at(place).is_some())
            .unwrap_or("/object_attributes/updated_at");
        let at = payload.time(at, problems);
        let ticket = self.ticket("merge_requests", "/object_attributes/iid", problems);
        let requester = payload.by_number("/object_attributes/author_id", self.people, problems);
        let approver = payload.by_number("/user/id", self.people, problems);
        let url = payload.word("/object_attributes/url");
        let asked = Asked {
            ticket: ticket?,
            requester: requester?,
            approvals: vec![Approval { approver: approver?, at: at? }],
            basis: Basis::Approvals,
            kind: "merge-request",
            state: "approved",
            justification: justified(payload.word("/object_attributes/title"), &format!("({url})")),
        };
        Some(payload.request("gitlab", (&access).into(), asked))
    }

    fn deployment_approved(&self, problems: &mut Problems) -> Option<Reading> {
        let payload = self.payload;
        let project = match self.project(problems)? {
            Ok(project) => project,
            Err(nothing) => return Some(nothing),
        };
        let environment = payload.text("/environment", problems)?;
        let Some(access) = project.environments.get(environment) else {
            return Some(nothing(format!("no access is configured for environment {}", shown(environment))));
        };
        let ticket = self.ticket("deployments", "/deployment_id", problems);
        let requester = payload.by_number("/user/id", self.people, problems);
        let approver = payload.by_number("/approver/id", self.people, problems);
        let at = payload.time("/approval/created_at", problems);
        let tail = format!("(deployment to {environment}, {})", payload.word("/deployable_url"));
        let asked = Asked {
            ticket: ticket?,
            requester: requester?,
            approvals: vec![Approval { approver: approver?, at: at? }],
            basis: Basis::Approvals,
            kind: "deployment",
            state: "approved",
            justification: justified(payload.word("/commit_title"), &tail),
        };
        Some(payload.request("gitlab", access.into(), asked))
    }

    /// Also for projects that are not configured (any more): what was once approved there must end.
    fn closed(&self, ticket: TicketId, by: &str, reason: &str) -> Option<Reading> {
        let by = self.payload.by_number(&format!("{by}/id"), self.people, &mut Problems::default());
        Some(self.payload.closed(ticket, by, reason))
    }

    fn ticket(&self, kind: &str, place: &str, problems: &mut Problems) -> Option<TicketId> {
        let path = self.payload.text("/project/path_with_namespace", problems)?;
        let number = self.payload.number(place, problems)?;
        self.payload.ticket(place, format!("{path}/{kind}/{number}"), problems)
    }
}

#[cfg(test)]
#[path = "gitlab_tests.rs"]
mod tests;
