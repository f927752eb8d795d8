//! Denials by guardrails, in words that tell a requester what to change.

use curfew_domain::catalog::Quorum;
use curfew_domain::decision::{Denial, DenialCode, missing_approvals};
use curfew_domain::ids::GroupName;
use curfew_domain::request::Basis;

use crate::facts::Subject;
use crate::guardrail::{Guardrail, Who};

/// Guardrails that could not be evaluated; none, if it is not one's fault.
pub(crate) fn failed(failed: &[(Option<&Guardrail>, &str)]) -> Denial {
    let told = failed.iter().map(|(guardrail, why)| match guardrail {
        Some(guardrail) => format!("guardrail `{}` could not be evaluated: {why}", guardrail.id()),
        None => format!("the guardrails could not be evaluated: {why}"),
    });
    let ids = failed.iter().filter_map(|(guardrail, _)| guardrail.map(|one| one.id().clone()));
    Denial::by_guardrails(
        DenialCode::GuardrailError,
        ids.collect(),
        joined(told),
        "tell whoever keeps the guardrails: nothing is granted that they can't judge",
    )
}

/// At least one guardrail forbids it.
pub(crate) fn forbidden(subject: &Subject<'_>, forbidding: &[&Guardrail]) -> Denial {
    let told = forbidding.iter().map(|one| {
        format!("guardrail `{}` forbids it: {}", one.id(), one.reason().unwrap_or("it gives no reason"))
    });
    let remedies: Vec<String> =
        forbidding.iter().filter_map(|one| one.remedy()).map(ToOwned::to_owned).collect();
    let remedy = match remedies.is_empty() {
        true => "ask whoever keeps the guardrails what would be allowed".to_owned(),
        false => joined(remedies.into_iter()),
    };
    let ids = forbidding.iter().map(|one| one.id().clone()).collect();
    let reason = joined(told.chain(lacking_approvals(subject)));
    Denial::by_guardrails(DenialCode::Forbidden, ids, reason, remedy)
}

/// How many guardrails a denial tells of that might have permitted it.
const HINTS: usize = 5;

/// None permits it; these would, if their conditions held.
pub(crate) fn not_permitted(subject: &Subject<'_>, permits: &[&Guardrail]) -> Denial {
    let request = &subject.case.plan.request;
    let basis = match request.basis {
        Basis::Approvals => "by approvals",
        Basis::OnCall { .. } => "for being on call",
        Basis::BreakGlass { .. } => "by break-glass",
    };
    let (role, tenant, requester) = (subject.role.name(), subject.tenant.id(), subject.requester.email());
    let main =
        format!("no guardrail permits `{requester}` to have role `{role}` in tenant `{tenant}` {basis}");
    let facts = lacking_membership(subject).into_iter().chain(lacking_approvals(subject));
    let hints = permits.iter().take(HINTS).filter_map(|one| {
        let id = one.id();
        let who = match &one.scope().who {
            Who::Group(group) if !subject.is_member(group) => format!(", for members of `{group}`,"),
            Who::Person(person) if person != requester.as_str() => format!(", for `{person}` alone,"),
            Who::Anybody | Who::Group(_) | Who::Person(_) => String::new(),
        };
        Some(format!("guardrail `{id}`{who} would: {}", one.remedy().or(one.reason())?))
    });
    let hints = joined(hints);
    let remedy = match permits {
        [] => format!("none is about such a request: ask for it another way than {basis}"),
        [..] if hints.is_empty() => {
            let ids: Vec<String> = permits.iter().take(HINTS).map(|one| format!("`{}`", one.id())).collect();
            format!("see what guardrail {} asks for", ids.join(", "))
        }
        [..] => hints,
    };
    Denial::by_guardrails(
        DenialCode::NotPermitted,
        Vec::new(),
        joined(std::iter::once(main).chain(facts)),
        remedy,
    )
}

fn is_by_approvals(subject: &Subject<'_>) -> bool {
    matches!(subject.case.plan.request.basis, Basis::Approvals)
}

/// Whose role it is, if the requester is none of them.
fn lacking_membership(subject: &Subject<'_>) -> Option<String> {
    let (role, requester) = (subject.role, subject.requester);
    if !is_by_approvals(subject) || requester.groups().intersection(role.eligible()).next().is_some() {
        return None;
    }
    let list = |groups: &mut dyn Iterator<Item = &GroupName>| {
        groups.map(|group| format!("`{group}`")).collect::<Vec<_>>().join(", ")
    };
    let own = list(&mut requester.groups().iter());
    let theirs = list(&mut role.eligible().iter());
    let told = match (theirs.is_empty(), own.is_empty()) {
        (true, _) => format!("role `{}` names no groups that are eligible", role.name()),
        (false, true) => format!("the role is for {theirs}, and the requester is in no group"),
        (false, false) => format!("the role is for {theirs}, and the requester is in {own}"),
    };
    Some(told)
}

/// Which approvals are missing, if it rests on them.
fn lacking_approvals(subject: &Subject<'_>) -> Option<String> {
    let missing = missing_approvals(subject.role.approvals(), &subject.approvers);
    if !is_by_approvals(subject) || missing.is_empty() {
        return None;
    }
    let told = missing.iter().map(|Quorum { group, count }| match group {
        Some(group) => format!("{count} of `{group}`"),
        None => format!("{count} of anybody"),
    });
    Some(format!("approvals are missing: {}", told.collect::<Vec<_>>().join(", ")))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}
