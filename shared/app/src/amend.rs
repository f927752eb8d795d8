//! Amendments: a later approval on the same ticket changes the window of a live grant; an earlier end that its sender
//! tells of needs none.
//!
//! The ledger says it first, then AWS is brought to agree, then the ledger keeps AWS's word on it: the order
//! of an opening, under a lease like an opening's. As long as one change is under way no other begins, so a
//! document that lands late is never older than one that was confirmed. A change that was cut short is made
//! again by the sweep, or by whoever delivers its approval again.

use std::cmp::Ordering;

use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{
    Current, DecisionFacts, Denial, DenialCode, Permitted, decide_change, newest_approval_that_counts,
    takes_away,
};
use curfew_domain::effect::Effect;
use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant, State};
use curfew_domain::operator::OperatorAct;
use curfew_domain::request::{AccessRequest, WindowEnd};
use curfew_domain::transition::{Amendment, BeginClosing, Command, Illegal, Stored, transition};
use futures_util::future::join;
use jiff::Timestamp;

use crate::close::{self, Drive};
use crate::guard::{Rules, judge};
use crate::open::{OpenSettings, Opened, activate, record_denial};
use crate::ports::{
    AccessPort, ClaimWrite, Clock, Commit, CommitWrite, EffectError, Failure, Ledger, LedgerError, Ports,
    TimerPort, Vouch,
};
use crate::revoke::{self, Revoked};

/// Changes the window of an active grant as a later approval asks; or, if it gets an earlier end, as the approval in
/// force already allows.
pub(crate) async fn amend<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    grant: Grant,
    request: &AccessRequest,
    facts: &DecisionFacts,
    settings: OpenSettings<'_>,
) -> Result<Opened, LedgerError> {
    let is_newer = match newest_approval_that_counts(rules.catalog, request) {
        Some(approved_at) if approved_at > grant.approved_at() => true,
        Some(approved_at) if approved_at < grant.approved_at() => {
            return Ok(Opened::Superseded(Box::new(grant)));
        }
        Some(_) => false,
        None => return Ok(Opened::Conflict(Box::new(grant))),
    };
    let takes_away = takes_away(request, grant.window(), facts.now);
    let current = Current { window: grant.window(), approved_at: grant.approved_at() };
    let judged = match decide_change(rules.catalog, request, facts, current) {
        Ok(plan) if is_newer || plan.window.shortens(grant.window()) => {
            judge(ports, rules, plan, facts.now, Some(grant.window())).await?
        }
        Ok(_) => return Ok(Opened::Conflict(Box::new(grant))),
        Err(_) if !is_newer && !takes_away => return Ok(Opened::Conflict(Box::new(grant))),
        Err(denial) => Err(denial),
    };
    let permitted = match judged {
        Ok(permitted) => permitted,
        Err(denial) if can_not_be_had(&denial) && ends_earlier(request, &grant) => {
            return match end(ports, &grant, request, &denial).await? {
                Some(ended) => Ok(ended),
                None => record_denial(ports, rules, request, facts, denial, None).await,
            };
        }
        Err(denial) => return record_denial(ports, rules, request, facts, denial, None).await,
    };
    let amendment = amendment(ports, permitted, None, settings);
    carry_out(ports, grant, amendment).await
}

/// The command that changes a window as it was permitted.
pub(crate) fn amendment<P: Ports>(
    ports: &P,
    permitted: Permitted,
    by: Option<OperatorAct>,
    settings: OpenSettings<'_>,
) -> Command {
    let lease_until = ports.invocation().lease_until;
    Command::Amend(Box::new(Amendment { permitted, by, sweep_grace: settings.sweep_grace, lease_until }))
}

/// Writes an amendment down and makes AWS agree.
pub(crate) async fn carry_out<P: Ports>(
    ports: &P,
    grant: Grant,
    amendment: Command,
) -> Result<Opened, LedgerError> {
    let previous_end = grant.window().expires_at();
    Ok(changed(begin(ports, grant, amendment, Actor::GrantFunction).await?, previous_end))
}

/// Whether a request that was denied as one of its own shortens a live grant: then it is that which has to be decided.
/// By approvals that are older than the one in force it does not.
pub(crate) fn is_shortening(
    catalog: &Catalog,
    grant: &Grant,
    request: &AccessRequest,
    now: Timestamp,
) -> bool {
    let approved_at = newest_approval_that_counts(catalog, request);
    matches!(grant.state(), State::Active { .. })
        && ends_earlier(request, grant)
        && approved_at.is_some_and(|at| match at.cmp(&grant.approved_at()) {
            Ordering::Less => false,
            Ordering::Equal => takes_away(request, grant.window(), now),
            Ordering::Greater => true,
        })
}

fn ends_earlier(request: &AccessRequest, grant: &Grant) -> bool {
    matches!(request.window.end, Some(WindowEnd::At(end)) if end < grant.window().expires_at())
}

/// Whether a denial says that what was approved can't be had: its end is past by now, or rules are stricter than when
/// the grant began. As opposed to one that says that something is wrong with the request.
fn can_not_be_had(denial: &Denial) -> bool {
    matches!(
        denial.code,
        DenialCode::WindowOver
            | DenialCode::WindowEmpty
            | DenialCode::WindowTooLong
            | DenialCode::NotPermitted
            | DenialCode::Forbidden
    )
}

/// Ends a grant that is shortened in a way that can't be had. It must not go on for longer than was approved last.
///
/// None, if somebody else has ended it.
async fn end<P: Ports>(
    ports: &P,
    grant: &Grant,
    request: &AccessRequest,
    denial: &Denial,
) -> Result<Option<Opened>, LedgerError> {
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::Source(request.source.clone()),
        reason: format!("it was shortened to an end that it can't have: {}", denial.reason),
        settled: false,
    };
    Ok(match revoke::revoke(ports, grant.id(), begin).await? {
        Revoked::Ended(ended) => Some(Opened::RevokedMeanwhile(ended)),
        Revoked::AlreadyClosed(_) | Revoked::NotDue(_) | Revoked::NoSuchGrant(_) => None,
    })
}

/// Makes a change again that was cut short, because its approval was delivered again.
pub(crate) async fn again<P: Ports>(ports: &P, grant: Grant) -> Result<Opened, LedgerError> {
    let previous_end = match grant.state() {
        State::Active { changing: Some(changing), .. } => changing.previous_end,
        _ => grant.window().expires_at(),
    };
    Ok(changed(resume(ports, grant, Actor::GrantFunction).await?, previous_end))
}

/// What was confirmed, for whoever delivered an approval of it.
fn changed(opened: Opened, previous_end: Timestamp) -> Opened {
    match opened {
        Opened::Activated(grant) => Opened::Changed { grant, previous_end },
        Opened::Refused { grant, error } => Opened::ChangeRefused { grant, error },
        other => other,
    }
}

/// Makes a change again that was cut short. It is the ledger's word that somebody decided it: what the catalog does not
/// give is ended instead.
pub(crate) async fn resume<P: Ports>(ports: &P, grant: Grant, actor: Actor) -> Result<Opened, LedgerError> {
    match ports.vouch(&grant) {
        Vouch::Given => {}
        Vouch::Otherwise(why) => {
            let id = grant.id();
            tracing::error!(
                grant.id = %id,
                why,
                "grant {id} is ended: the ledger says that it was changed to what the catalog does not give; unless the \
                 catalog has just been changed, find out who wrote that (CloudTrail, data events of the table)"
            );
            return close(ports, grant, not_given(why), actor).await;
        }
        Vouch::Unknown(reason) => return Ok(Opened::Retry { reason, grant: Some(Box::new(grant)) }),
    }
    let lease_until = ports.invocation().lease_until;
    begin(ports, grant, Command::Resume { actor: actor.clone(), lease_until }, actor).await
}

/// Writes a change down and makes AWS agree.
pub(crate) async fn begin<P: Ports>(
    ports: &P,
    grant: Grant,
    command: Command,
    actor: Actor,
) -> Result<Opened, LedgerError> {
    let next = match transition(&grant, command, ports.clock().now()) {
        Ok(next) => next,
        Err(illegal @ Illegal::ChangeHeld { .. }) => {
            let grant = Some(Box::new(grant));
            return Ok(Opened::Retry { reason: illegal.to_string(), grant });
        }
        Err(why) => return Ok(Opened::NotChanged { grant: Box::new(grant), why }),
    };
    let commit = Commit { grant: &next.grant, events: &next.events, shared: None };
    if ports.ledger().commit(commit).await? != CommitWrite::Written {
        return Ok(Opened::Retry {
            reason: "the grant was changed by somebody else meanwhile".to_owned(),
            grant: Some(Box::new(grant)),
        });
    }
    perform(ports, next.grant, &next.effects, actor).await
}

/// Makes AWS agree with an active grant, and keeps its word on it.
async fn perform<P: Ports>(
    ports: &P,
    grant: Grant,
    effects: &[Effect],
    actor: Actor,
) -> Result<Opened, LedgerError> {
    debug_assert_eq!(effects, grant.opening_effects(), "a change is attach and timer, like an opening");
    let change = grant.access_change();
    let (attached, timer_set) =
        join(ports.access().attach(&change), ports.timers().set(grant.id(), grant.timer())).await;
    match (attached, timer_set) {
        (Ok(attached), Ok(timer_set)) => activate(ports, grant, actor, attached, timer_set).await,
        (Err(error), _) | (Ok(_), Err(error)) => match error.failure {
            // What it came to is unknown: the ledger says what it should be, and the sweep sees to it.
            Failure::Retryable | Failure::Throttled => {
                Ok(Opened::Retry { reason: error.to_string(), grant: Some(Box::new(grant)) })
            }
            Failure::Refused | Failure::Forbidden => close(ports, grant, error, actor).await,
        },
    }
}

fn not_given(why: String) -> EffectError {
    let (operation, code) = ("the comparison with the catalog", "NotGiven".to_owned());
    EffectError { failure: Failure::Refused, operation, code, message: why }
}

/// Ends a grant that AWS does not let be changed any more: what is attached can't be made to agree with what
/// is approved.
async fn close<P: Ports>(
    ports: &P,
    grant: Grant,
    error: EffectError,
    actor: Actor,
) -> Result<Opened, LedgerError> {
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: actor.clone(),
        reason: format!("its window could not be changed: {error}"),
        settled: false,
    };
    let stored = match ports.ledger().claim(grant.id(), &begin, ports.clock().now()).await? {
        ClaimWrite::Begun(begun) => Stored { grant: begun.grant, unwritten: begun.events },
        ClaimWrite::Refused { stored, .. } => *stored,
        ClaimWrite::Absent => Stored::settled(grant),
    };
    let effects = stored.grant.closing_effects();
    let ended = close::drive(ports, stored, Drive { actor, by_lease_holder: false, effects }).await?;
    Ok(Opened::Refused { grant: Box::new(ended.grant().clone()), error })
}

/// Whether a change of the grant is waiting for somebody to make it again.
pub(crate) fn is_cut_short(grant: &Grant) -> bool {
    matches!(grant.state(), State::Active { changing: Some(_), .. })
}
