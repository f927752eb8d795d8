//! What a sender is told about an approval: each thing that can come of it, in words, with a remedy where there is
//! one.

use curfew_app::close::Ended;
use curfew_app::open::{ATTEMPTS_MAX, Opened};
use curfew_app::ports::{EffectError, Failure};
use curfew_domain::decision::{Denial, DenialCode};
use curfew_domain::grant::{Grant, State};
use curfew_domain::transition::Illegal;
use serde_json::json;

use crate::reply::{Problem, ProblemKind, Reply};

const NEW_TICKET: &str = "approve the access on a new ticket";

/// The reply to an approval.
///
/// # Errors
/// [`Problem`], for everything but access that holds as approved.
pub(crate) fn answer_opened(opened: Opened) -> Result<Reply, Problem> {
    Err(match opened {
        Opened::Activated(grant) => return Ok(Reply::granted(&grant)),
        Opened::Changed { grant, previous_end } => return Ok(Reply::changed(&grant, previous_end)),
        Opened::Duplicate(grant) => return Ok(Reply::duplicate(&grant)),
        Opened::Superseded(grant) => return Ok(Reply::superseded(&grant)),
        Opened::NotChanged { grant, why } => not_changed(&grant, &why),
        Opened::ChangeRefused { grant, error } => {
            let detail = format!(
                "{error}; the window of grant {} could not be changed, so the access {}",
                grant.id(),
                if matches!(grant.state(), State::Closed { .. }) { "was ended" } else { "is being ended" }
            );
            refused_by_aws(&grant, &error, detail, "approve the access on a new ticket")
        }
        Opened::Denied(Denial { code, reason, remedy, guardrails }) => {
            let problem = Problem::new(ProblemKind::Denied(code.as_str(), status_of(code)), reason);
            let problem = problem.remedy(remedy);
            if guardrails.is_empty() { problem } else { problem.with("guardrails", json!(guardrails)) }
        }
        Opened::TicketClosed => Problem::new(
            ProblemKind::TicketClosed,
            "the ticket was closed before, and nothing is opened on a closed ticket",
        )
        .remedy(NEW_TICKET),
        Opened::Conflict(grant) => conflict(&grant),
        Opened::RevokedMeanwhile(ended) => revoked_meanwhile(&ended),
        Opened::Refused { grant, error } => {
            refused_by_aws(&grant, &error, error.to_string(), "send the approval again")
        }
        Opened::TooManyAttempts(grant) => Problem::new(
            ProblemKind::TooManyAttempts,
            format!("this approval was tried {ATTEMPTS_MAX} times and failed each time"),
        )
        .remedy("put right what made it fail (the grant's events say what), and approve on a new ticket")
        .about(&grant),
        Opened::Retry { reason, grant } => {
            let problem = Problem::new(ProblemKind::TryAgain, reason);
            match grant {
                Some(grant) => problem.about(&grant),
                None => problem,
            }
        }
    })
}

/// What AWS refused for good, and what to do once that is put right.
fn refused_by_aws(grant: &Grant, error: &EffectError, detail: String, then: &str) -> Problem {
    match error.failure {
        Failure::Forbidden => Problem::new(ProblemKind::NotPermitted, detail).remedy(format!(
            "let an operator compare Curfew's permissions and the principal's permissions boundary and tag \
             `curfew:tenant` with this call; then {then}"
        )),
        Failure::Refused | Failure::Retryable | Failure::Throttled => {
            Problem::new(ProblemKind::RefusedByAws, detail)
                .remedy(format!("put right what AWS refused; then {then}"))
        }
    }
    .about(grant)
}

/// The same ticket, tenant, role and principal, another content, and no later approval or no live grant.
fn conflict(grant: &Grant) -> Problem {
    let id = grant.id();
    let (detail, remedy) = match grant.state() {
        State::Opening { .. } | State::Active { .. } => (
            format!(
                "grant {id} of this ticket is live, and only an approval that is later than those before, by somebody \
                 who may approve, changes it"
            ),
            "have the change itself approved by somebody else than the requester; or approve it on a new ticket",
        ),
        State::Closing { .. } => {
            (format!("grant {id} of this ticket is being removed, and is not changed any more"), NEW_TICKET)
        }
        State::Closed { outcome, closed_at, .. } => (
            format!(
                "grant {id} of this ticket was closed ({outcome}) at {closed_at}, and is not opened again"
            ),
            NEW_TICKET,
        ),
    };
    Problem::new(ProblemKind::Conflict, detail).remedy(remedy).about(grant)
}

/// A later approval that a live grant can't follow.
fn not_changed(grant: &Grant, why: &Illegal) -> Problem {
    let detail = format!("grant {} was not changed: {why}", grant.id());
    let (kind, remedy) = match why {
        Illegal::TooManyChanges => (ProblemKind::TooManyChanges, NEW_TICKET),
        Illegal::OtherAccess => (
            ProblemKind::Conflict,
            "the catalog gives this role in another way than when it was granted: close the ticket, and approve the \
             access on a new one",
        ),
        Illegal::NotNewer => (
            ProblemKind::Conflict,
            "have the change itself approved by somebody else than the requester; or approve it on a new ticket",
        ),
        Illegal::AlreadyClosing | Illegal::AlreadyClosed => (ProblemKind::Conflict, NEW_TICKET),
        // The grant went on while it was looked at.
        Illegal::NotExpired { .. }
        | Illegal::LeaseHeld { .. }
        | Illegal::AlreadyActive
        | Illegal::NotSettled { .. }
        | Illegal::NotProven
        | Illegal::NotClosing
        | Illegal::ChangeHeld { .. }
        | Illegal::NotChanging
        | Illegal::NotActive
        | Illegal::NoReviewOwed
        | Illegal::OwnReview
        | Illegal::ReviewTooEarly
        | Illegal::NoDrift => (ProblemKind::TryAgain, "send the same again"),
    };
    Problem::new(kind, detail).remedy(remedy).about(grant)
}

fn revoked_meanwhile(ended: &Ended) -> Problem {
    let grant = ended.grant();
    let left = match ended {
        Ended::Closed(_) => "no access is left",
        Ended::Settling { .. } | Ended::Throttled { .. } | Ended::Unproven { .. } => {
            "its removal has begun, and the sweep finishes and confirms it"
        }
        Ended::LeftBehind { error, .. } => {
            tracing::error!(grant.id = %grant.id(), error, "grant {}: {error}", grant.id());
            "it is closed, but what was attached late may still be there until an operator has seen to it"
        }
    };
    let detail = format!(
        "grant {} was revoked while this approval was worked on, or because the approval shortens it to an end that \
         it can't have; {left}",
        grant.id()
    );
    Problem::new(ProblemKind::RevokedMeanwhile, detail).about(grant)
}

/// 403 where somebody is not entitled: the requester to the access, or whoever approved to approve it.
/// 422 where the request can't be met in this form, whoever asks.
fn status_of(code: DenialCode) -> u16 {
    match code {
        DenialCode::UnknownPerson
        | DenialCode::RoleNotInTenant
        | DenialCode::PrincipalNotTheirs
        | DenialCode::NoApproval
        | DenialCode::ApprovalTooOld
        | DenialCode::UnknownApprover
        | DenialCode::SelfApproval
        | DenialCode::OperatorNotEntitled
        | DenialCode::NotPermitted
        | DenialCode::Forbidden
        | DenialCode::GuardrailError => 403,
        DenialCode::UnknownTenant
        | DenialCode::UnknownRole
        | DenialCode::PrincipalElsewhere
        | DenialCode::NoPrincipal
        | DenialCode::AmbiguousPrincipal
        | DenialCode::ApprovalInFuture
        | DenialCode::NoJustification
        | DenialCode::JustificationTooLong
        | DenialCode::JustificationUnreadable
        | DenialCode::WindowEmpty
        | DenialCode::WindowOver
        | DenialCode::WindowTooLong
        | DenialCode::WindowTooFarAhead
        | DenialCode::ManagedNotYet
        | DenialCode::TenantUnreachable
        | DenialCode::PolicyTooLarge => 422,
    }
}
