//! Guardrails as the use cases see them: a port that judges a plan. `shared/guard` implements it with Cedar.
//!
//! Judging is pure: the catalog's facts, the plan and what the requester holds already give the same judgement in
//! a function as in a dry run. What guardrails are written in is not known here.

use std::fmt;

use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{Denial, Permit, Permitted, Plan};
use curfew_domain::grant::State;
use curfew_domain::ids::{RoleName, TenantId};
use curfew_domain::window::Window;
use jiff::Timestamp;

use crate::ports::{Ledger, LedgerError, Ports};

/// What decides: who and what there is, and who may have what. Deployed together.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who and what there is.
    pub catalog: &'a Catalog,
    /// Who may have what.
    pub guardrails: &'a dyn Guardrails,
}

impl fmt::Debug for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("catalog", &self.catalog.digest())
            .field("guardrails", &self.guardrails.digest())
            .finish()
    }
}

/// A plan to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The catalog that the plan was made with.
    pub catalog: &'a Catalog,
    /// What is to be opened or changed.
    pub plan: &'a Plan,
    /// When.
    pub now: Timestamp,
    /// The window that the grant has until now, if this is a change of it.
    pub current: Option<Window>,
}

/// Something that the requester has already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldRole {
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub role: RoleName,
}

/// Judges a plan, with what its requester holds already if that matters.
///
/// The index that finds it lags: two requests within its seconds do not see each other.
pub(crate) async fn judge<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    plan: Plan,
    now: Timestamp,
    current: Option<Window>,
) -> Result<Result<Permitted, Denial>, LedgerError> {
    let case = Case { catalog: rules.catalog, plan: &plan, now, current };
    let held =
        if rules.guardrails.asks_what_is_held(&case) { held_by(ports, &plan).await? } else { Vec::new() };
    Ok(rules.guardrails.judge(&case, &held).map(|permit| plan.permitted(permit)))
}

/// What the requester holds besides what the plan opens or changes. A ticket can carry several grants, so it is the grant
/// that is left out and not the ticket.
async fn held_by<P: Ports>(ports: &P, plan: &Plan) -> Result<Vec<HeldRole>, LedgerError> {
    let request = &plan.request;
    let mut held = Vec::new();
    for id in ports.ledger().live_of_person(&request.requester).await? {
        let Some(stored) = ports.ledger().load(&id).await? else { continue };
        let other = stored.grant.request();
        let is_own = (&other.source, &other.ticket, &other.tenant, &other.role)
            == (&request.source, &request.ticket, &request.tenant, &request.role)
            && stored.grant.access().principal() == &plan.principal;
        if !is_own && !matches!(stored.grant.state(), State::Closed { .. }) {
            held.push(HeldRole { tenant: other.tenant.clone(), role: other.role.clone() });
        }
    }
    held.sort();
    held.dedup();
    Ok(held)
}

/// Who may have what.
pub trait Guardrails: Send + Sync {
    /// Tells which guardrails decided.
    fn digest(&self) -> &str;

    /// Whether the judgement depends on what the requester holds already. That costs reads of the ledger, so it is
    /// asked only where a guardrail needs it.
    fn asks_what_is_held(&self, case: &Case<'_>) -> bool;

    /// Permits or denies.
    ///
    /// # Errors
    /// [`Denial`], naming the guardrails that forbid it, or saying that none permits it. If a guardrail can't be
    /// evaluated, that is a denial too.
    fn judge(&self, case: &Case<'_>, held: &[HeldRole]) -> Result<Permit, Denial>;
}
