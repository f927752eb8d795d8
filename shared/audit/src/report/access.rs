//! The access review: who could get what, who had what, and what was never used.
//!
//! Who could get what is read from a catalog: members of a role's eligible groups who have a principal in a tenant's account.
//! That is what a request is measured against first; the guardrails have the last word on each, and are not asked here. Who
//! had what comes from the archive alone.

use std::collections::BTreeMap;

use curfew_domain::catalog::{Catalog, Person, Quorum, Role, Tenant};
use curfew_domain::ids::{Email, GrantId, GroupName};
use jiff::Timestamp;
use serde::Serialize;

use super::Order;
use super::grant::GrantRow;

/// The access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessReview {
    /// Who could get what; none, if no catalog was given.
    pub eligible: Option<Eligible>,
    /// Who had what in the period.
    pub held: Vec<Held>,
    /// Grants that rested on an emergency.
    pub emergencies: Vec<GrantId>,
    /// Grants whose review is owed and not done.
    pub open_reviews: Vec<GrantId>,
}

/// Who could get what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Eligible {
    /// The digest of the catalog that says so.
    pub catalog_digest: String,
    /// How many of the report's grants another catalog decided.
    pub decided_by_others: usize,
    /// Each person, tenant and role.
    pub entries: Vec<Eligibility>,
    /// Tenant and role of what nobody had in the period.
    pub unused_roles: Vec<(String, String)>,
    /// People who could get something, and had nothing in the period.
    pub unused_people: Vec<Email>,
}

/// Somebody who could get something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Eligibility {
    /// Who.
    pub person: Email,
    /// Where.
    pub tenant: String,
    /// What.
    pub role: String,
    /// Whether the role is a privileged one.
    pub privileged: bool,
    /// By which groups.
    pub via: Vec<GroupName>,
    /// Whose approvals it takes, each in words.
    pub approvals: Vec<String>,
    /// For how long at most, in seconds.
    pub max_seconds: i64,
    /// What would receive it.
    pub principals: Vec<String>,
    /// How many grants of it they had in the period.
    pub grants: usize,
}

/// Somebody who had something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Who.
    pub person: String,
    /// Where.
    pub tenant: String,
    /// What.
    pub role: String,
    /// Whether the role is a privileged one.
    pub privileged: bool,
    /// In how many grants that took effect.
    pub grants: usize,
    /// For how long in the period, all grants together, in seconds.
    pub seconds: i64,
    /// When the first of them took effect.
    pub first: Timestamp,
    /// When the last of them did.
    pub last: Timestamp,
    /// How many of them rested on an emergency.
    pub emergencies: usize,
    /// Whether the catalog still lets them ask for it; none, if no catalog was given.
    pub still_eligible: Option<bool>,
}

type Key = (String, String, String);

pub(super) fn review(grants: &[GrantRow], order: &Order<'_>) -> AccessReview {
    let mut held = held(grants, order);
    let eligible = order.catalog.map(|catalog| eligible(catalog, grants, &held));
    if let Some(eligible) = &eligible {
        for one in held.values_mut() {
            let same = |entry: &&Eligibility| {
                (entry.person.as_str(), &entry.tenant, &entry.role)
                    == (one.person.as_str(), &one.tenant, &one.role)
            };
            one.still_eligible = Some(eligible.entries.iter().find(same).is_some());
        }
    }
    let ids = |is: &dyn Fn(&GrantRow) -> bool| {
        grants.iter().filter(|row| is(row)).map(|row| row.grant_id.clone()).collect()
    };
    AccessReview {
        eligible,
        held: held.into_values().collect(),
        emergencies: ids(&|row| row.emergency().is_some()),
        open_reviews: ids(&GrantRow::owes_review),
    }
}

/// The address that the catalog has a person under today, so that one who changed theirs is one person.
fn main_address(catalog: Option<&Catalog>, address: &str) -> String {
    let email = Email::new(address).ok();
    let person = catalog.zip(email.as_ref()).and_then(|(catalog, email)| catalog.person(email));
    person.map_or_else(|| address.to_owned(), |person| person.email().to_string())
}

fn held(grants: &[GrantRow], order: &Order<'_>) -> BTreeMap<Key, Held> {
    let mut held: BTreeMap<Key, Held> = BTreeMap::new();
    for row in grants {
        let Some(effective) = row.effective_at.filter(|at| *at < order.period.until) else { continue };
        let seconds = row.held_seconds(order.period.from, order.period.until.min(order.known_until));
        if seconds == 0 && row.removal.as_ref().is_some_and(|removal| removal.at <= order.period.from) {
            continue;
        }
        let person = main_address(order.catalog, &row.requester);
        let one =
            held.entry((person.clone(), row.tenant.clone(), row.role.clone())).or_insert_with(|| Held {
                person,
                tenant: row.tenant.clone(),
                role: row.role.clone(),
                privileged: false,
                grants: 0,
                seconds: 0,
                first: effective,
                last: effective,
                emergencies: 0,
                still_eligible: None,
            });
        one.grants += 1;
        one.seconds += seconds;
        one.privileged |= row.privileged;
        one.first = one.first.min(effective);
        one.last = one.last.max(effective);
        one.emergencies += usize::from(row.emergency().is_some());
    }
    held
}

fn eligible(catalog: &Catalog, grants: &[GrantRow], held: &BTreeMap<Key, Held>) -> Eligible {
    let mut entries = Vec::new();
    for person in catalog.people() {
        for tenant in catalog.tenants() {
            for role in catalog.roles() {
                entries.extend(eligibility(person, tenant, role, held));
            }
        }
    }
    let mut unused_roles: Vec<(String, String)> = Vec::new();
    for tenant in catalog.tenants() {
        for role in catalog.roles().filter(|role| role.is_available_in(tenant.id())) {
            let (tenant, role) = (tenant.id().to_string(), role.name().to_string());
            if !held.values().any(|one| (&one.tenant, &one.role) == (&tenant, &role)) {
                unused_roles.push((tenant, role));
            }
        }
    }
    let mut unused_people: Vec<Email> = Vec::new();
    for person in catalog.people() {
        let mut own = entries.iter().filter(|entry| &entry.person == person.email()).peekable();
        if own.peek().is_some() && own.all(|entry| entry.grants == 0) {
            unused_people.push(person.email().clone());
        }
    }
    let decided_by_others = grants
        .iter()
        .filter_map(|row| row.decided.as_ref())
        .filter(|decided| decided.catalog_digest != catalog.digest())
        .count();
    Eligible {
        catalog_digest: catalog.digest().to_owned(),
        decided_by_others,
        entries,
        unused_roles,
        unused_people,
    }
}

fn eligibility(
    person: &Person,
    tenant: &Tenant,
    role: &Role,
    held: &BTreeMap<Key, Held>,
) -> Option<Eligibility> {
    let via: Vec<GroupName> = person.groups().intersection(role.eligible()).cloned().collect();
    let principals: Vec<String> =
        person.principals_in(tenant.account()).map(|principal| principal.arn().to_owned()).collect();
    if via.is_empty() || principals.is_empty() || !role.is_available_in(tenant.id()) {
        return None;
    }
    let key = (person.email().to_string(), tenant.id().to_string(), role.name().to_string());
    Some(Eligibility {
        grants: held.get(&key).map_or(0, |one| one.grants),
        person: person.email().clone(),
        tenant: key.1,
        role: key.2,
        privileged: role.privileged(),
        via,
        approvals: role.approvals().iter().map(quorum).collect(),
        max_seconds: role.max_duration().as_secs(),
        principals,
    })
}

fn quorum(quorum: &Quorum) -> String {
    match &quorum.group {
        Some(group) => format!("{} of {group}", quorum.count),
        None => format!("{} of anybody", quorum.count),
    }
}
