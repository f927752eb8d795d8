//! Drift: compares what AWS holds under Curfew's names with the ledger, account by account, some pages a lap.
//!
//! What an ended grant left, or somebody put back, is removed. A live grant whose access was taken away or
//! edited behind Curfew's back is ended, or put back, as configured. What no grant of this ledger accounts
//! for is told and left alone: another Curfew may have made it, or a person.
//!
//! A page shows IAM as it was a moment ago, and IAM itself may be behind. So a grant is judged only if it has
//! been as it is for a while ([`DriftSettings::margin`]); and what is judged is the grant as it is now.

use std::collections::BTreeMap;

use curfew_domain::access::{Access, Route};
use curfew_domain::document::same_document;
use curfew_domain::event::{Actor, Drift, DriftResponse};
use curfew_domain::grant::{Cause, Grant, State};
use curfew_domain::ids::{GrantId, TenantId};
use curfew_domain::principal::Principal;
use curfew_domain::transition::{BeginClosing, Command, Stored, transition};
use curfew_domain::window::plus;
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};

use crate::amend;
use crate::close::Ended;
use crate::open::Opened;
use crate::ports::{
    AccessPort, Clock, Commit, CommitWrite, DriftLap, Held, Ledger, LedgerError, Ports, Stray, Vouch,
};
use crate::revoke;

/// How many principals are looked at side by side: one query of the ledger each.
const CONCURRENT_MAX: usize = 8;

/// An account that Curfew gives access in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftScope {
    /// The way there.
    pub route: Route,
    /// The tenants in it.
    pub tenants: Vec<TenantId>,
    /// ARNs of the managed policies that roles of these tenants give.
    pub managed: Vec<String>,
}

/// How drift is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftSettings {
    /// What is done about a live grant whose access is gone or edited: [`DriftResponse::Close`] or
    /// [`DriftResponse::Restore`].
    pub response: DriftResponse,
    /// How long after the beginning of one lap over an account the next begins.
    pub every: SignedDuration,
    /// How long a grant must have been as it is before it is judged.
    pub margin: SignedDuration,
    /// At most so many pages are read in one call, over all accounts: IAM's reads are throttled by account,
    /// and others need them too.
    pub pages: usize,
    /// No page is begun after this time.
    pub stop_at: Timestamp,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// On whom.
    pub principal: Principal,
    /// The inline policy's name, or the managed policy's ARN.
    pub policy: String,
    /// Whose it is; none for a stray.
    pub grant_id: Option<GrantId>,
    /// What it is.
    pub kind: FindingKind,
    /// What was done, or why it could not be done.
    pub done: Result<FindingDone, String>,
}

/// What kind of drift it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// A grant of this ledger and AWS differ.
    Drift(Drift),
    /// No grant of this ledger accounts for it.
    Stray,
}

/// What was done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindingDone {
    /// It is gone, and AWS confirmed it.
    Removed,
    /// The grant is being ended.
    Ended,
    /// It is put back as the ledger says.
    Restored,
    /// Told for the first time, and left alone.
    Told,
}

/// What a call found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriftReport {
    /// How many pages of IAM were read.
    pub pages: usize,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// Accounts that could not be looked at to the end, and why. The next call goes on there.
    pub errors: Vec<(String, String)>,
}

/// Goes on with the laps that are due, as far as pages and time allow.
pub async fn look_for_drift<P: Ports>(
    ports: &P,
    scopes: &[DriftScope],
    settings: DriftSettings,
) -> DriftReport {
    let mut report = DriftReport::default();
    for scope in scopes {
        if let Err(error) = look_at_account(ports, scope, settings, &mut report).await {
            report.errors.push((scope.route.account.clone(), error));
        }
    }
    report
}

/// One account, page by page.
async fn look_at_account<P: Ports>(
    ports: &P,
    scope: &DriftScope,
    settings: DriftSettings,
    report: &mut DriftReport,
) -> Result<(), String> {
    let failed = |error: LedgerError| error.to_string();
    let account = &scope.route.account;
    let mut before: Option<DriftLap> = None;
    loop {
        let now = ports.clock().now();
        if report.pages >= settings.pages || now >= settings.stop_at {
            return Ok(());
        }
        if before.is_none() {
            before = ports.ledger().drift_lap(account).await.map_err(failed)?;
        }
        let lap = match &before {
            Some(lap) if lap.next.is_some() => lap.clone(),
            Some(lap) if now < plus(lap.began_at, settings.every) => return Ok(()),
            Some(_) | None => DriftLap { began_at: now, next: None },
        };
        let page = ports.access().inventory(&scope.route, lap.next.as_deref()).await;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                if lap.next.is_some() && error.is_settled() {
                    // A marker that AWS takes no more: the lap starts over, or it would never end.
                    let anew = DriftLap { began_at: Timestamp::UNIX_EPOCH, next: None };
                    ports.ledger().save_drift_lap(account, before.as_ref(), &anew).await.map_err(failed)?;
                }
                return Err(error.to_string());
            }
        };
        report.pages += 1;
        let found: Vec<(Vec<Finding>, Result<(), LedgerError>)> = stream::iter(&page.held)
            .map(|held| async move {
                let mut findings = Vec::new();
                let looked = look_at_principal(ports, scope, held, now, settings, &mut findings).await;
                (findings, looked)
            })
            .buffered(CONCURRENT_MAX)
            .collect()
            .await;
        let mut error = None;
        for (findings, looked) in found {
            // Also what was found before something failed: it is dealt with, and not found again.
            report.findings.extend(findings);
            match looked {
                Ok(()) => {}
                Err(failed) if failed.retryable => error = Some(failed.to_string()),
                // What can't be read now can't be read at the next try either: the lap goes on without it.
                Err(failed) => report.errors.push((account.clone(), failed.to_string())),
            }
        }
        if let Some(error) = error {
            // The page is looked at again: what was dealt with is not found again.
            return Err(error);
        }
        let next = DriftLap { began_at: lap.began_at, next: page.next };
        let saved = ports.ledger().save_drift_lap(account, before.as_ref(), &next).await.map_err(failed)?;
        if !saved || next.next.is_none() {
            return Ok(());
        }
        before = Some(next);
    }
}

/// Compares what one principal has with the ledger, both ways.
async fn look_at_principal<P: Ports>(
    ports: &P,
    scope: &DriftScope,
    held: &Held,
    seen_at: Timestamp,
    settings: DriftSettings,
    findings: &mut Vec<Finding>,
) -> Result<(), LedgerError> {
    let since = plus(seen_at, -settings.margin);
    for (name, document) in &held.inline {
        let Some(id) = GrantId::of_object_name(name) else {
            continue;
        };
        let stored = ports.ledger().load(&id).await?;
        let found = stored.filter(|stored| is_policy_of(&stored.grant, &held.principal, name));
        let Some(stored) = found else {
            let what = "an inline policy with a grant's name that no grant of this ledger has there";
            findings.extend(tell(ports, held, name, what, seen_at, settings).await?);
            continue;
        };
        match judge(&stored.grant, document, since) {
            Some(Drift::Leftover) => findings.push(remove(ports, held, name, stored).await?),
            Some(drift) => findings.push(respond(ports, held, name, stored, drift, settings).await?),
            None => {}
        }
    }
    let mut live: BTreeMap<GrantId, Stored> = BTreeMap::new();
    for tenant in &scope.tenants {
        for id in ports.ledger().live_of_principal(tenant, &held.principal).await? {
            if let Some(stored) = ports.ledger().load(&id).await? {
                live.insert(id, stored);
            }
        }
    }
    for arn in held.attached.iter().filter(|arn| scope.managed.contains(arn)) {
        let needed = live.values().any(|stored| match stored.grant.access() {
            Access::Managed { policy_arn, .. } => policy_arn == arn,
            Access::Inline { .. } => false,
        });
        if !needed {
            let what = "a managed policy of a role of Curfew's that no live grant needs";
            findings.extend(tell(ports, held, arn, what, seen_at, settings).await?);
        }
    }
    for stored in live.into_values() {
        let policy = match stored.grant.access() {
            Access::Inline { policy_name, .. } => policy_name.clone(),
            Access::Managed { policy_arn, .. } => policy_arn.clone(),
        };
        let is_there = held.inline.iter().any(|(name, _)| *name == policy) || held.attached.contains(&policy);
        if !is_there && is_settled(&stored.grant, since) {
            findings.push(respond(ports, held, &policy, stored, Drift::Missing, settings).await?);
        }
    }
    Ok(())
}

fn is_policy_of(grant: &Grant, on: &Principal, name: &str) -> bool {
    match grant.access() {
        Access::Inline { principal, policy_name, .. } => principal == on && policy_name == name,
        Access::Managed { .. } => false,
    }
}

/// How a document that is there differs from what the ledger says; none, if it does not, or can't be told yet.
fn judge(grant: &Grant, document: &str, since: Timestamp) -> Option<Drift> {
    match (grant.state(), grant.access()) {
        (State::Closed { closed_at, .. }, _) if *closed_at <= since => Some(Drift::Leftover),
        (State::Active { .. }, Access::Inline { document: expected, .. })
            if is_settled(grant, since) && !same_document(expected, document) =>
        {
            Some(Drift::Edited)
        }
        _ => None,
    }
}

/// Whether an active grant has been as it is since then.
fn is_settled(grant: &Grant, since: Timestamp) -> bool {
    match grant.state() {
        State::Active { activated_at, unsettled_until, changing: None } => {
            *activated_at <= since && unsettled_until.is_none_or(|until| until <= since)
        }
        _ => false,
    }
}

/// Records a stray and leaves it alone. None, if it was told before, or was seen for the first time: a page
/// and an index that are a moment behind make a grant that is just opening or ending look like one.
async fn tell<P: Ports>(
    ports: &P,
    held: &Held,
    policy: &str,
    what: &str,
    at: Timestamp,
    settings: DriftSettings,
) -> Result<Option<Finding>, LedgerError> {
    let stray =
        Stray { principal: held.principal.clone(), policy: policy.to_owned(), what: what.to_owned(), at };
    let is_new = ports.ledger().record_stray(&stray, settings.margin).await?;
    Ok(is_new.then_some(Finding {
        principal: stray.principal,
        policy: stray.policy,
        grant_id: None,
        kind: FindingKind::Stray,
        done: Ok(FindingDone::Told),
    }))
}

fn finding(held: &Held, policy: &str, id: &GrantId, drift: Drift) -> Finding {
    Finding {
        principal: held.principal.clone(),
        policy: policy.to_owned(),
        grant_id: Some(id.clone()),
        kind: FindingKind::Drift(drift),
        done: Err("somebody else changed the grant meanwhile; it is looked at again".to_owned()),
    }
}

/// Writes a command's transition. None, if it does not apply (any more).
async fn write<P: Ports>(ports: &P, grant: &Grant, command: Command) -> Result<Option<Grant>, LedgerError> {
    let Ok(next) = transition(grant, command, ports.clock().now()) else {
        return Ok(None);
    };
    let commit = Commit { grant: &next.grant, events: &next.events, shared: None };
    let written = ports.ledger().commit(commit).await? == CommitWrite::Written;
    Ok(written.then_some(next.grant))
}

/// Removes what is there under an ended grant's name.
async fn remove<P: Ports>(
    ports: &P,
    held: &Held,
    policy: &str,
    stored: Stored,
) -> Result<Finding, LedgerError> {
    let mut finding = finding(held, policy, stored.grant.id(), Drift::Leftover);
    let found = find(ports, Drift::Leftover, DriftResponse::Remove);
    let Some(grant) = write(ports, &stored.grant, found).await? else {
        return Ok(finding);
    };
    finding.done = match ports.access().detach(&grant.access_change()).await {
        Ok(access) => {
            write(ports, &grant, Command::ConfirmDriftRemoved { access }).await?;
            Ok(FindingDone::Removed)
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(finding)
}

fn find<P: Ports>(ports: &P, drift: Drift, response: DriftResponse) -> Command {
    Command::FindDrift { drift, response, lease_until: ports.invocation().lease_until }
}

/// Ends or restores a live grant whose access is gone or edited.
async fn respond<P: Ports>(
    ports: &P,
    held: &Held,
    policy: &str,
    stored: Stored,
    drift: Drift,
    settings: DriftSettings,
) -> Result<Finding, LedgerError> {
    let mut finding = finding(held, policy, stored.grant.id(), drift);
    let response = match (settings.response, ports.vouch(&stored.grant)) {
        (DriftResponse::Restore, Vouch::Unknown(why)) => {
            finding.done = Err(why);
            return Ok(finding);
        }
        // What the catalog does not give is not put back on the ledger's word alone.
        (DriftResponse::Restore, Vouch::Otherwise(why)) => {
            let id = stored.grant.id();
            tracing::warn!(grant.id = %id, why, "grant {id} is ended and not restored: the catalog does not give it so");
            DriftResponse::Close
        }
        (response, _) => response,
    };
    let found = find(ports, drift, response);
    finding.done = match response {
        DriftResponse::Restore => match amend::begin(ports, stored.grant, found, Actor::Sweep).await? {
            Opened::Activated(_) => Ok(FindingDone::Restored),
            Opened::Retry { reason, .. } => Err(reason),
            Opened::Refused { error, .. } => Err(format!("AWS does not let it be restored: {error}")),
            Opened::RevokedMeanwhile(Ended::LeftBehind { error, .. }) => Err(error),
            Opened::RevokedMeanwhile(_) => Ok(FindingDone::Ended),
            _ => return Ok(finding),
        },
        DriftResponse::Close | DriftResponse::Remove => {
            let Some(grant) = write(ports, &stored.grant, found).await? else {
                return Ok(finding);
            };
            let begin = BeginClosing {
                cause: Cause::Revoked,
                actor: Actor::Sweep,
                reason: format!("its access in AWS was found {drift}, which Curfew did not do"),
                settled: false,
            };
            revoke::revoke(ports, grant.id(), begin).await?;
            Ok(FindingDone::Ended)
        }
    };
    Ok(finding)
}
