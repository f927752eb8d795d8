//! The rules of a decision, one function each. Every one returns what it found or the denial.
//!
//! Two rules need no code here, because types hold them: a [`Principal`] is one that AWS lets be modified,
//! and a catalog in which two people share a principal, an address or an account can't be made (so nobody
//! approves their own request under a second one).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::denial::{Denial, DenialCode};
use crate::access::Route;
use crate::catalog::{Catalog, Person, Role, RoleAccess, Tenant};
use crate::ids::{Email, RoleName, TenantId};
use crate::principal::Principal;
use crate::request::{AccessRequest, Approval, WindowEnd, WindowRequest, deceptive_character};
use crate::window::{Window, plus, whole_second};

/// How far a sender's clock may be ahead of ours.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How old an approval may be if the window has no start of its own: it says "now", and must mean it.
pub const APPROVAL_AGE_LIMIT: SignedDuration = SignedDuration::from_hours(24);

/// How far ahead a window may start: people leave, roles change, and nobody asks again.
pub const START_AHEAD_LIMIT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How much of a window must be left at least. Less is over before it is attached.
pub const WINDOW_REMAINDER_MINIMUM: SignedDuration = SignedDuration::from_secs(2);

/// How many characters a justification may have.
pub const JUSTIFICATION_LIMIT: usize = 1_000;

pub(super) fn tenant<'a>(catalog: &'a Catalog, id: &TenantId) -> Result<&'a Tenant, Denial> {
    catalog.tenant(id).ok_or_else(|| {
        let reason = format!("tenant `{id}` is not in the catalog");
        Denial::new(DenialCode::UnknownTenant, reason, "correct the tenant, or have it added to the catalog")
    })
}

pub(super) fn role<'a>(catalog: &'a Catalog, name: &RoleName) -> Result<&'a Role, Denial> {
    catalog.role(name).ok_or_else(|| {
        let reason = format!("role `{name}` is not in the catalog");
        Denial::new(DenialCode::UnknownRole, reason, "correct the role, or have it added to the catalog")
    })
}

pub(super) fn person<'a>(catalog: &'a Catalog, email: &Email) -> Result<&'a Person, Denial> {
    catalog.person(email).ok_or_else(|| {
        let reason = format!("requester `{email}` is not in the catalog");
        Denial::new(
            DenialCode::UnknownPerson,
            reason,
            "correct the address, or have the person added to the catalog",
        )
    })
}

pub(super) fn availability(role: &Role, tenant: &Tenant) -> Result<(), Denial> {
    if role.is_available_in(tenant.id()) {
        return Ok(());
    }
    Err(Denial::new(
        DenialCode::RoleNotInTenant,
        format!("role `{}` can't be had in tenant `{}`", role.name(), tenant.id()),
        "ask for another role or tenant, or have the catalog's `tenants` list of the role changed",
    ))
}

/// The principal that receives the access: the one named, or the only one there is.
pub(super) fn principal<'a>(
    person: &'a Person,
    named: Option<&Principal>,
    tenant: &'a Tenant,
) -> Result<&'a Principal, Denial> {
    let (email, account) = (person.email(), tenant.account());
    if let Some(named) = named {
        let Some(own) = person.principals().iter().find(|own| *own == named) else {
            return Err(Denial::new(
                DenialCode::PrincipalNotTheirs,
                format!("principal `{named}` is not one of `{email}`'s in the catalog"),
                "name one of the requester's own, or none",
            ));
        };
        if own.account() != account {
            return Err(Denial::new(
                DenialCode::PrincipalElsewhere,
                format!("principal `{named}` is not in account `{account}` of tenant `{}`", tenant.id()),
                "name one of the requester's principals in that account, or none",
            ));
        }
        return Ok(own);
    }
    let mut candidates = person.principals_in(account);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Denial::new(
            DenialCode::NoPrincipal,
            format!("`{email}` has no principal in account `{account}` of tenant `{}`", tenant.id()),
            "have one of their IAM users or roles in that account added to the catalog",
        )),
        (Some(_), Some(_)) => {
            let all: Vec<String> = person.principals_in(account).map(|p| format!("`{p}`")).collect();
            Err(Denial::new(
                DenialCode::AmbiguousPrincipal,
                format!("`{email}` has several principals in account `{account}`: {}", all.join(", ")),
                "name the one that shall receive the access",
            ))
        }
    }
}

/// Approvals by others than the requester, under whatever address.
fn by_others<'a>(catalog: &Catalog, request: &'a AccessRequest) -> impl Iterator<Item = &'a Approval> {
    request
        .approvals
        .iter()
        .filter(|approval| !catalog.is_same_person(&approval.approver, &request.requester))
}

/// Approvals that count: by others, and in the catalog.
fn that_count<'a>(catalog: &'a Catalog, request: &'a AccessRequest) -> impl Iterator<Item = &'a Approval> {
    by_others(catalog, request).filter(|approval| catalog.person(&approval.approver).is_some())
}

/// Everybody whose approval counts and was given at `from` or later, each once.
pub(super) fn approvers(catalog: &Catalog, request: &AccessRequest, from: Timestamp) -> Vec<Email> {
    let fresh = that_count(catalog, request).filter(|approval| approval.at >= from);
    let people = fresh.filter_map(|approval| catalog.person(&approval.approver));
    let people: BTreeSet<&Email> = people.map(Person::email).collect();
    people.into_iter().cloned().collect()
}

/// Whether the requester approved.
pub(super) fn is_self_approved(catalog: &Catalog, request: &AccessRequest) -> bool {
    request.approvals.iter().any(|approval| catalog.is_same_person(&approval.approver, &request.requester))
}

/// When the newest approval that counts was given, or what stands for one.
pub(super) fn newest_that_counts(catalog: &Catalog, request: &AccessRequest) -> Option<Timestamp> {
    that_count(catalog, request).map(|approval| approval.at).chain(request.basis.since()).max()
}

/// Whether a request only takes time away from a window that was approved before. Then it may rest on an approval
/// of any age: the one that the window rests on is as old as it is.
pub(super) fn takes_away(asked: WindowRequest, current: Window, now: Timestamp) -> bool {
    let keeps_start = current.starts_at() <= now
        || asked.starts_at.is_some_and(|start| whole_second(start) >= current.starts_at());
    keeps_start && matches!(asked.end, Some(WindowEnd::At(end)) if whole_second(end) < current.expires_at())
}

/// What the request rests on is there and fresh: no older than `oldest`, if it says "now". Says when it came to be.
pub(super) fn basis(
    catalog: &Catalog,
    request: &AccessRequest,
    now: Timestamp,
    oldest: Timestamp,
) -> Result<Timestamp, Denial> {
    none_of_the_future(request, now)?;
    let Some(since) = request.basis.since() else { return approvals(catalog, request, oldest) };
    let name = request.basis.name();
    if since > plus(now, CLOCK_SKEW) {
        return Err(Denial::new(
            DenialCode::ApprovalInFuture,
            format!("the {name} request is dated {since}, and it is {now}"),
            "check the clock of the system that sent it",
        ));
    }
    if since < oldest {
        return Err(Denial::new(
            DenialCode::ApprovalTooOld,
            format!("the {name} request is of {since}, more than {APPROVAL_AGE_LIMIT:#} ago"),
            "have it sent anew, or have the access approved",
        ));
    }
    // Approvals that stand beside it are not needed.
    Ok(newest_that_counts(catalog, request).unwrap_or(since))
}

/// From when on an approval counts: access that starts now rests on an approval for now. One with a start of its own
/// was approved for that.
pub(super) fn oldest(asked: WindowRequest, oldest: Timestamp) -> Timestamp {
    match asked.starts_at {
        None => oldest,
        Some(_) => Timestamp::MIN,
    }
}

fn none_of_the_future(request: &AccessRequest, now: Timestamp) -> Result<(), Denial> {
    let latest = plus(now, CLOCK_SKEW);
    match request.approvals.iter().find(|approval| approval.at > latest) {
        None => Ok(()),
        Some(early) => Err(Denial::new(
            DenialCode::ApprovalInFuture,
            format!("the approval by `{}` is dated {}, and it is {now}", early.approver, early.at),
            "check the clock of the system that sent it",
        )),
    }
}

/// At least one approval counts: by somebody in the catalog, other than the requester, and in time.
/// Says when the newest that counts was given.
pub(super) fn approvals(
    catalog: &Catalog,
    request: &AccessRequest,
    oldest: Timestamp,
) -> Result<Timestamp, Denial> {
    let oldest = self::oldest(request.window, oldest);
    if let Some(newest) = newest_that_counts(catalog, request).filter(|newest| *newest >= oldest) {
        return Ok(newest);
    }
    let requester = &request.requester;
    Err(if let Some(old) = that_count(catalog, request).max_by_key(|approval| approval.at) {
        Denial::new(
            DenialCode::ApprovalTooOld,
            format!(
                "the approval by `{}` is of {}, more than {APPROVAL_AGE_LIMIT:#} ago",
                old.approver, old.at
            ),
            "have it approved again, or ask for a window with a start",
        )
    } else if let Some(unknown) = by_others(catalog, request).next() {
        Denial::new(
            DenialCode::UnknownApprover,
            format!("approver `{}` is not in the catalog", unknown.approver),
            "have it approved by somebody in the catalog, or have the approver added",
        )
    } else if request.approvals.is_empty() {
        let reason = format!("nobody approved the request of `{requester}`");
        Denial::new(DenialCode::NoApproval, reason, "have it approved by somebody else than the requester")
    } else {
        let reason = format!("nobody but the requester `{requester}` approved it");
        Denial::new(DenialCode::SelfApproval, reason, "have it approved by somebody else")
    })
}

pub(super) fn justification(text: &str) -> Result<(), Denial> {
    if text.trim().is_empty() {
        let remedy = "say why the access is needed";
        return Err(Denial::new(DenialCode::NoJustification, "the justification is blank", remedy));
    }
    let length = text.chars().count();
    if length > JUSTIFICATION_LIMIT {
        return Err(Denial::new(
            DenialCode::JustificationTooLong,
            format!("the justification has {length} characters"),
            format!("use at most {JUSTIFICATION_LIMIT}; details belong in the ticket"),
        ));
    }
    if let Some(deceptive) = deceptive_character(text) {
        return Err(Denial::new(
            DenialCode::JustificationUnreadable,
            format!("the justification has the character U+{:04X}", u32::from(deceptive)),
            "remove it; besides text, only line breaks and tabs are kept",
        ));
    }
    Ok(())
}

/// The window as asked for, filled up with the role's defaults. Limits apply to all of it, also to a part
/// that is past already: what was approved is what is kept in the records.
///
/// For a grant that has a window already, the spans that are asked for count from now (or from the start that is
/// asked for) as they do for any, while the window keeps the start that it had, once that is past.
pub(super) fn window(
    asked: WindowRequest,
    role: &Role,
    now: Timestamp,
    current: Option<Window>,
) -> Result<Window, Denial> {
    let begun = current.map(Window::starts_at).filter(|start| *start <= now);
    let counted_from = asked.starts_at.unwrap_or(now);
    let expires_at = match asked.end {
        Some(WindowEnd::At(time)) => time,
        Some(WindowEnd::After(span)) => plus(counted_from, span),
        None => plus(counted_from, role.default_duration()),
    };
    let starts_at = begun.unwrap_or(counted_from);
    let between = |start| {
        Window::new(start, expires_at).map_err(|error| {
            let remedy = "let it end at least one second after its start";
            Denial::new(DenialCode::WindowEmpty, error.to_string(), remedy)
        })
    };
    let window = between(starts_at)?;
    // Where the grant's start stands for the one that is asked for, that one must make sense all the same.
    asked.starts_at.map(between).transpose()?;
    // A window that has begun keeps its start, so one that is to begin after its end would add the time between.
    if let (Some(current), Some(start)) = (current.filter(|_| begun.is_some()), asked.starts_at)
        && start > current.expires_at().max(now)
    {
        return Err(Denial::new(
            DenialCode::WindowTooFarAhead,
            format!(
                "the window starts at {start}, and the grant's own ends at {}: nobody approved the time between",
                current.expires_at()
            ),
            "ask for a window that follows at once, or for this one on a ticket of its own",
        ));
    }
    let (starts_at, expires_at) = (window.starts_at(), window.expires_at());
    if expires_at < plus(now, WINDOW_REMAINDER_MINIMUM) {
        return Err(Denial::new(
            DenialCode::WindowOver,
            format!("the window ends at {expires_at}, and it is {now}"),
            "ask for a window that ends later",
        ));
    }
    let (length, limit) = (window.length(), role.max_duration());
    if length > limit {
        return Err(Denial::new(
            DenialCode::WindowTooLong,
            format!("the window lasts {length:#}, and role `{}` may be had for {limit:#}", role.name()),
            "ask for a shorter window",
        ));
    }
    if starts_at > plus(now, START_AHEAD_LIMIT) {
        return Err(Denial::new(
            DenialCode::WindowTooFarAhead,
            format!("the window starts at {starts_at}, more than 30 days from now ({now})"),
            "ask again when it is nearer",
        ));
    }
    Ok(window)
}

/// A managed role is had from now on or not at all: its policy carries no times, so once attached it holds.
/// An inline document has its start in it, and waits.
pub(super) fn beginning(role: &Role, window: Window, now: Timestamp) -> Result<(), Denial> {
    let starts_at = window.starts_at();
    match role.access() {
        RoleAccess::Managed { .. } if starts_at > now => Err(Denial::new(
            DenialCode::ManagedNotYet,
            format!(
                "the window starts at {starts_at}, it is {now}, and role `{}` is managed: AWS would let it begin at once",
                role.name()
            ),
            "ask again when it starts, or have the catalog offer the role as `inline`",
        )),
        RoleAccess::Managed { .. } | RoleAccess::Inline { .. } => Ok(()),
    }
}

/// The way to the tenant's account. An agent role that the catalog names is taken even in Curfew's own.
pub(super) fn route(tenant: &Tenant, own_account: &str) -> Result<Route, Denial> {
    let route = tenant.route();
    if route.agent.is_some() || route.account == own_account {
        return Ok(route);
    }
    Err(Denial::new(
        DenialCode::TenantUnreachable,
        format!(
            "tenant `{}` is in account `{}`, Curfew in `{own_account}`, and the catalog has no agent role for it",
            tenant.id(),
            route.account
        ),
        "have the tenant's `agent_role` and `external_id` added to the catalog",
    ))
}
