//! Opening: from a verified, approved request to access that AWS confirmed.
//!
//! decide → write down → attach ‖ set timer → write down. Three serial round trips, four calls. Whatever
//! fails after the first write is taken back here, or by the sweep.

use curfew_domain::decision::{DecisionFacts, Denial, Plan, decide, resolve_principal};
use curfew_domain::effect::{Effect, Proof, TimerKind};
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Grant, Outcome, State};
use curfew_domain::ids::{GrantId, GrantIdentity};
use curfew_domain::request::AccessRequest;
use curfew_domain::transition::{self, BeginClosing, Command, Illegal, Opening, Stored, Transition};
use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};

use crate::amend;
use crate::close::{self, Drive, Ended};
use crate::guard::{Rules, judge};
use crate::ports::{
    AccessPort, ClaimWrite, Clock, Commit, CommitWrite, DeniedRequest, EffectError, Failure, Ledger,
    LedgerError, OpenWrite, Ports, TimerPort,
};

pub use curfew_domain::retry::OPENING_TRIES_MAX as ATTEMPTS_MAX;

/// What an opening invocation brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSettings<'a> {
    /// Curfew's own AWS account.
    pub own_account: &'a str,
    /// The service that fires timers.
    pub timer: TimerKind,
    /// How long after a timer's time the sweep waits for it.
    pub sweep_grace: SignedDuration,
}

/// What came of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// AWS confirmed access and timer.
    Activated(Box<Grant>),
    /// AWS confirmed the window that a later approval gave a live grant.
    Changed {
        /// The grant, with its new window.
        grant: Box<Grant>,
        /// When it would have ended otherwise.
        previous_end: Timestamp,
    },
    /// The same approval came before; this is what became of it.
    Duplicate(Box<Grant>),
    /// A later approval than this one is in force already.
    Superseded(Box<Grant>),
    /// A later approval whose change does not apply to the grant as it is.
    NotChanged {
        /// The grant, unchanged.
        grant: Box<Grant>,
        /// Why.
        why: Illegal,
    },
    /// AWS refused a later approval's change for good, and the grant was ended: what is attached could not be made
    /// to agree with what is approved.
    ChangeRefused {
        /// The grant, closing or closed.
        grant: Box<Grant>,
        /// What AWS said.
        error: EffectError,
    },
    /// Denied by a rule, and recorded.
    Denied(Denial),
    /// Its ticket was closed.
    TicketClosed,
    /// Its ticket has a grant of this role already, for a different request.
    Conflict(Box<Grant>),
    /// It was revoked while it was being opened or changed, and is ended as far as stated.
    RevokedMeanwhile(Ended),
    /// AWS refused it for good as it is.
    Refused {
        /// The grant, closing or closed as failed.
        grant: Box<Grant>,
        /// What AWS said.
        error: EffectError,
    },
    /// It failed too often.
    TooManyAttempts(Box<Grant>),
    /// It could not be done now; the same delivery again may succeed.
    Retry {
        /// Why not now.
        reason: String,
        /// The grant, as far as one was written.
        grant: Option<Box<Grant>>,
    },
}

/// Opens the grant that `request` asks for.
///
/// # Errors
/// [`LedgerError`], if the ledger failed; a redelivery may succeed if it is retryable.
pub async fn open<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    request: AccessRequest,
    settings: OpenSettings<'_>,
) -> Result<Opened, LedgerError> {
    let now = ports.clock().now();
    let request = rules.catalog.with_main_addresses(request);
    let facts = DecisionFacts { now, own_account: settings.own_account.to_owned() };
    let judged = match decide(rules.catalog, &request, &facts) {
        Ok(plan) => judge(ports, rules, plan, now, None).await?,
        Err(denial) => Err(denial),
    };
    let permitted = match judged {
        Ok(permitted) => permitted,
        Err(denial) => return deny(ports, rules, &request, &facts, settings, denial).await,
    };
    for attempt in 0..ATTEMPTS_MAX {
        let opening = Opening {
            attempt,
            timer: settings.timer,
            lease_until: ports.invocation().lease_until,
            sweep_grace: settings.sweep_grace,
        };
        let opened = transition::open(permitted.clone(), opening, now);
        match ports.ledger().open(&opened.grant, &opened.events).await? {
            OpenWrite::Written => return finish(ports, opened).await,
            OpenWrite::TicketClosed => return Ok(Opened::TicketClosed),
            OpenWrite::EarlierTryChanged => break,
            OpenWrite::Exists(stored) => match answer_existing(&stored.grant, permitted.plan(), attempt) {
                Existing::Failed => {}
                Existing::Answer(answer) => return Ok(answer),
                // What is over is not made again: the sweep ends it.
                Existing::CutShort if stored.grant.window().is_over_at(now) => {
                    return Ok(Opened::Duplicate(Box::new(stored.grant)));
                }
                Existing::CutShort => return amend::again(ports, stored.grant).await,
                Existing::OtherApproval => {
                    return amend::amend(ports, rules, stored.grant, &request, &facts, settings).await;
                }
            },
        }
    }
    Ok(Opened::Retry {
        reason: "the ticket's tries changed while this one was looked at".to_owned(),
        grant: None,
    })
}

/// What an approval means for a grant that is there already.
enum Existing {
    /// It failed; this is another try.
    Failed,
    /// There is nothing to be done but to say so.
    Answer(Opened),
    /// It is the approval in force, and AWS has yet to be made to agree with it.
    CutShort,
    /// It is another approval than any before, on a grant that is live.
    OtherApproval,
}

fn answer_existing(grant: &Grant, plan: &Plan, attempt: u32) -> Existing {
    let digest = plan.request.digest();
    let boxed = || Box::new(grant.clone());
    Existing::Answer(match grant.state() {
        // Of two approvals the later one counts, also where it came to nothing.
        State::Closed { outcome: Outcome::Failed, .. } if plan.approved_at < grant.approved_at() => {
            Opened::Superseded(boxed())
        }
        State::Closed { outcome: Outcome::Failed, .. } if attempt + 1 < ATTEMPTS_MAX => {
            return Existing::Failed;
        }
        State::Closed { outcome: Outcome::Failed, .. } => Opened::TooManyAttempts(boxed()),
        State::Opening { .. } => Opened::Retry {
            reason: "another delivery of this approval is being worked on".to_owned(),
            grant: Some(boxed()),
        },
        State::Closing { cause: Cause::OpeningFailed | Cause::Abandoned, .. } => Opened::Retry {
            reason: "an earlier try failed and is being cleaned up".to_owned(),
            grant: Some(boxed()),
        },
        State::Active { .. } if grant.request_digest() == digest && amend::is_cut_short(grant) => {
            return Existing::CutShort;
        }
        State::Active { .. } if !grant.knows(&digest) => return Existing::OtherApproval,
        State::Active { .. } => Opened::Duplicate(boxed()),
        State::Closing { .. } | State::Closed { .. } if grant.knows(&digest) => Opened::Duplicate(boxed()),
        State::Closing { .. } | State::Closed { .. } => Opened::Conflict(boxed()),
    })
}

/// Denies, unless the request is an approval that was granted before: a retry that comes late gets the
/// same answer, although its window may be over by now. And unless it shortens what was: that is another decision.
async fn deny<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    request: &AccessRequest,
    facts: &DecisionFacts,
    settings: OpenSettings<'_>,
    denial: Denial,
) -> Result<Opened, LedgerError> {
    let digest = request.digest();
    if let Ok(principal) = resolve_principal(rules.catalog, request) {
        let mut found: Option<Grant> = None;
        let mut newest: Option<Grant> = None;
        for attempt in 0..ATTEMPTS_MAX {
            let id = GrantId::derive(GrantIdentity {
                source: &request.source,
                ticket: &request.ticket,
                tenant: &request.tenant,
                role: &request.role,
                principal: &principal,
                attempt,
            });
            match ports.ledger().load(&id).await? {
                Some(stored) => {
                    let failed =
                        matches!(stored.grant.state(), State::Closed { outcome: Outcome::Failed, .. });
                    if !failed && stored.grant.knows(&digest) {
                        found = Some(stored.grant);
                        break;
                    }
                    newest = Some(stored.grant);
                    if !failed {
                        break;
                    }
                }
                None => break,
            }
        }
        if let Some(grant) = found {
            // What AWS has not confirmed yet is not called granted.
            let under_way = matches!(grant.state(), State::Opening { .. })
                || (amend::is_cut_short(&grant) && !grant.window().is_over_at(facts.now));
            let grant = Box::new(grant);
            return Ok(if under_way {
                let reason = "what was approved is being made so".to_owned();
                Opened::Retry { reason, grant: Some(grant) }
            } else {
                Opened::Duplicate(grant)
            });
        }
        if let Some(grant) =
            newest.filter(|grant| amend::is_shortening(rules.catalog, grant, request, facts.now))
        {
            return amend::amend(ports, rules, grant, request, facts, settings).await;
        }
    }
    record_denial(ports, rules, request, facts, denial, None).await
}

/// Denies for good, and keeps it on record.
pub(crate) async fn record_denial<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    request: &AccessRequest,
    facts: &DecisionFacts,
    denial: Denial,
    operator: Option<OperatorName>,
) -> Result<Opened, LedgerError> {
    let denied = DeniedRequest {
        operator,
        guardrails: denial.guardrails.clone(),
        catalog_digest: rules.catalog.digest().to_owned(),
        guardrails_digest: rules.guardrails.digest().to_owned(),
        ..DeniedRequest::of(request, denial.code.as_str(), &denial.reason, facts.now)
    };
    ports.ledger().record_denial(&denied).await?;
    Ok(Opened::Denied(denial))
}

/// Performs the effects of a grant that was just written down.
async fn finish<P: Ports>(ports: &P, opened: Transition) -> Result<Opened, LedgerError> {
    let grant = opened.grant;
    let change = grant.access_change();
    let (attached, timer_set) =
        join(ports.access().attach(&change), ports.timers().set(grant.id(), grant.timer())).await;
    match (attached, timer_set) {
        (Ok(attached), Ok(timer_set)) => {
            activate(ports, grant, Actor::GrantFunction, attached, timer_set).await
        }
        (Err(error), Ok(timer_set)) => {
            let attach_refused = error.is_settled();
            let settled = attach_refused && timer_is_settled(&grant, timer_set.is_settled());
            give_up(ports, grant, error, GiveUp { settled, attach_refused }).await
        }
        (Ok(attached), Err(error)) => {
            let settled = attached.is_settled() && timer_is_settled(&grant, error.is_settled());
            give_up(ports, grant, error, GiveUp { settled, attach_refused: false }).await
        }
        (Err(error), Err(timer)) => {
            tracing::warn!(grant.id = %grant.id(), error = %timer, "timer of grant {} not set", grant.id());
            let attach_refused = error.is_settled();
            let settled = attach_refused && timer_is_settled(&grant, timer.is_settled());
            give_up(ports, grant, error, GiveUp { settled, attach_refused }).await
        }
    }
}

/// Whether a setting of the timer can do no harm any more. A schedule may land late: it fires once, finds a
/// closed grant and deletes itself. A rule that lands after its grant was closed would stay.
fn timer_is_settled(grant: &Grant, answered_for_good: bool) -> bool {
    match grant.timer().kind {
        TimerKind::Scheduler => true,
        TimerKind::Rule => answered_for_good,
    }
}

/// Writes down that AWS confirmed access and timer.
pub(crate) async fn activate<P: Ports>(
    ports: &P,
    grant: Grant,
    by: Actor,
    attached: Proof,
    timer_set: Proof,
) -> Result<Opened, LedgerError> {
    let settled = attached.is_settled() && timer_is_settled(&grant, timer_set.is_settled());
    let command = Command::Activate { by: by.clone(), attached, timer_set };
    let activated = transition::transition(&grant, command, ports.clock().now());
    if let Ok(activated) = activated {
        let commit = Commit { grant: &activated.grant, events: &activated.events, shared: None };
        if ports.ledger().commit(commit).await? == CommitWrite::Written {
            return Ok(Opened::Activated(Box::new(activated.grant)));
        }
    }
    // Somebody changed the grant since it was written down: a revocation, or a retry of our own commit
    // whose first answer was lost.
    let Some(stored) = ports.ledger().load(grant.id()).await? else {
        return Ok(Opened::Retry { reason: "the grant is gone from the ledger".to_owned(), grant: None });
    };
    match stored.grant.state() {
        State::Active { changing: None, .. } => Ok(Opened::Activated(Box::new(stored.grant))),
        State::Opening { .. } | State::Active { changing: Some(_), .. } => Ok(Opened::Retry {
            reason: "the grant could not be marked as active".to_owned(),
            grant: Some(Box::new(stored.grant)),
        }),
        State::Closing { .. } | State::Closed { .. } => {
            Ok(Opened::RevokedMeanwhile(withdraw(ports, stored, by, settled).await?))
        }
    }
}

/// Removes what this invocation attached to a grant that somebody else is closing or has closed. Once its own
/// attach was answered for good, this removal is proof before the lease is over.
async fn withdraw<P: Ports>(
    ports: &P,
    stored: Stored,
    actor: Actor,
    settled: bool,
) -> Result<Ended, LedgerError> {
    if let State::Closed { .. } = stored.grant.state() {
        // Closed before its lease was over: by a removal after our attach. After it: our attach may be later
        // still, if this process was held up for so long. There is no telling which, so it is removed again.
        return Ok(close::ended_again(ports, stored.grant).await);
    }
    let effects = stored.grant.closing_effects();
    let drive = Drive { actor, by_lease_holder: settled, effects };
    close::drive(ports, stored, drive).await
}

/// What is known of an opening that failed.
#[derive(Debug, Clone, Copy)]
struct GiveUp {
    /// Nothing of it can land any more.
    settled: bool,
    /// AWS refused in so many words to attach, so there is nothing to detach. Whoever may not attach may often
    /// not detach either (a principal without the boundary, an agent role that is not to be had): trying would
    /// leave a grant that never was anything closing for ever.
    attach_refused: bool,
}

/// Takes back an opening that failed.
async fn give_up<P: Ports>(
    ports: &P,
    grant: Grant,
    error: EffectError,
    GiveUp { settled, attach_refused }: GiveUp,
) -> Result<Opened, LedgerError> {
    let begin = BeginClosing {
        cause: Cause::OpeningFailed,
        actor: Actor::GrantFunction,
        reason: error.to_string(),
        settled,
    };
    let stored = match ports.ledger().claim(grant.id(), &begin, ports.clock().now()).await? {
        ClaimWrite::Begun(begun) => Stored { grant: begun.grant, unwritten: begun.events },
        ClaimWrite::Refused { stored, .. } => *stored,
        ClaimWrite::Absent => Stored::settled(grant),
    };
    let mut effects = stored.grant.closing_effects();
    // A shared attachment is made to agree with its holders all the same: others may have attached it for us.
    if attach_refused && stored.grant.access().shared().is_none() {
        effects.retain(|effect| !matches!(effect, Effect::Detach(_)));
    }
    let drive = Drive { actor: Actor::GrantFunction, by_lease_holder: settled, effects };
    let ended = close::drive(ports, stored, drive).await?;
    let grant = Box::new(ended.grant().clone());
    Ok(match error.failure {
        Failure::Retryable | Failure::Throttled => {
            Opened::Retry { reason: error.to_string(), grant: Some(grant) }
        }
        Failure::Refused | Failure::Forbidden => Opened::Refused { grant, error },
    })
}
