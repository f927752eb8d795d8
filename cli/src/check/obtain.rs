//! Who gets what in the end: roles that nobody can get, and approvals that are not needed. By deciding requests, with
//! the code that the function runs; what requests are tried is [`super::ideal`]'s to say.

use std::collections::{BTreeMap, BTreeSet};

use curfew_domain::catalog::{Person, Role, Tenant};
use curfew_domain::decision::{Denial, DenialCode};
use curfew_domain::ids::{Email, GuardrailId};
use jiff::Timestamp;

use super::finding::{Grade, Report, Rule};
use super::ideal::{Hours, Ideals, fewest, without_each};
use crate::rulebook::Rulebook;
use crate::simulate::judge;

const ALL: &[&str] = &["approved", "on-call", "break-glass"];
const APPROVED: &[&str] = &["approved"];

pub(crate) fn check(rulebook: &Rulebook, now: Timestamp, report: &mut Report) {
    let Some(ideals) = Ideals::new(rulebook, now) else { return };
    let mut weak = Weak::default();
    for role in rulebook.catalog.roles() {
        let mut denied: Vec<(&Tenant, Option<Denial>)> = Vec::new();
        let tenants: Vec<&Tenant> =
            rulebook.catalog.tenants().filter(|tenant| role.is_available_in(tenant.id())).collect();
        for tenant in &tenants {
            let candidates = ideals.candidates(&rulebook.catalog, tenant, role);
            if let Err(denial) = somebody(rulebook, &ideals, role, tenant, &candidates) {
                denied.push((tenant, denial));
            }
            // Of those who are treated like anybody, the first stands for all.
            let anybody = candidates.iter().position(|person| !ideals.stands_out(person, role));
            let tried = candidates
                .iter()
                .enumerate()
                .filter(|(index, person)| Some(*index) == anybody || ideals.stands_out(person, role));
            for (_, person) in tried {
                approvals_count(rulebook, &ideals, role, tenant, person, &mut weak);
            }
        }
        nobody_gets(rulebook, role, &denied, tenants.len(), report);
    }
    weak.tell(rulebook, report);
}

/// Whether an ideal request of anybody's passes; if not, the denial that says most.
fn somebody(
    rulebook: &Rulebook,
    ideals: &Ideals,
    role: &Role,
    tenant: &Tenant,
    candidates: &[&Person],
) -> Result<(), Option<Denial>> {
    let mut closest: Option<((bool, u8), Denial)> = None;
    for person in candidates {
        let is_eligible = person.groups().intersection(role.eligible()).next().is_some();
        let all = ideals.approvers(&rulebook.catalog, role, person);
        let few = fewest(role, &all);
        for approvers in few.iter().chain([&all]) {
            let approvers: Vec<&Email> = approvers.iter().map(|one| one.email()).collect();
            for question in ideals.requests(Hours::Any, tenant, role, person, &approvers, ALL) {
                match judge(rulebook, &question) {
                    Ok(_) => return Ok(()),
                    Err(denial) => {
                        let rank = (is_eligible, says(&denial));
                        if closest.as_ref().is_none_or(|(known, _)| rank > *known) {
                            closest = Some((rank, denial));
                        }
                    }
                }
            }
        }
    }
    Err(closest.map(|(_, denial)| denial))
}

/// How much a denial says about why nobody gets a role: the more, the further the request came.
fn says(denial: &Denial) -> u8 {
    match denial.code {
        DenialCode::GuardrailError => 3,
        DenialCode::Forbidden => 2,
        DenialCode::NotPermitted => 1,
        _ => 0,
    }
}

fn nobody_gets(
    rulebook: &Rulebook,
    role: &Role,
    denied: &[(&Tenant, Option<Denial>)],
    tenants: usize,
    report: &mut Report,
) {
    let Some((_, denial)) = denied.first() else { return };
    let names: Vec<String> = denied.iter().map(|(tenant, _)| format!("`{}`", tenant.id())).collect();
    let why = denial.as_ref().map_or_else(
        || "nobody has a principal in that account".to_owned(),
        |denial| format!("the request that came furthest was denied because {}", denial.reason),
    );
    let message = format!("nobody can get role `{}` in tenant {}: {why}", role.name(), names.join(", "));
    let remedy = denial.as_ref().map_or_else(
        || "give somebody a principal there, or give the role a `tenants` list".to_owned(),
        |denial| denial.remedy.clone(),
    );
    // One that can be had elsewhere may be left out here on purpose.
    let grade = if denied.len() == tenants { Grade::Warning } else { Grade::Note };
    report.add((Rule::UnobtainableRole, grade), &rulebook.folders.catalog, role.place(), message, remedy);
}

/// Guardrails that permit with too few approvals, each with the first request that shows it.
#[derive(Default)]
struct Weak {
    /// Not all that the role takes.
    fewer: BTreeMap<GuardrailId, String>,
    /// The requester's own among them, and not without.
    own: BTreeMap<GuardrailId, String>,
    seen: BTreeSet<String>,
}

/// Tries requests that lack one approval: as they are, with that of somebody in its place who does not stand for it, and
/// each of these with the requester's own besides, under each of their addresses. Once for each role, kind of tenant and
/// kind of person.
///
/// Somebody must stand in: with no approval at all that counts, the catalog denies before a guardrail is asked.
fn approvals_count(
    rulebook: &Rulebook,
    ideals: &Ideals,
    role: &Role,
    tenant: &Tenant,
    person: &Person,
    weak: &mut Weak,
) {
    if !weak.seen.insert(format!("{:?} {} {}", person.groups(), role.name(), ideals.kind_of(tenant))) {
        return;
    }
    let all = ideals.approvers(&rulebook.catalog, role, person);
    let Some(enough) = fewest(role, &all) else { return };
    let own: Vec<&Email> = [person.email()].into_iter().chain(person.aliases()).collect();
    let shown = format!("`{}` for role `{}` in tenant `{}`", person.email(), role.name(), tenant.id());
    let permitted = |approvers: &[&Email]| {
        ideals
            .requests(Hours::Working, tenant, role, person, approvers, APPROVED)
            .find_map(|question| judge(rulebook, &question).ok())
            .map(|(_, permit)| permit.permitted_by)
    };
    for short in without_each(&enough) {
        let others = ideals.stand_ins(&rulebook.catalog, role, person, &short);
        let filled = others.into_iter().map(|other| short.iter().copied().chain([other]).collect());
        for people in [short.clone()].into_iter().chain(filled) {
            let given: Vec<&Email> = people.iter().map(|one: &&Person| one.email()).collect();
            let with_own: Vec<&Email> = given.iter().chain(&own).copied().collect();
            if let Some(by) = permitted(&given) {
                for id in by {
                    weak.fewer.entry(id).or_insert_with(|| shown.clone());
                }
            } else if let Some(by) = permitted(&with_own) {
                for id in by {
                    weak.own.entry(id).or_insert_with(|| shown.clone());
                }
            }
        }
    }
}

impl Weak {
    fn tell(&self, rulebook: &Rulebook, report: &mut Report) {
        let folder = &rulebook.folders.guardrails;
        let found = [
            (
                &self.own,
                (Rule::SelfApproval, Grade::Error),
                "permits a request that lacks an approval once the requester approves it themselves",
                "have it ask for `context.approvals.complete`, in which the requester does not count",
            ),
            (
                &self.fewer,
                (Rule::ApprovalsNotEnforced, Grade::Warning),
                "permits a request without every approval that the role takes",
                "have it ask for `context.approvals.complete`, or change the role's `approvals`",
            ),
        ];
        for (weak, what, message, remedy) in found {
            for (id, shown) in weak {
                let Some(one) = rulebook.guardrails.guardrail(id) else { continue };
                let message = format!("guardrail `{id}` {message}: that of {shown}");
                report.add(what, folder, one.place(), message, remedy);
            }
        }
    }
}
