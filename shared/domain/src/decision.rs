//! Decisions: what an access request comes to, compared with the catalog.
//!
//! Total and pure: the same request, catalog and facts give the same plan or the same denial, in a Lambda
//! function as in a dry run. A plan leaves nothing to choose for whoever carries it out. What other grants
//! there are, and what AWS says to it, is not known here.

mod denial;
mod given;
mod operator;
mod quorum;
mod rules;

use jiff::{SignedDuration, Timestamp};

use crate::access::{Access, Route};
use crate::catalog::{Catalog, Role, RoleAccess, Tenant};
use crate::document::{fits, render};
use crate::event::Decided;
use crate::ids::{Email, GrantId, GrantIdentity, GuardrailId};
use crate::principal::Principal;
use crate::request::AccessRequest;
use crate::window::{Window, plus, whole_second};

pub use denial::{Denial, DenialCode};
pub use given::given_by;
pub use operator::{OPERATOR_SENDER, decide_operators_change, operators_request};
pub use quorum::missing_approvals;
pub use rules::{
    APPROVAL_AGE_LIMIT, CLOCK_SKEW, JUSTIFICATION_LIMIT, START_AHEAD_LIMIT, WINDOW_REMAINDER_MINIMUM,
};

/// What a decision needs to know besides the request and the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFacts {
    /// The time of the decision. Fractions of a second are cut off.
    pub now: Timestamp,
    /// The 12-digit AWS account that Curfew runs in.
    pub own_account: String,
}

/// An access request that may be granted, with everything that its grant needs.
///
/// Outside this crate only [`decide`] makes one: what was not decided can't be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// What was asked for and approved.
    pub request: AccessRequest,
    /// Who receives the access.
    pub principal: Principal,
    /// The way to the tenant's account.
    pub route: Route,
    /// When the access holds.
    pub window: Window,
    /// What is attached.
    pub planned: PlannedAccess,
    /// Whether the role is privileged.
    pub privileged: bool,
    /// When the newest approval that counts was given; for a request that rests on none, since when it holds.
    pub approved_at: Timestamp,
    /// Everybody whose approval counts and is fresh, each human being once, by the address that the catalog has for them.
    pub approvers: Vec<Email>,
    /// Whether the requester is among those who approved; that counts for nothing.
    pub self_approved: bool,
    /// The digest of the catalog that it was compared with.
    pub catalog_digest: String,
}

/// The guardrails' word that a plan may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The digest of the guardrails.
    pub guardrails_digest: String,
    /// Those that permit it, at least one.
    pub permitted_by: Vec<GuardrailId>,
    /// If somebody has to look at it afterwards: why, in the guardrail's words.
    pub review: Option<String>,
}

/// A plan that the guardrails let pass: what can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    pub(crate) plan: Plan,
    pub(crate) permit: Permit,
}

impl Permitted {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What decided it, for the record.
    #[must_use]
    pub fn decided(&self) -> Decided {
        Decided {
            catalog_digest: self.plan.catalog_digest.clone(),
            guardrails_digest: self.permit.guardrails_digest.clone(),
            permitted_by: self.permit.permitted_by.clone(),
        }
    }
}

/// What a plan attaches to its principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedAccess {
    /// An inline policy, named after the grant.
    Inline {
        /// The policy document, window included.
        document: String,
    },
    /// A standing managed policy.
    Managed {
        /// Its ARN.
        policy_arn: String,
    },
}

impl Plan {
    /// The plan, together with the guardrails' word on it.
    #[must_use]
    pub fn permitted(self, permit: Permit) -> Permitted {
        Permitted { plan: self, permit }
    }

    /// The id of this plan's grant. `attempt` is 0 for the first try; a grant that failed before it took
    /// effect leaves the next number free.
    #[must_use]
    pub fn grant_id(&self, attempt: u32) -> GrantId {
        GrantId::derive(GrantIdentity {
            source: &self.request.source,
            ticket: &self.request.ticket,
            tenant: &self.request.tenant,
            role: &self.request.role,
            principal: &self.principal,
            attempt,
        })
    }

    /// What grant `id` attaches.
    #[must_use]
    pub fn access(&self, id: &GrantId) -> Access {
        let principal = self.principal.clone();
        match &self.planned {
            PlannedAccess::Inline { document } => {
                Access::Inline { principal, policy_name: id.object_name(), document: document.clone() }
            }
            PlannedAccess::Managed { policy_arn } => {
                Access::Managed { principal, policy_arn: policy_arn.clone() }
            }
        }
    }
}

/// Whose access a request is about: the part of the decision that a grant's id depends on.
///
/// Needs no time, so it still answers for an approval that is delivered again long after its window.
///
/// # Errors
/// The first [`Denial`] on tenant, role, requester or principal.
pub fn resolve_principal(catalog: &Catalog, request: &AccessRequest) -> Result<Principal, Denial> {
    Ok(subject(catalog, request)?.2.clone())
}

/// When somebody last approved who may: not the requester, and in the catalog. The order of a ticket's approvals
/// rests on it: that an earlier one is delivered beside a later one of the requester's approves nothing more.
#[must_use]
pub fn newest_approval_that_counts(catalog: &Catalog, request: &AccessRequest) -> Option<Timestamp> {
    rules::newest_that_counts(catalog, request)
}

/// Whether a request asks for an earlier end of a window and for nothing else: it takes no newer approval than the one
/// that the window rests on.
#[must_use]
pub fn takes_away(request: &AccessRequest, current: Window, now: Timestamp) -> bool {
    rules::takes_away(request.window, current, whole_second(now))
}

type Subject<'a> = (&'a Tenant, &'a Role, &'a Principal);

fn subject<'a>(catalog: &'a Catalog, request: &AccessRequest) -> Result<Subject<'a>, Denial> {
    let tenant = rules::tenant(catalog, &request.tenant)?;
    let role = rules::role(catalog, &request.role)?;
    let person = rules::person(catalog, &request.requester)?;
    rules::availability(role, tenant)?;
    Ok((tenant, role, rules::principal(person, request.principal.as_ref(), tenant)?))
}

/// Decides a request: who gets what, where, until when; or why not.
///
/// # Errors
/// The first [`Denial`] of the rules listed at [`DenialCode`], in their order.
pub fn decide(catalog: &Catalog, request: &AccessRequest, facts: &DecisionFacts) -> Result<Plan, Denial> {
    decide_on(catalog, request, facts, None)
}

/// What a live grant has until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Its window.
    pub window: Window,
    /// When the newest of the approvals that it rests on was given.
    pub approved_at: Timestamp,
}

/// Decides a request on a grant that is live already: over which window it is had from now on. Limits apply to the
/// whole of it, from the grant's start to the new end. What only takes time away may rest on an approval of any age;
/// more time takes new approvals by everybody whose approval it takes, for the old ones were given for less.
///
/// # Errors
/// As [`decide`].
pub fn decide_change(
    catalog: &Catalog,
    request: &AccessRequest,
    facts: &DecisionFacts,
    current: Current,
) -> Result<Plan, Denial> {
    decide_on(catalog, request, facts, Some(current))
}

fn decide_on(
    catalog: &Catalog,
    request: &AccessRequest,
    facts: &DecisionFacts,
    current: Option<Current>,
) -> Result<Plan, Denial> {
    let now = whole_second(facts.now);
    let rests_on = current.map(|current| current.approved_at);
    let current = current.map(|current| current.window);
    let (tenant, role, principal) = subject(catalog, request)?;
    let takes_away = current.is_some_and(|current| rules::takes_away(request.window, current, now));
    let oldest = if takes_away { Timestamp::MIN } else { plus(now, -APPROVAL_AGE_LIMIT) };
    let approved_at = rules::basis(catalog, request, now, oldest)?;
    // Approvals that were given for less, or too long ago, bring nobody's word along.
    let counted_from = match rests_on.filter(|_| !takes_away) {
        Some(rests_on) => plus(rests_on, SignedDuration::from_secs(1)),
        None => rules::oldest(request.window, oldest),
    };
    rules::justification(&request.justification)?;
    let window = rules::window(request.window, role, now, current)?;
    rules::beginning(role, window, now)?;
    let route = rules::route(tenant, &facts.own_account)?;
    Ok(Plan {
        request: request.clone(),
        principal: principal.clone(),
        route,
        window,
        planned: planned(role, tenant, principal, window)?,
        privileged: role.privileged(),
        approved_at,
        approvers: rules::approvers(catalog, request, counted_from),
        self_approved: rules::is_self_approved(catalog, request),
        catalog_digest: catalog.digest().to_owned(),
    })
}

fn planned(
    role: &Role,
    tenant: &Tenant,
    principal: &Principal,
    window: Window,
) -> Result<PlannedAccess, Denial> {
    match role.access() {
        RoleAccess::Managed { policy } => {
            Ok(PlannedAccess::Managed { policy_arn: policy.expand(tenant.scope()) })
        }
        RoleAccess::Inline { statements } => {
            let document = render(statements, tenant.scope(), window);
            fits(principal.kind(), &document).map_err(|error| {
                Denial::new(
                    DenialCode::PolicyTooLarge,
                    format!("role `{}` does not fit principal `{principal}`: {error}", role.name()),
                    "ask for a smaller role, or have the catalog give it fewer statements",
                )
            })?;
            Ok(PlannedAccess::Inline { document })
        }
    }
}

#[cfg(test)]
mod tests;
