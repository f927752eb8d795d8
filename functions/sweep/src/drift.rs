//! The slow lap: when AWS is compared with the ledger, and what an operator reads about it.
//!
//! What drift is, and what is done about it, is the use case's ([`curfew_app::drift`]). Here it gets its accounts
//! from the catalog, its bounds from the configuration, and a voice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use curfew_app::Ports;
use curfew_app::drift::{
    DriftReport, DriftScope, DriftSettings, Finding, FindingDone, FindingKind, look_for_drift,
};
use curfew_app::ports::Clock as _;
use curfew_domain::catalog::{Catalog, RoleAccess};
use curfew_domain::event::Drift;
use curfew_domain::window::plus;
use curfew_runtime::catalog::CatalogError;
use curfew_runtime::config::DriftConfig;
use curfew_runtime::error::chain;
use curfew_runtime::{Invocation, Metrics};
use jiff::{SignedDuration, Timestamp};

/// At most so many pages of a hundred users and roles are read in one lap: 30,000 of them an hour, and no
/// more of IAM's reads than leave room for everybody else's in the account.
pub const PAGES_MAX: usize = 5;

/// How long before the sweep's own work stops no page is begun any more: IAM may take long over one.
const HEADROOM: SignedDuration = SignedDuration::from_secs(10);

/// How many times in the time between two laps it is asked whether one is due. Asking costs a read for each
/// account, and a lap may begin late by that much.
const LOOKS_PER_LAP: i32 = 10;

type ReadCatalog = dyn Fn() -> Result<Catalog, CatalogError> + Send + Sync;

/// Watches for drift, whenever it is time to.
pub struct DriftWatch {
    config: DriftConfig,
    read_catalog: Box<ReadCatalog>,
    /// Read when first needed. A package does not change, so neither does what came of reading it.
    scopes: OnceLock<Result<Vec<DriftScope>, String>>,
    /// No lap is due before this time: as far as this process knows.
    quiet_until: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for DriftWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriftWatch").field("config", &self.config).finish_non_exhaustive()
    }
}

impl DriftWatch {
    /// A watch over the accounts of a catalog.
    #[must_use]
    pub fn new(
        config: DriftConfig,
        read_catalog: impl Fn() -> Result<Catalog, CatalogError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            config,
            read_catalog: Box::new(read_catalog),
            scopes: OnceLock::new(),
            quiet_until: Mutex::default(),
        }
    }

    /// Goes on comparing, if it is time to and there is time; tells and counts what was found.
    ///
    /// Never fails: what could not be compared is told, and taken up by the next lap.
    pub async fn look<P: Ports>(&self, ports: &P, invocation: &Invocation, metrics: &Metrics) -> DriftReport {
        let now = ports.clock().now();
        let stop_at = plus(invocation.stop_at(), -HEADROOM);
        if now >= stop_at || self.quiet_until().is_some_and(|until| now < until) {
            return DriftReport::default();
        }
        let scopes = self.scopes.get_or_init(|| {
            (self.read_catalog)().map(|catalog| scopes(&catalog)).map_err(|error| chain(&error))
        });
        let report = match scopes {
            Ok(scopes) => {
                let settings = DriftSettings {
                    response: self.config.response,
                    every: self.config.every,
                    margin: self.config.margin,
                    pages: PAGES_MAX,
                    stop_at,
                };
                look_for_drift(ports, &in_turn(scopes, now), settings).await
            }
            Err(error) => {
                tracing::error!(
                    "AWS is not compared with the ledger, because the catalog is unusable: {error}"
                );
                DriftReport { errors: vec![(String::new(), error.clone())], ..DriftReport::default() }
            }
        };
        let done = ports.clock().now();
        if report.pages == 0 && report.errors.is_empty() && done < stop_at {
            *self.quiet_until() = Some(plus(now, self.config.every / LOOKS_PER_LAP));
        }
        for (account, error) in report.errors.iter().filter(|(account, _)| !account.is_empty()) {
            tracing::error!(
                account,
                "account {account} could not be compared with the ledger as a whole; what is missing is looked at \
                 again: {error}"
            );
        }
        report.findings.iter().for_each(tell);
        metrics.drift_found(done, report.findings.len());
        metrics.drift_removed(done, removed(&report));
        metrics.drift_unchecked(done, report.errors.len());
        report
    }

    /// A panic elsewhere leaves the time whole.
    fn quiet_until(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The scopes, beginning with another one every minute: pages are few, and a large account must not keep the
/// others waiting.
fn in_turn(scopes: &[DriftScope], now: Timestamp) -> Vec<DriftScope> {
    let count = i64::try_from(scopes.len()).unwrap_or(i64::MAX).max(1);
    let first = usize::try_from(now.as_second().div_euclid(60).rem_euclid(count)).unwrap_or_default();
    let mut scopes = scopes.to_vec();
    scopes.rotate_left(first);
    scopes
}

/// How many findings are gone, and AWS confirmed it.
pub(crate) fn removed(report: &DriftReport) -> usize {
    report.findings.iter().filter(|finding| finding.done == Ok(FindingDone::Removed)).count()
}

/// The accounts of a catalog, each once, with all tenants in it.
fn scopes(catalog: &Catalog) -> Vec<DriftScope> {
    let mut accounts: BTreeMap<&str, DriftScope> = BTreeMap::new();
    for tenant in catalog.tenants() {
        let scope = accounts.entry(tenant.account()).or_insert_with(|| DriftScope {
            route: tenant.route(),
            tenants: Vec::new(),
            managed: Vec::new(),
        });
        scope.tenants.push(tenant.id().clone());
        let roles = catalog.roles().filter(|role| role.is_available_in(tenant.id()));
        for role in roles {
            if let RoleAccess::Managed { policy } = role.access() {
                let arn = policy.expand(tenant.scope());
                if !scope.managed.contains(&arn) {
                    scope.managed.push(arn);
                }
            }
        }
    }
    accounts.into_values().collect()
}

/// One line for one finding.
fn tell(finding: &Finding) {
    let grant = finding.grant_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let (principal, policy) = (finding.principal.arn(), finding.policy.as_str());
    let (drift, sentence) = (what(finding.kind), sentence(finding));
    match &finding.done {
        Ok(done) => {
            tracing::warn!(grant.id = grant, principal, policy, drift, done = word(*done), "{sentence}");
        }
        Err(error) => tracing::error!(grant.id = grant, principal, policy, drift, error, "{sentence}"),
    }
}

/// What, on whom, whose, what was done, and what is left to do.
fn sentence(finding: &Finding) -> String {
    let Finding { principal, policy, grant_id, kind, done } = finding;
    let of = grant_id.as_ref().map(|id| format!(" (grant {id})")).unwrap_or_default();
    let done = match done {
        Ok(done) => did(*done).to_owned(),
        Err(error) => {
            format!("it could not be dealt with, and comes up again in the next comparison: {error}")
        }
    };
    format!("drift: {}: `{policy}` on {principal}{of}; {done}; {}", what(*kind), advice(*kind))
}

fn what(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Drift(Drift::Missing) => "a live grant's policy is gone",
        FindingKind::Drift(Drift::Edited) => "a live grant's policy was edited",
        FindingKind::Drift(Drift::Leftover) => "an ended grant's policy is there",
        FindingKind::Stray => "no grant of this ledger accounts for a policy",
    }
}

fn word(done: FindingDone) -> &'static str {
    match done {
        FindingDone::Removed => "removed",
        FindingDone::Ended => "ended",
        FindingDone::Restored => "restored",
        FindingDone::Told => "told",
    }
}

fn did(done: FindingDone) -> &'static str {
    match done {
        FindingDone::Removed => "it was removed",
        FindingDone::Ended => "the grant is ended",
        FindingDone::Restored => "it was put back",
        FindingDone::Told => "it was left alone, and is not told again",
    }
}

fn advice(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Drift(Drift::Missing) => "CloudTrail says who took it away",
        FindingKind::Drift(Drift::Edited) => "CloudTrail says who edited it, and what it allowed meanwhile",
        FindingKind::Drift(Drift::Leftover) => "CloudTrail says who put it there",
        FindingKind::Stray => {
            "another Curfew or a person made it: find out who (CloudTrail), and take it away by hand if it has no \
             right to be there"
        }
    }
}

#[cfg(test)]
mod tests {
    use curfew_domain::access::Route;
    use curfew_domain::ids::GrantId;
    use curfew_domain::principal::Principal;

    use super::*;

    #[test]
    fn every_account_is_first_in_its_turn() {
        let scopes: Vec<_> = ["1", "2", "3"]
            .map(|account| DriftScope {
                route: Route { account: account.repeat(12), agent: None },
                tenants: Vec::new(),
                managed: Vec::new(),
            })
            .into();
        let start: Timestamp = "2026-11-21T01:02:59Z".parse().unwrap();
        let mut first = std::collections::BTreeSet::new();
        for minute in 0..3 {
            let turn = in_turn(&scopes, plus(start, SignedDuration::from_mins(minute)));
            assert_eq!(turn.len(), 3);
            first.extend(turn.first().map(|scope| scope.route.account.clone()));
        }
        assert_eq!(first.len(), 3, "{first:?}");
        assert_eq!(in_turn(&[], start), []);
    }

    #[test]
    fn a_finding_is_told_with_what_was_done_and_what_is_left_to_do() {
        let of = |kind, grant_id: Option<&str>, done| Finding {
            principal: Principal::parse("arn:aws:iam::111122223333:user/ana").unwrap(),
            policy: "curfew-g-x".to_owned(),
            grant_id: grant_id.map(|id| GrantId::new(id).unwrap()),
            kind,
            done,
        };
        let id = "g-aaaaaaaaaaaaaaaaaaaaaaaaa7";
        let gone = FindingKind::Drift(Drift::Missing);
        assert_eq!(
            sentence(&of(gone, Some(id), Ok(FindingDone::Ended))),
            format!(
                "drift: a live grant's policy is gone: `curfew-g-x` on arn:aws:iam::111122223333:user/ana (grant {id}); \
                 the grant is ended; CloudTrail says who took it away"
            )
        );
        let stuck =
            sentence(&of(FindingKind::Drift(Drift::Leftover), Some(id), Err("AccessDenied".to_owned())));
        assert!(stuck.contains("comes up again in the next comparison: AccessDenied"), "{stuck}");
        let stray = sentence(&of(FindingKind::Stray, None, Ok(FindingDone::Told)));
        assert!(
            stray.contains("left alone") && stray.contains("by hand") && !stray.contains("grant g-"),
            "{stray}"
        );
    }
}
