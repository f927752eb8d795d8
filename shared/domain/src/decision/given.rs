//! Whether the catalog gives what the ledger says that a grant has.
//!
//! A grant that was just decided needs no such question. One that is read back does, before anything is *given* on its
//! word: whoever can write the ledger could have written it. What the catalog can't know, that somebody approved it, is
//! not asked here.

use super::{Denial, PlannedAccess, planned, rules, subject};
use crate::access::Access;
use crate::catalog::Catalog;
use crate::grant::Grant;

/// Whether the catalog, as it is now, gives a grant's person just this access, by this way, and for as long.
///
/// # Errors
/// In words, what it gives otherwise. That is no proof of a forgery: the catalog may have changed since.
pub fn given_by(catalog: &Catalog, own_account: &str, grant: &Grant) -> Result<(), String> {
    let said = |denial: Denial| denial.reason;
    let has = grant.access().principal();
    let request = grant.request();
    let (tenant, role, _) = subject(catalog, request).map_err(said)?;
    let person = rules::person(catalog, &request.requester).map_err(said)?;
    rules::principal(person, Some(has), tenant).map_err(said)?;
    if rules::route(tenant, own_account).map_err(said)? != *grant.route() {
        return Err(format!("tenant `{}` is reached by another way", tenant.id()));
    }
    let (length, limit) = (grant.window().length(), role.max_duration());
    if length > limit {
        return Err(format!(
            "the window lasts {length:#}, and role `{}` may be had for {limit:#}",
            role.name()
        ));
    }
    let gives = match planned(role, tenant, has, grant.window()).map_err(said)? {
        PlannedAccess::Inline { document } => {
            Access::Inline { principal: has.clone(), policy_name: grant.id().object_name(), document }
        }
        PlannedAccess::Managed { policy_arn } => Access::Managed { principal: has.clone(), policy_arn },
    };
    if gives == *grant.access() {
        Ok(())
    } else {
        Err(format!("role `{}` gives something else in tenant `{}`", role.name(), tenant.id()))
    }
}
