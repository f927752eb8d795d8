//! The handler: one call from input to reply.

use std::collections::HashSet;

use curfew_app::Ports;
use curfew_app::close::Ended;
use curfew_app::ports::{self, Clock as _, Ledger as _};
use curfew_app::review::{self, Reviewed};
use curfew_app::revoke::{self, Revoked, SelectError};
use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Review};
use curfew_domain::ids::GrantId;
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use curfew_runtime::error::chain;
use curfew_runtime::revocation::{self, GrantReport, GrantResult};
use curfew_runtime::{FunctionError, Invocation, Metrics};
use jiff::SignedDuration;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::input::{self, BadInput, Input, OperatorInput, ReviewInput};
use crate::reply::{self, Reply};

/// How often the grants of a person or tenant are looked up for one call.
const LOOKS_MAX: u32 = 3;

/// How far Lambda's clock may be behind the one that fires timers.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The revoke function. `F` gives each invocation its ports.
#[derive(Debug)]
pub struct RevokeFunction<F> {
    ports: F,
    metrics: Metrics,
}

impl<F, P> RevokeFunction<F>
where
    F: Fn(ports::Invocation) -> P + Send + Sync,
    P: Ports,
{
    /// A function that acts through the ports that `ports` makes.
    #[must_use]
    pub fn new(ports: F, metrics: Metrics) -> Self {
        Self { ports, metrics }
    }

    /// Answers an invocation.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn serve(&self, event: LambdaEvent<Value>) -> Result<Reply, FunctionError> {
        self.handle(&event.payload, &Invocation::from(&event.context)).await
    }

    /// Ends what `input` says, or sees to a review.
    ///
    /// # Errors
    /// [`FunctionError`] if somebody has to try again, because it is not known whether a removal began; for
    /// a timer also if a removal that began could not be proven.
    pub async fn handle(&self, input: &Value, invocation: &Invocation) -> Result<Reply, FunctionError> {
        let ports = (self.ports)(invocation.known());
        let handled = match input::parse(input) {
            Ok(Input::Timer(id)) => self.expire(&ports, &id).await,
            Ok(Input::Operator(input)) if input.dry_run => dry_run(&ports, &input).await,
            Ok(Input::Operator(input)) => self.revoke(&ports, &input, invocation).await,
            Ok(Input::ReviewsOwed) => reviews_owed(&ports).await,
            Ok(Input::Reviewed(input)) => reviewed(&ports, &input, invocation).await,
            Err(BadInput::Operator(problems)) => {
                tracing::warn!("nothing was revoked: {}", problems.join("; "));
                Ok(Reply::bad_input(problems))
            }
            Err(BadInput::Review(problems)) => {
                tracing::warn!("no review was listed or recorded: {}", problems.join("; "));
                Ok(Reply::bad_review(problems))
            }
            Err(BadInput::Timer(problem)) => Err(FunctionError::needs_operator(problem)),
        };
        if let Err(error) = &handled {
            tracing::error!(error_type = error.remedy.error_type(), "{error}");
        }
        handled
    }

    async fn expire(&self, ports: &P, id: &GrantId) -> Result<Reply, FunctionError> {
        let asked_at = ports.clock().now();
        let result = revoke::expire(ports, id).await;
        revocation::count(&self.metrics, ports.clock().now(), asked_at, &result);
        let report = GrantReport::of(id, &result);
        match result {
            Err(error) => Err(FunctionError { message: report.message, ..FunctionError::from(&error) }),
            // Lambda tries again in a minute, and the sweep when it is due: whoever is first.
            Ok(Revoked::Ended(Ended::Unproven { .. })) => Err(FunctionError::retryable(report.message)),
            Ok(Revoked::Ended(Ended::LeftBehind { .. })) => {
                Err(FunctionError::needs_operator(report.message))
            }
            Ok(Revoked::NoSuchGrant(_)) => Err(FunctionError::needs_operator(format!(
                "a timer fired for grant {id}, which is not in the ledger: was the table replaced?"
            ))),
            // Fired on time, but this clock is a moment behind. A schedule that fired is gone: Lambda's own
            // retry, a minute later, stands in for it.
            Ok(Revoked::NotDue(grant)) if grant.window().is_over_at(plus(asked_at, CLOCK_SKEW)) => {
                Err(FunctionError::retryable(report.message))
            }
            Ok(
                // Throttled: the sweep takes them all in their order, the privileged first. Lambda's retries would
                // compete with it in none.
                Revoked::Ended(Ended::Closed(_) | Ended::Settling { .. } | Ended::Throttled { .. })
                | Revoked::AlreadyClosed(_)
                | Revoked::NotDue(_),
            ) => {
                report.log();
                Ok(Reply::of(vec![report]))
            }
        }
    }

    async fn revoke(
        &self,
        ports: &P,
        input: &OperatorInput,
        invocation: &Invocation,
    ) -> Result<Reply, FunctionError> {
        let asked_at = ports.clock().now();
        tracing::info!(
            operator = %input.operator, reason = input.reason, dry_run = false,
            "operator {} revokes {:?}: {}", input.operator, input.selector, input.reason
        );
        let ids = match select(ports, input).await? {
            Ok(ids) => ids,
            Err(reply) => return Ok(reply),
        };
        let begin = BeginClosing {
            cause: Cause::Revoked,
            actor: Actor::Operator(input.operator.clone()),
            reason: invocation.by_hand().sign(&input.reason),
            settled: false,
        };
        let (mut reports, mut seen, mut new) = (Vec::new(), HashSet::new(), ids);
        // What was granted a moment ago shows up in the index a moment later: looked up again until nothing
        // new is found.
        for _ in 0..LOOKS_MAX {
            new.retain(|id| seen.insert(id.clone()));
            if new.is_empty() {
                break;
            }
            let batch = std::mem::take(&mut new);
            for (id, result) in revoke::revoke_all(ports, batch, &begin, invocation.stop_at()).await {
                revocation::count(&self.metrics, ports.clock().now(), asked_at, &result);
                let mut report = GrantReport::of(&id, &result);
                if report.result == GrantResult::NotFound {
                    report.message = format!("{}; {}", report.message, reply::FIND);
                }
                report.log();
                reports.push(report);
            }
            if !reply::may_lag(&input.selector) {
                break;
            }
            if let Ok(ids) = select(ports, input).await? {
                new = ids;
            }
        }
        let unknown: Vec<_> = reports.iter().filter(|report| report.result == GrantResult::Unknown).collect();
        if let [first, ..] = unknown.as_slice() {
            let message = format!(
                "of {} grant(s), {} may not have begun to be removed; the first: {}",
                reports.len(),
                unknown.len(),
                first.message
            );
            return Err(FunctionError::retryable(message));
        }
        let reply = Reply::of(reports);
        Ok(if reply::may_lag(&input.selector) { reply.with_lag() } else { reply })
    }
}

async fn dry_run<P: Ports>(ports: &P, input: &OperatorInput) -> Result<Reply, FunctionError> {
    let ids = match select(ports, input).await? {
        Ok(ids) => ids,
        Err(reply) => return Ok(reply),
    };
    let mut reports = Vec::with_capacity(ids.len());
    for id in &ids {
        let loaded = ports.ledger().load(id).await;
        match loaded.map_err(|error| FunctionError::from(&error))? {
            Some(stored) => reports.push(GrantReport::of_dry_run(&stored.grant)),
            None => return Ok(reply::found_nothing(&input.selector)),
        }
    }
    Ok(Reply::of_dry_run(reports))
}

async fn reviews_owed<P: Ports>(ports: &P) -> Result<Reply, FunctionError> {
    let grants = review::owed(ports).await.map_err(|error| FunctionError::from(&error))?;
    Ok(Reply::of_reviews(&grants))
}

async fn reviewed<P: Ports>(
    ports: &P,
    input: &ReviewInput,
    invocation: &Invocation,
) -> Result<Reply, FunctionError> {
    let ReviewInput { grant_id, note, operator } = input;
    let note = invocation.by_hand().sign(note);
    let result = review::done(ports, grant_id, operator, &note).await;
    Ok(match result.map_err(|error| FunctionError::from(&error))? {
        Reviewed::Recorded(_) => {
            tracing::info!(grant.id = %grant_id, %operator, note, "operator {operator} reviewed a grant");
            Reply::nothing(true, format!("the review of grant {grant_id} is on its record"))
        }
        Reviewed::NotOwed { grant, .. } if let Some(Review::Done { at }) = grant.review() => Reply::nothing(
            true,
            format!("a review of grant {grant_id} is on its record since {at}; nothing was added"),
        ),
        Reviewed::NotOwed { why, .. } => Reply::nothing(false, format!("nothing was recorded: {why}")),
        Reviewed::NoSuchGrant(_) => Reply::nothing(
            false,
            format!(
                "there is no grant {grant_id} in the ledger; list what is owed with `\"reviews\": \"owed\"`"
            ),
        ),
    })
}

/// The grants that an operator means, or what to answer if there are none.
async fn select<P: Ports>(
    ports: &P,
    input: &OperatorInput,
) -> Result<Result<Vec<GrantId>, Reply>, FunctionError> {
    match revoke::select(ports, &input.selector).await {
        Ok(ids) if ids.is_empty() => Ok(Err(reply::found_nothing(&input.selector))),
        Ok(ids) => Ok(Ok(ids)),
        Err(SelectError::Ledger(error)) => Err(FunctionError {
            message: format!("nothing was revoked: {}", chain(&error)),
            ..FunctionError::from(&error)
        }),
        Err(error @ SelectError::AmbiguousTicket { .. }) => {
            Ok(Err(Reply::nothing(false, format!("nothing was revoked: {error}"))))
        }
    }
}
