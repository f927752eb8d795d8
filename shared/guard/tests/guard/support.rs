//! An organisation, and requests in it, for the tests of the guardrails.

use curfew_app::guard::{Case, HeldRole};
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::decision::{Current, DecisionFacts, Denial, Plan, decide, decide_change};
use curfew_domain::ids::{DeliveryId, Email, RoleName, Source, TenantId, TicketId};
use curfew_domain::request::{AccessRequest, Approval, Basis, TicketFacts, WindowEnd, WindowRequest};
use curfew_domain::window::Window;
use curfew_guard::{CedarGuardrails, GuardrailFile};
use jiff::{SignedDuration, Timestamp};

/// A Tuesday morning.
pub(crate) const TUESDAY: &str = "2026-11-24T10:00:00Z";

/// The organisation.
pub(crate) fn organisation() -> Catalog {
    let text = include_str!("organisation.toml").to_owned();
    Catalog::parse(&[CatalogFile { name: "organisation.toml".to_owned(), text }]).unwrap()
}

/// One file of guardrails.
pub(crate) fn file(text: &str) -> GuardrailFile {
    GuardrailFile { name: "test.cedar".to_owned(), text: text.to_owned() }
}

/// Guardrails of one file.
pub(crate) fn guardrails(text: &str) -> CedarGuardrails {
    CedarGuardrails::parse(&[file(text)]).unwrap_or_else(|findings| panic!("{findings}"))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A request as a test writes it. What it does not say is Ana's asking for `plain` in `lab` for an hour, which Ben
/// approved.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) who: &'static str,
    pub(crate) role: &'static str,
    pub(crate) tenant: &'static str,
    /// `approved`, `on-call` or `break-glass`.
    pub(crate) basis: &'static str,
    pub(crate) now: &'static str,
    /// Now, if missing.
    pub(crate) start: Option<&'static str>,
    pub(crate) minutes: i64,
    /// The window of the live grant, if this is a change of it: its start and its minutes.
    pub(crate) current: Option<(&'static str, i64)>,
    /// By their addresses, or by their names alone.
    pub(crate) approvers: Vec<&'static str>,
    pub(crate) sender: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    pub(crate) justification: &'static str,
    /// Tenants and roles.
    pub(crate) held: Vec<(&'static str, &'static str)>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            who: "ana",
            role: "plain",
            tenant: "lab",
            basis: "approved",
            now: TUESDAY,
            start: None,
            minutes: 60,
            current: None,
            approvers: vec!["ben"],
            sender: "servicenow",
            kind: "change",
            state: "approved",
            justification: "the disk of db-3 is full, I make room",
            held: Vec::new(),
        }
    }
}

fn email(name: &str) -> Email {
    let address = if name.contains('@') { name.to_owned() } else { format!("{name}@example.com") };
    Email::new(&address).unwrap()
}

impl Ask {
    fn request(&self) -> AccessRequest {
        let now = at(self.now);
        let basis = match self.basis {
            "approved" => Basis::Approvals,
            "on-call" => Basis::OnCall { since: now },
            "break-glass" => Basis::BreakGlass { since: now },
            other => panic!("no basis {other}"),
        };
        let approved = |name: &&str| Approval { approver: email(name), at: now };
        AccessRequest {
            source: Source::new("itsm").unwrap(),
            ticket: TicketId::new("CHG0030192").unwrap(),
            requester: email(self.who),
            tenant: TenantId::new(self.tenant).unwrap(),
            role: RoleName::new(self.role).unwrap(),
            principal: None,
            window: WindowRequest {
                starts_at: self.start.map(at),
                end: Some(WindowEnd::After(SignedDuration::from_mins(self.minutes))),
            },
            approvals: self.approvers.iter().map(approved).collect(),
            basis,
            ticket_facts: TicketFacts {
                sender: self.sender.to_owned(),
                kind: self.kind.to_owned(),
                state: self.state.to_owned(),
            },
            justification: self.justification.to_owned(),
            delivery: DeliveryId::new("msg_1").unwrap(),
        }
    }

    /// The window of the live grant.
    pub(crate) fn current(&self) -> Option<Window> {
        let (start, minutes) = self.current?;
        Some(Window::new(at(start), at(start) + SignedDuration::from_mins(minutes)).unwrap())
    }

    /// What the domain makes of it, before any guardrail.
    pub(crate) fn plan(&self, catalog: &Catalog) -> Result<Plan, Denial> {
        let facts = DecisionFacts { now: at(self.now), own_account: "111122223333".to_owned() };
        let request = catalog.with_main_addresses(self.request());
        match self.current() {
            None => decide(catalog, &request, &facts),
            Some(window) => {
                let current = Current { window, approved_at: Timestamp::MIN };
                decide_change(catalog, &request, &facts, current)
            }
        }
    }

    /// What the requester holds besides.
    pub(crate) fn held(&self) -> Vec<HeldRole> {
        let held = |(tenant, role): &(&str, &str)| HeldRole {
            tenant: TenantId::new(*tenant).unwrap(),
            role: RoleName::new(*role).unwrap(),
        };
        self.held.iter().map(held).collect()
    }

    /// The case, with the plan that was made of it.
    pub(crate) fn case<'a>(&self, catalog: &'a Catalog, plan: &'a Plan) -> Case<'a> {
        Case { catalog, plan, now: at(self.now), current: self.current() }
    }
}
