//! Checking what the files say against each other: references, includes, limits, quotas, principals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};

use super::draft::{Declared, Draft, RoleDraft};
use super::finding::{Place, Report};
use super::model::{Role, RoleAccess};
use super::table::Located;
use crate::document::{Statement, fits, render};
use crate::ids::{Email, GroupName, PermissionName, RoleName, TenantId};
use crate::principal::{Principal, PrincipalKind};
use crate::window::Window;

/// Checks everything that needs more than one entry, and resolves what roles refer to.
pub(super) fn check(draft: &Draft, report: &mut Report) -> BTreeMap<RoleName, Role> {
    let (mut roles, users) = (BTreeMap::new(), users(draft));
    for (name, place, role) in draft.roles.iter() {
        known("permission", &role.permissions, &draft.permissions, report);
        known("role", &role.includes, &draft.roles, report);
        known("tenant", role.tenants.as_deref().unwrap_or_default(), &draft.tenants, report);
        for included in &role.includes {
            check_include(name, role, included, draft, report);
        }
        check_cycle(name, role, draft, report);
        if let Some(role) = resolve(name, place, role, draft) {
            check_size(&role, place, draft, &users, report);
            roles.insert(name.clone(), role);
        }
    }
    check_principals(draft, report);
    check_identities(draft, report);
    check_groups(draft, report);
    roles
}

/// An address or an account stands for one person: or somebody could approve their own request under another.
fn check_identities(draft: &Draft, report: &mut Report) {
    let mut owners: BTreeMap<&Email, (&Email, &Place)> = BTreeMap::new();
    for (email, place, _) in draft.people.iter() {
        owners.insert(email, (email, place));
    }
    for (email, _, person) in draft.people.iter() {
        for alias in &person.aliases {
            if let Some((owner, first)) = owners.get(&alias.value) {
                let message = format!("address `{}` is person `{owner}`'s already, at {first}", alias.value);
                report.error(&alias.place, message, "keep it with the one human being whose address it is");
            } else {
                owners.insert(&alias.value, (email, &alias.place));
            }
        }
    }
    let mut owners = BTreeMap::new();
    for (email, _, person) in draft.people.iter() {
        for account in &person.accounts {
            if let Some((owner, first)) = owners.get(&account.value) {
                let message =
                    format!("account `{}` is person `{owner}`'s already, at {first}", account.value);
                report.error(&account.place, message, "keep it with the one human being whose account it is");
            } else {
                owners.insert(account.value.clone(), (email, &account.place));
            }
        }
    }
}

/// Groups that roles name and nobody is in: most often a name that is written wrong.
fn check_groups(draft: &Draft, report: &mut Report) {
    // A person that could not be read may be the one who is in it.
    if report.has_errors() {
        return;
    }
    let members = |group: &GroupName| {
        draft.people.iter().filter(|(_, _, person)| person.person.groups().contains(group)).count()
    };
    for (name, place, role) in draft.roles.iter() {
        for group in role.eligible.iter().filter(|group| members(group) == 0) {
            let message = format!("role `{name}` is for group `{group}`, and nobody is in it");
            report.warning(place, message, "correct the group, or put somebody in it");
        }
        for quorum in &role.approvals {
            let Some(group) = &quorum.group else { continue };
            let (there, wanted) = (members(group), quorum.count);
            if there < wanted {
                let message = format!(
                    "role `{name}` takes {wanted} approval(s) of group `{group}`, which has {there} member(s)"
                );
                report.warning(place, message, "nobody can get the role: correct the group or the count");
            }
        }
    }
}

fn known<K: Ord + Display, V>(
    kind: &str,
    names: &[Located<K>],
    declared: &Declared<K, V>,
    report: &mut Report,
) {
    for name in names.iter().filter(|name| !declared.has(&name.value)) {
        let message = format!("{kind} `{}` is not defined in any file", name.value);
        report.error(&name.place, message, format!("define it, or use one that is: {}", declared.names()));
    }
}

/// An including role must not widen what it includes: neither where it may be had, nor for how long.
fn check_include(
    name: &RoleName,
    role: &RoleDraft,
    included: &Located<RoleName>,
    draft: &Draft,
    report: &mut Report,
) {
    let Some(other) = draft.roles.get(&included.value) else { return };
    let place = &included.place;
    if other.is_managed {
        let message = format!("role `{name}` includes `{}`, which is managed", included.value);
        report.error(place, message, "include inline roles only; ask for managed ones on their own");
    }
    if let (Some(max), Some(limit)) = (&role.max_duration, &other.max_duration)
        && max.value > limit.value
    {
        let message = format!(
            "role `{name}` may be had for {:#}, but includes `{}`, which may be had for {:#} at most",
            max.value, included.value, limit.value
        );
        report.error(place, message, "shorten the one's `max_duration` or lengthen the other's");
    }
    let widened = draft
        .tenants
        .iter()
        .map(|(tenant, _, _)| tenant)
        .find(|tenant| is_available(role, tenant) && !is_available(other, tenant));
    if let Some(tenant) = widened {
        let message = format!(
            "role `{name}` may be had in tenant `{tenant}`, but includes `{}`, which may not",
            included.value
        );
        report.error(place, message, "give it a `tenants` list that leaves that tenant out");
    }
}

fn is_available(role: &RoleDraft, tenant: &TenantId) -> bool {
    role.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|t| t.value == *tenant))
}

/// Reports a cycle of includes once: from the role in it whose name comes first.
fn check_cycle(start: &RoleName, role: &RoleDraft, draft: &Draft, report: &mut Report) {
    let mut seen = BTreeSet::new();
    let mut path = vec![start];
    if let Some(place) = find_cycle(start, role, draft, &mut path, &mut seen) {
        let chain: Vec<String> = path.iter().chain([&start]).map(|name| format!("`{name}`")).collect();
        let message = format!("role `{start}` includes itself: {}", chain.join(" → "));
        report.error(&place, message, "remove one of these includes");
    }
}

/// The include that leads back to `start`, with the way to it in `path`. Goes only by names after
/// `start`, so that no other start finds the same cycle.
fn find_cycle<'a>(
    start: &RoleName,
    role: &'a RoleDraft,
    draft: &'a Draft,
    path: &mut Vec<&'a RoleName>,
    seen: &mut BTreeSet<&'a RoleName>,
) -> Option<Place> {
    for included in &role.includes {
        let name = &included.value;
        if name == start {
            return Some(included.place.clone());
        }
        if name < start || !seen.insert(name) {
            continue;
        }
        let Some(next) = draft.roles.get(name) else { continue };
        path.push(name);
        if let Some(place) = find_cycle(start, next, draft, path, seen) {
            return Some(place);
        }
        path.pop();
    }
    None
}

/// The role with everything that it refers to. `None` if any of that is broken, which was reported.
fn resolve(name: &RoleName, place: &Place, role: &RoleDraft, draft: &Draft) -> Option<Role> {
    let mut permissions = Vec::new();
    let access = if role.is_managed {
        RoleAccess::Managed { policy: role.managed.clone()? }
    } else {
        collect(name, role, draft, &mut permissions, &mut BTreeSet::new())?;
        let mut statements = Vec::<Statement>::new();
        for permission in &permissions {
            statements.extend(draft.permissions.get(permission)?.statements().iter().cloned());
        }
        if statements.is_empty() {
            return None;
        }
        RoleAccess::Inline { statements }
    };
    Some(Role {
        name: name.clone(),
        description: role.description.clone()?,
        permissions,
        access,
        max_duration: role.max_duration.as_ref()?.value,
        default_duration: role.default_duration.as_ref()?.value,
        tenants: role.tenants.as_ref().map(|tenants| tenants.iter().map(|t| t.value.clone()).collect()),
        privileged: role.privileged,
        eligible: role.eligible.clone(),
        approvals: role.approvals.clone(),
        labels: role.labels.clone(),
        place: place.clone(),
    })
}

/// Collects the permissions of a role and of what it includes, each once.
fn collect<'a>(
    name: &'a RoleName,
    role: &'a RoleDraft,
    draft: &'a Draft,
    permissions: &mut Vec<PermissionName>,
    seen: &mut BTreeSet<&'a RoleName>,
) -> Option<()> {
    if !seen.insert(name) {
        return Some(());
    }
    for permission in &role.permissions {
        if !permissions.contains(&permission.value) {
            permissions.push(permission.value.clone());
        }
    }
    for included in &role.includes {
        collect(&included.value, draft.roles.get(&included.value)?, draft, permissions, seen)?;
    }
    Some(())
}

/// Renders an inline role for the tenants where it may be had: what can't fit even alone is told now, not
/// when somebody needs it. Every window renders to the same size, and so do tenants whose names and regions
/// are of one length: of those, one is tried.
fn check_size(role: &Role, place: &Place, draft: &Draft, users: &Users<'_>, report: &mut Report) {
    let RoleAccess::Inline { statements } = &role.access else { return };
    let Ok(window) = Window::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1))
    else {
        return;
    };
    let mut tried = BTreeSet::new();
    for (id, _, tenant) in draft.tenants.iter().filter(|(id, _, _)| role.is_available_in(id)) {
        let user = users.get(tenant.account());
        if !tried.insert((id.as_str().len(), tenant.region().len(), user.is_some())) {
            continue;
        }
        let document = render(statements, tenant.scope(), window);
        let told = |reason: &dyn Display| format!("role `{}` in tenant `{id}`: {reason}", role.name);
        if let Err(error) = fits(PrincipalKind::Role, &document) {
            let remedy = "give it fewer statements, wildcards for long lists, or access = \"managed\"";
            report.error(place, told(&error), remedy);
        } else if let (Err(error), Some(user)) = (fits(PrincipalKind::User, &document), user) {
            let remedy = format!("requests for users like `{user}` will be denied; give them IAM roles");
            report.warning(place, told(&error), remedy);
        }
    }
}

/// One IAM user of each account that has any, to be named in messages.
type Users<'a> = BTreeMap<&'a str, &'a Principal>;

fn users(draft: &Draft) -> Users<'_> {
    let principals = draft.people.iter().flat_map(|(_, _, person)| person.person.principals());
    principals.filter(|p| p.kind() == PrincipalKind::User).map(|p| (p.account(), p)).collect()
}

/// A principal belongs to one person: or one human being could approve their own request under two
/// addresses, and nobody could tell afterwards who used the access.
fn check_principals(draft: &Draft, report: &mut Report) {
    let accounts: BTreeSet<&str> = draft.tenants.iter().map(|(_, _, tenant)| tenant.account()).collect();
    // Complaints about a tenant that is missing are of use only if none is missing by another mistake.
    let all_known = !report.has_errors();
    let mut owners = BTreeMap::new();
    for (email, _, person) in draft.people.iter() {
        for located in &person.principals {
            let principal = &located.value;
            // IAM tells names neither by case nor by path.
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
            let identity = (principal.account(), principal.kind(), principal.name().to_ascii_lowercase());
            if let Some((owner, first)) = owners.get(&identity) {
                let message = format!("principal `{principal}` is person `{owner}`'s already, at {first}");
                report.error(&located.place, message, "keep it with the one human being who uses it");
            } else {
                owners.insert(identity, (email, &located.place));
            }
            let account = principal.account();
            if all_known && !accounts.contains(account) {
                let message =
                    format!("principal `{principal}` is in account `{account}`, which is no tenant's");
                report.warning(&located.place, message, "it will never receive access; check the account");
            }
        }
    }
}
