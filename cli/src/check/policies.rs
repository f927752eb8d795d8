//! Guardrails that do nothing: about nobody, or said already.
//!
//! Decided from the scopes and, condition by condition, from the same words; never by guessing what a condition comes
//! to. So nothing is told that is not so, and of what two differently written conditions have in common nothing is seen.
//! Cedar's own check tells conditions that can't hold for reasons of types.

use curfew_domain::catalog::{Catalog, Person, Tenant};
use curfew_domain::ids::Email;
use curfew_guard::{Clauses, Effect, Guardrail, Resource, Scope, Who};

use super::finding::{Grade, Report, Rule};
use crate::rulebook::Rulebook;

struct Checked<'a> {
    guardrail: &'a Guardrail,
    clauses: Clauses,
}

pub(crate) fn check(rulebook: &Rulebook, report: &mut Report) {
    let folder = &rulebook.folders.guardrails;
    let mut all: Vec<Checked<'_>> = Vec::new();
    for (guardrail, clauses) in rulebook.guardrails.clauses() {
        let (id, place) = (guardrail.id(), guardrail.place());
        if let Some(why) = nobody(&rulebook.catalog, guardrail.scope()) {
            let message = format!("guardrail `{id}` is about no request: {why}");
            let remedy = "correct its first lines, or remove it";
            report.add((Rule::NeverMatches, Grade::Warning), folder, place, message, remedy);
            continue;
        }
        let Some(clauses) = clauses else { continue };
        if clauses.has_constant {
            let message = format!("a condition of guardrail `{id}` is the same for every request");
            let remedy = "remove the condition, or the guardrail; to switch one off, take it out of the file";
            report.add((Rule::ConstantCondition, Grade::Warning), folder, place, message, remedy);
        }
        all.push(Checked { guardrail, clauses });
    }
    for (index, one) in all.iter().enumerate() {
        let others = all.iter().enumerate().filter(|(other, _)| *other != index);
        let shadow = others
            .filter(|(other, by)| shadows(&rulebook.catalog, by, one, index < *other))
            .map(|(_, by)| by.guardrail)
            .next();
        if let Some(by) = shadow {
            let (id, other) = (one.guardrail.id(), by.id());
            let message = match (one.guardrail.effect(), by.effect()) {
                (Effect::Permit, Effect::Forbid) => {
                    format!("guardrail `{id}` never permits anything: whatever it permits, `{other}` forbids")
                }
                _ => format!("guardrail `{id}` changes nothing: `{other}` says the same wherever it applies"),
            };
            let remedy =
                format!("remove one of the two; the other is at {}", rulebook.guardrail_at(by.place()));
            report.add(
                (Rule::ShadowedGuardrail, Grade::Warning),
                folder,
                one.guardrail.place(),
                message,
                remedy,
            );
        }
    }
}

/// Whether `by` makes `one` needless. Of two that say exactly the same, the later one is needless.
fn shadows(catalog: &Catalog, by: &Checked<'_>, one: &Checked<'_>, one_is_first: bool) -> bool {
    let (a, b) = (by.guardrail, one.guardrail);
    let covers = covers(catalog, a.scope(), b.scope()) && by.clauses.all.is_subset(&one.clauses.all);
    match (a.effect(), b.effect()) {
        (Effect::Forbid, Effect::Permit) => covers,
        (Effect::Permit, Effect::Forbid) => false,
        // Of permits, the one that wants no review says more: with it, none is owed.
        (Effect::Permit, Effect::Permit) if a.review().is_some() && b.review().is_none() => false,
        _ => {
            let same = a.scope() == b.scope()
                && by.clauses == one.clauses
                && a.review().is_some() == b.review().is_some();
            covers && !(same && one_is_first)
        }
    }
}

/// Whether every request that `inner` is about is one that `outer` is about, as the catalog is.
fn covers(catalog: &Catalog, outer: &Scope, inner: &Scope) -> bool {
    let who = match (&outer.who, &inner.who) {
        (Who::Anybody, _) => true,
        (Who::Group(group), Who::Person(email)) => person(catalog, email)
            .is_some_and(|person| person.groups().iter().any(|one| one.as_str() == group)),
        (outer, inner) => outer == inner,
    };
    let resource = match (&outer.resource, &inner.resource) {
        (Resource::Anything, _) => true,
        (Resource::Tenant(tenant), Resource::Access(id)) => {
            id.split_once('/').is_some_and(|(of, _)| of == tenant)
        }
        (Resource::Role(role), Resource::Access(id)) => id.split_once('/').is_some_and(|(_, of)| of == role),
        (outer, inner) => outer == inner,
    };
    who && resource && inner.actions.iter().all(|action| outer.actions.contains(action))
}

fn person<'a>(catalog: &'a Catalog, email: &str) -> Option<&'a Person> {
    catalog.person(&Email::new(email).ok()?)
}

/// Why nobody's request can be what a scope is about, if so. What it names and the catalog does not have (a group is
/// there once somebody is in it) is another lint's to tell.
fn nobody(catalog: &Catalog, scope: &Scope) -> Option<String> {
    if scope.actions.is_empty() {
        return Some("it is for an action that no request has".to_owned());
    }
    let members: Vec<&Person> = match &scope.who {
        Who::Anybody => catalog.people().collect(),
        Who::Group(group) => {
            catalog.people().filter(|one| one.groups().iter().any(|of| of.as_str() == group)).collect()
        }
        Who::Person(email) => person(catalog, email).into_iter().collect(),
    };
    let (tenant, role) = match &scope.resource {
        Resource::Anything => (None, None),
        Resource::Tenant(tenant) => (Some(tenant.as_str()), None),
        Resource::Role(role) => (None, Some(role.as_str())),
        Resource::Access(id) => id.split_once('/').map(|(tenant, role)| (Some(tenant), Some(role)))?,
    };
    let tenants: Vec<_> =
        catalog.tenants().filter(|one| tenant.is_none_or(|id| one.id().as_str() == id)).collect();
    let roles: Vec<_> =
        catalog.roles().filter(|one| role.is_none_or(|name| one.name().as_str() == name)).collect();
    let is_unknown = (tenant.is_some() && tenants.is_empty())
        || (role.is_some() && roles.is_empty())
        || members.is_empty();
    if is_unknown {
        return None;
    }
    let available = |tenant: &&Tenant| roles.iter().any(|role| role.is_available_in(tenant.id()));
    let reachable: Vec<_> = tenants.into_iter().filter(available).collect();
    if reachable.is_empty() {
        return Some("the catalog does not offer that role there".to_owned());
    }
    let has_principal = |person: &&Person| {
        reachable.iter().any(|tenant| person.principals_in(tenant.account()).next().is_some())
    };
    if !members.iter().any(has_principal) {
        return Some("nobody whom it is about has a principal in an account where it applies".to_owned());
    }
    None
}
