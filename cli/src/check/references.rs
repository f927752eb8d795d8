//! What guardrails name, and the catalog does not have.
//!
//! A tenant, role or person that there is not is an error: a guardrail that forbids something to a name that is written
//! wrong forbids nothing. Groups, sources, labels and environments may be missing with good reason (the shipped
//! guardrails speak of more than every catalog has), so those are told as notes, and as warnings where there is one of
//! nearly the same name. Labels and environments are seen where they are written out, not where they are computed.

use std::collections::BTreeSet;

use curfew_domain::ids::{Email, RoleName, TenantId};
use curfew_guard::Guardrail;

use super::finding::{Grade, Report, Rule};
use crate::rulebook::Rulebook;

/// So many letters may be wrong for a name to be taken for another one that was meant.
const SLIP: usize = 2;

pub(crate) fn check(rulebook: &Rulebook, report: &mut Report) {
    let known = Known::of(rulebook);
    for one in rulebook.guardrails.guardrails() {
        exact(rulebook, one, report);
        loose(rulebook, one, &known, report);
    }
}

fn exact(rulebook: &Rulebook, one: &Guardrail, report: &mut Report) {
    let (catalog, named) = (&rulebook.catalog, one.mentions());
    let tenant = |name: &str| TenantId::new(name).is_ok_and(|id| catalog.tenant(&id).is_some());
    let role = |name: &str| RoleName::new(name).is_ok_and(|name| catalog.role(&name).is_some());
    // By their main address: as anything else nobody would be recognised.
    let person = |address: &str| {
        Email::new(address).is_ok_and(|email| {
            catalog.person(&email).is_some_and(|person| person.email().as_str() == address)
        })
    };
    let access =
        |id: &str| id.split_once('/').is_some_and(|(tenant_id, role_id)| tenant(tenant_id) && role(role_id));
    let mut missing = |kind: &str, name: &str, remedy: &str| {
        let message =
            format!("guardrail `{}` names {kind} `{name}`, which the catalog does not have", one.id());
        let folder = &rulebook.folders.guardrails;
        report.add((Rule::UnknownReference, Grade::Error), folder, one.place(), message, remedy);
    };
    for name in named.tenants.iter().filter(|name| !tenant(name)) {
        missing("tenant", name, "correct it, or add the tenant to the catalog");
    }
    for name in named.roles.iter().filter(|name| !role(name)) {
        missing("role", name, "correct it, or add the role to the catalog");
    }
    for name in named.people.iter().filter(|name| !person(name)) {
        missing("person", name, "write the address that their entry has (not an alias), or take them out");
    }
    for name in named.access.iter().filter(|name| !access(name)) {
        missing("access", name, "write it as `<tenant>/<role>`, of a tenant and a role in the catalog");
    }
}

fn loose(rulebook: &Rulebook, one: &Guardrail, known: &Known, report: &mut Report) {
    let (folder, named) = (&rulebook.folders.guardrails, one.mentions());
    let mut strange = Vec::new();
    for (kind, names, there) in [
        ("group", &named.groups, &known.groups),
        ("source", &named.sources, &known.sources),
        ("label", &named.labels, &known.labels),
        ("environment", &named.environments, &known.environments),
    ] {
        for name in names.iter().filter(|name| !name.is_empty() && !there.contains(*name)) {
            let Some(near) = near(name, there) else {
                strange.push(format!("{kind} `{name}`"));
                continue;
            };
            let message = format!("guardrail `{}` names {kind} `{name}`, which nothing here has", one.id());
            let remedy = format!("write `{near}`, if that is meant");
            report.add((Rule::UnknownReference, Grade::Warning), folder, one.place(), message, remedy);
        }
    }
    if !strange.is_empty() {
        let message =
            format!("guardrail `{}` names {}, which nothing here has", one.id(), strange.join(", "));
        let remedy = "nothing to do, if that is so on purpose";
        report.add((Rule::UnknownReference, Grade::Note), folder, one.place(), message, remedy);
    }
}

/// The name that is nearly this one, if there is one.
fn near<'a>(name: &str, there: &'a BTreeSet<String>) -> Option<&'a String> {
    let found = there
        .iter()
        .map(|other| (strsim::osa_distance(name, other), other))
        .filter(|(distance, other)| *distance <= SLIP && other.len().min(name.len()) > SLIP);
    found.min().map(|(_, other)| other)
}

/// The names that there are.
struct Known {
    groups: BTreeSet<String>,
    sources: BTreeSet<String>,
    labels: BTreeSet<String>,
    environments: BTreeSet<String>,
}

impl Known {
    fn of(rulebook: &Rulebook) -> Self {
        let catalog = &rulebook.catalog;
        let of_people = catalog.people().flat_map(|person| person.groups());
        let of_roles = catalog.roles().flat_map(|role| role.labels());
        let of_tenants = catalog.tenants().flat_map(|tenant| tenant.labels());
        Self {
            groups: of_people.map(ToString::to_string).collect(),
            sources: rulebook.senders.iter().map(|(source, _)| source.to_string()).collect(),
            labels: of_roles.chain(of_tenants).map(ToString::to_string).collect(),
            environments: catalog
                .tenants()
                .filter_map(|tenant| tenant.environment())
                .map(ToString::to_string)
                .collect(),
        }
    }
}
