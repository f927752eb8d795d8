//! Ideal requests: everything that could be said for a request is said, so that if it is denied nobody gets it.
//!
//! A sample and no proof: hours, tickets and senders are those that the shipped guardrails and senders know, and the
//! sources that are configured or that guardrails name. A guardrail that asks for anything else (a word in the
//! justification, something that is held) is satisfied by none of these.

use std::collections::BTreeSet;

use curfew_domain::catalog::{Catalog, Person, Quorum, Role, Tenant};
use curfew_domain::decision::missing_approvals;
use curfew_domain::ids::{DeliveryId, Email, GroupName, Source, TicketId};
use curfew_domain::request::{AccessRequest, Approval, Basis, TicketFacts, WindowEnd, WindowRequest};
use curfew_domain::window::plus;
use jiff::civil::Weekday;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::rulebook::Rulebook;
use crate::simulate::Question;

/// Tickets as the kinds of senders have them: sender, kind, state.
const TICKETS: [(&str, &str, &str); 12] = [
    ("standard", "", ""),
    ("servicenow", "change", "approved"),
    ("servicenow", "request", "approved"),
    ("jira", "change", "approved"),
    ("jira", "request", "approved"),
    ("jira", "incident", "open"),
    ("standard", "change", "approved"),
    ("standard", "incident", "open"),
    ("pagerduty", "incident", "open"),
    ("slack", "request", "approved"),
    ("github", "deployment", "approved"),
    ("gitlab", "merge-request", "approved"),
];

/// Long enough for whoever counts, and says nothing.
const JUSTIFICATION: &str = "a justification of some length, written by nobody, to find out whether anybody could get this access at all";

/// When requests are tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hours {
    /// The next Wednesday's morning alone, for a quarter of an hour.
    Working,
    /// Then, and all the others.
    Any,
}

/// Around which everything is tried.
pub(crate) struct Ideals {
    times: Vec<Timestamp>,
    tickets: Vec<(Source, TicketFacts)>,
    ticket: TicketId,
    delivery: DeliveryId,
    /// Groups, people and tenants that guardrails name: they may be treated otherwise than those like them, and their
    /// approvals may be needed.
    groups: BTreeSet<String>,
    people: BTreeSet<String>,
    tenants: BTreeSet<String>,
}

impl Ideals {
    /// `None` only if an id that is written here were not one.
    pub(crate) fn new(rulebook: &Rulebook, now: Timestamp) -> Option<Self> {
        let mut named = BTreeSet::new();
        let (mut groups, mut people, mut tenants) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for one in rulebook.guardrails.guardrails() {
            named.extend(one.mentions().sources.iter().cloned());
            groups.extend(one.mentions().groups.iter().cloned());
            people.extend(one.mentions().people.iter().cloned());
            tenants.extend(one.mentions().tenants.iter().cloned());
            let of_access = one.mentions().access.iter().filter_map(|id| id.split_once('/'));
            tenants.extend(of_access.map(|(tenant, _)| tenant.to_owned()));
        }
        named.extend(rulebook.senders.iter().map(|(source, _)| source.to_string()));
        let facts = |(sender, kind, state): (&str, &str, &str)| TicketFacts {
            sender: sender.to_owned(),
            kind: kind.to_owned(),
            state: state.to_owned(),
        };
        let any = Source::new("any").ok()?;
        let mut tickets: Vec<(Source, TicketFacts)> =
            TICKETS.into_iter().map(|ticket| (any.clone(), facts(ticket))).collect();
        for source in named.iter().filter_map(|name| Source::new(name.as_str()).ok()) {
            let kind = rulebook.senders.of(source.as_str()).kind();
            let of_kind = TICKETS.into_iter().filter(|(sender, _, _)| *sender == kind);
            tickets.extend(of_kind.map(|ticket| (source.clone(), facts(ticket))));
        }
        let ticket = TicketId::new("T-1").ok()?;
        let delivery = DeliveryId::new("unsigned").ok()?;
        Some(Self { times: times(now), tickets, ticket, delivery, groups, people, tenants })
    }

    /// One person of each kind that guardrails can tell apart (by groups, or by name), with a principal in the tenant;
    /// those first whom the role is for.
    pub(crate) fn candidates<'a>(
        &self,
        catalog: &'a Catalog,
        tenant: &Tenant,
        role: &Role,
    ) -> Vec<&'a Person> {
        let mut kinds: BTreeSet<&BTreeSet<GroupName>> = BTreeSet::new();
        let mut found: Vec<&Person> = catalog
            .people()
            .filter(|person| person.principals_in(tenant.account()).next().is_some())
            .filter(|person| self.people.contains(person.email().as_str()) || kinds.insert(person.groups()))
            .collect();
        found.sort_by_key(|person| person.groups().is_disjoint(role.eligible()));
        found
    }

    /// Whether guardrails may treat somebody otherwise than anybody else: the role is for them, or they or one of their
    /// groups are named.
    pub(crate) fn stands_out(&self, person: &Person, role: &Role) -> bool {
        !person.groups().is_disjoint(role.eligible())
            || self.people.contains(person.email().as_str())
            || person.groups().iter().any(|group| self.groups.contains(group.as_str()))
    }

    /// What guardrails can tell a tenant by: its name, if one of them names it, its environment and its labels.
    pub(crate) fn kind_of(&self, tenant: &Tenant) -> String {
        let name = if self.tenants.contains(tenant.id().as_str()) { tenant.id().as_str() } else { "" };
        format!("{name} {:?} {:?}", tenant.environment(), tenant.labels())
    }

    /// Everybody whose approval may be of use to a requester, a few of each group.
    pub(crate) fn approvers<'a>(
        &self,
        catalog: &'a Catalog,
        role: &Role,
        requester: &Person,
    ) -> Vec<&'a Person> {
        let others = || catalog.people().filter(|person| person.email() != requester.email());
        let mut found: Vec<&Person> = Vec::new();
        let anybody = Quorum { group: None, count: 2 };
        for quorum in role.approvals().iter().chain([&anybody]) {
            let fits =
                |person: &&Person| quorum.group.as_ref().is_none_or(|group| person.groups().contains(group));
            // One more than it takes: somebody may stand for another group.
            found.extend(others().filter(fits).take(quorum.count.saturating_add(role.approvals().len())));
        }
        for group in &self.groups {
            let is_member = |person: &&Person| person.groups().iter().any(|one| one.as_str() == group);
            found.extend(others().filter(is_member).take(2));
        }
        found.extend(others().filter(|person| self.people.contains(person.email().as_str())));
        let mut seen = BTreeSet::new();
        found.retain(|person| seen.insert(person.email()));
        found
    }

    /// People whose approval, beside these people's, still leaves one missing that the role takes: one of each kind
    /// that guardrails can tell apart (by groups, or by name), and never the requester.
    pub(crate) fn stand_ins<'a>(
        &self,
        catalog: &'a Catalog,
        role: &Role,
        requester: &Person,
        beside: &[&Person],
    ) -> Vec<&'a Person> {
        let mut kinds: BTreeSet<&BTreeSet<GroupName>> = BTreeSet::new();
        catalog
            .people()
            .filter(|person| person.email() != requester.email())
            .filter(|person| beside.iter().all(|other| other.email() != person.email()))
            .filter(|person| {
                let people: Vec<&Person> = beside.iter().copied().chain([*person]).collect();
                !missing_approvals(role.approvals(), &people).is_empty()
            })
            .filter(|person| self.people.contains(person.email().as_str()) || kinds.insert(person.groups()))
            .collect()
    }

    /// Every ideal request of a person for a role, approved by these people; within working hours, or at any.
    pub(crate) fn requests<'a>(
        &'a self,
        at: Hours,
        tenant: &'a Tenant,
        role: &'a Role,
        person: &'a Person,
        approvers: &'a [&'a Email],
        bases: &'a [&'static str],
    ) -> impl Iterator<Item = Question> + 'a {
        let quarter = SignedDuration::from_mins(15).min(role.max_duration());
        let lengths = [quarter, role.default_duration()];
        let (times, tried) = match at {
            Hours::Working => (1, 1),
            Hours::Any => (self.times.len(), lengths.len()),
        };
        self.times.iter().take(times).flat_map(move |now| {
            self.tickets.iter().flat_map(move |(source, facts)| {
                bases.iter().flat_map(move |basis| {
                    lengths.into_iter().take(tried).map(move |length| {
                        let (since, now) = (plus(*now, -SignedDuration::from_mins(10)), *now);
                        let request = AccessRequest {
                            source: source.clone(),
                            ticket: self.ticket.clone(),
                            requester: person.email().clone(),
                            tenant: tenant.id().clone(),
                            role: role.name().clone(),
                            principal: person.principals_in(tenant.account()).next().cloned(),
                            window: WindowRequest { starts_at: None, end: Some(WindowEnd::After(length)) },
                            approvals: approvers
                                .iter()
                                .map(|email| Approval { approver: (*email).clone(), at: since })
                                .collect(),
                            basis: match *basis {
                                "on-call" => Basis::OnCall { since },
                                "break-glass" => Basis::BreakGlass { since },
                                _ => Basis::Approvals,
                            },
                            ticket_facts: facts.clone(),
                            justification: JUSTIFICATION.to_owned(),
                            delivery: self.delivery.clone(),
                        };
                        Question { request, now, held: Vec::new(), current: None, own_account: None }
                    })
                })
            })
        })
    }
}

/// The fewest of these people who make a role's approvals complete; none, if they can't.
pub(crate) fn fewest<'a>(role: &Role, approvers: &[&'a Person]) -> Option<Vec<&'a Person>> {
    let is_complete = |people: &[&Person]| missing_approvals(role.approvals(), people).is_empty();
    if !is_complete(approvers) {
        return None;
    }
    let mut fewest = approvers.to_vec();
    for person in approvers {
        let without: Vec<&Person> =
            fewest.iter().copied().filter(|other| other.email() != person.email()).collect();
        if is_complete(&without) {
            fewest = without;
        }
    }
    Some(fewest)
}

/// These people, each time without another one of them.
pub(crate) fn without_each<'a>(people: &[&'a Person]) -> Vec<Vec<&'a Person>> {
    let without = |left_out: &Person| {
        people.iter().copied().filter(|person| person.email() != left_out.email()).collect()
    };
    people.iter().map(|person| without(person)).collect()
}

/// The middle of a working week, now, in a month and in half a year (a freeze is over by then); and a weekend's night.
fn times(now: Timestamp) -> Vec<Timestamp> {
    let days = |days: i32| SignedDuration::from_hours(24).saturating_mul(days);
    let today = Offset::UTC.to_datetime(now).date();
    let until = |weekday: Weekday| i32::from(today.weekday().until(weekday));
    let at = |ahead: i32, hour: i8| {
        let midnight = Offset::UTC.to_timestamp(today.at(hour, 0, 0, 0)).unwrap_or(now);
        plus(midnight, days(ahead))
    };
    let wednesday = until(Weekday::Wednesday);
    vec![
        at(wednesday, 10),
        at(wednesday.saturating_add(28), 10),
        at(wednesday.saturating_add(182), 10),
        at(until(Weekday::Saturday), 3),
    ]
}
