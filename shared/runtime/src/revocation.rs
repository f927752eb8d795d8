//! What became of a revocation: in words for whoever asked, in metrics, and in the log.
//!
//! Used by every function that ends grants, so that the same fact always reads the same.

use curfew_app::close::Ended;
use curfew_app::ports::LedgerError;
use curfew_app::revoke::Revoked;
use curfew_domain::access::Access;
use curfew_domain::effect::{Found, Proof};
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::PrincipalKind;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::error::chain;
use crate::metrics::Metrics;

/// What became of one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantResult {
    /// This call ended it, and AWS confirmed the removal.
    Removed,
    /// It had ended before.
    AlreadyClosed,
    /// Removed for now; the sweep proves it once no attach can land any more.
    Settling,
    /// Its removal began, and AWS did not confirm it yet; the sweep goes on.
    Unproven,
    /// It is closed, but something may have come back under its name after that. Somebody has to look.
    LeftBehind,
    /// A timer that came before its window's end changed nothing.
    NotDue,
    /// There is no such grant.
    NotFound,
    /// The ledger failed: whether its removal began is not known.
    Unknown,
    /// A dry run: it would be ended.
    WouldEnd,
}

impl GrantResult {
    /// Whether nothing of it is left, proven.
    #[must_use]
    pub fn is_proven(self) -> bool {
        match self {
            Self::Removed | Self::AlreadyClosed => true,
            Self::Settling
            | Self::Unproven
            | Self::LeftBehind
            | Self::NotDue
            | Self::NotFound
            | Self::Unknown
            | Self::WouldEnd => false,
        }
    }
}

/// What became of one grant, for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantReport {
    /// Which.
    pub grant_id: GrantId,
    /// What became of it.
    pub result: GrantResult,
    /// The same in a sentence.
    pub message: String,
    /// What it is; none if it could not be read.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantFacts>,
}

/// What a grant is, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantFacts {
    /// Where it is in its life.
    pub state: &'static str,
    /// How it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Who has it.
    pub person: Email,
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub role: RoleName,
    /// The ARN of who receives it.
    pub principal: String,
    /// The source of its ticket.
    pub source: Source,
    /// Its ticket.
    pub ticket: TicketId,
    /// Until when at most.
    pub expires_at: Timestamp,
}

impl From<&Grant> for GrantFacts {
    fn from(grant: &Grant) -> Self {
        let request = grant.request();
        Self {
            state: grant.state().name(),
            outcome: match grant.state() {
                State::Closed { outcome, .. } => Some(*outcome),
                State::Opening { .. } | State::Active { .. } | State::Closing { .. } => None,
            },
            person: request.requester.clone(),
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            principal: grant.access().principal().arn().to_owned(),
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            expires_at: grant.window().expires_at(),
        }
    }
}

impl GrantReport {
    /// What became of grant `id` by a revocation.
    #[must_use]
    pub fn of(id: &GrantId, revoked: &Result<Revoked, LedgerError>) -> Self {
        let about = |grant: &Grant, result, message| Self {
            grant_id: id.clone(),
            result,
            message,
            grant: Some(GrantFacts::from(grant)),
        };
        let without = |result, message| Self { grant_id: id.clone(), result, message, grant: None };
        match revoked {
            Ok(Revoked::Ended(Ended::Closed(grant))) => about(grant, GrantResult::Removed, removed(grant)),
            Ok(Revoked::Ended(Ended::Settling { grant, until })) => about(
                grant,
                GrantResult::Settling,
                format!(
                    "the removal of {} has begun, but a request that could undo it may still be under way until \
                     {until}; the sweep removes and confirms it after that",
                    subject(grant)
                ),
            ),
            Ok(Revoked::Ended(Ended::Unproven { grant, error })) => {
                about(grant, GrantResult::Unproven, unproven(grant, error))
            }
            Ok(Revoked::Ended(Ended::Throttled { grant, error })) => {
                let error = format!("it is asked too often at the moment ({error})");
                about(grant, GrantResult::Unproven, unproven(grant, &error))
            }
            Ok(Revoked::Ended(Ended::LeftBehind { grant, error })) => {
                about(grant, GrantResult::LeftBehind, left_behind(grant, error))
            }
            Ok(Revoked::AlreadyClosed(grant)) => {
                about(grant, GrantResult::AlreadyClosed, already_closed(grant))
            }
            Ok(Revoked::NotDue(grant)) => about(
                grant,
                GrantResult::NotDue,
                format!(
                    "{} lasts until {}; this timer came early and changed nothing",
                    subject(grant),
                    grant.window().expires_at()
                ),
            ),
            Ok(Revoked::NoSuchGrant(id)) => {
                without(GrantResult::NotFound, format!("there is no grant {id} in the ledger"))
            }
            Err(error) => without(
                GrantResult::Unknown,
                format!(
                    "it is not known whether the removal of grant {id} has begun: {}; send the same again",
                    chain(error)
                ),
            ),
        }
    }

    /// What would become of a grant.
    #[must_use]
    pub fn of_dry_run(grant: &Grant) -> Self {
        let (result, message) = match grant.state() {
            State::Closed { .. } => (GrantResult::AlreadyClosed, already_closed(grant)),
            State::Opening { .. } | State::Active { .. } | State::Closing { .. } => (
                GrantResult::WouldEnd,
                format!(
                    "{} would be removed; it is {} and lasts until {} at most",
                    subject(grant),
                    grant.state().name(),
                    grant.window().expires_at()
                ),
            ),
        };
        Self { grant_id: grant.id().clone(), result, message, grant: Some(GrantFacts::from(grant)) }
    }

    /// Writes it to the log: a failure as an error, what an operator should look at as a warning.
    pub fn log(&self) {
        let Self { grant_id, message, .. } = self;
        let ticket = self.grant.as_ref().map_or("", |grant| grant.ticket.as_str());
        let source = self.grant.as_ref().map_or("", |grant| grant.source.as_str());
        let person = self.grant.as_ref().map_or("", |grant| grant.person.as_str());
        match self.result {
            GrantResult::Unknown | GrantResult::LeftBehind => {
                tracing::error!(grant.id = %grant_id, ticket, source, person, "grant {grant_id}: {message}");
            }
            GrantResult::Unproven | GrantResult::NotFound => {
                tracing::warn!(grant.id = %grant_id, ticket, source, person, "grant {grant_id}: {message}");
            }
            GrantResult::Removed
            | GrantResult::AlreadyClosed
            | GrantResult::Settling
            | GrantResult::NotDue
            | GrantResult::WouldEnd => {
                tracing::info!(grant.id = %grant_id, ticket, source, person, "grant {grant_id}: {message}");
            }
        }
    }
}

/// "access of … to … in …".
#[must_use]
pub fn subject(grant: &Grant) -> String {
    let request = grant.request();
    format!("access of {} to {} in {}", request.requester, request.role, request.tenant)
}

fn removed(grant: &Grant) -> String {
    let State::Closed { outcome, proof, .. } = grant.state() else {
        return format!("{} has been removed", subject(grant));
    };
    let confirmed = confirmation(grant.access(), proof);
    match outcome {
        Outcome::Expired | Outcome::Revoked => format!("{} has been removed: {confirmed}", subject(grant)),
        Outcome::Failed => {
            format!("{} never took effect, and what its opening left is gone: {confirmed}", subject(grant))
        }
    }
}

fn already_closed(grant: &Grant) -> String {
    match grant.state() {
        State::Closed { outcome: Outcome::Failed, closed_at, .. } => {
            format!("{} never took effect; it was closed at {closed_at}", subject(grant))
        }
        State::Closed { outcome, closed_at, .. } => {
            format!("{} was already closed ({outcome}) at {closed_at}", subject(grant))
        }
        State::Opening { .. } | State::Active { .. } | State::Closing { .. } => {
            format!("{} is {}", subject(grant), grant.state().name())
        }
    }
}

fn unproven(grant: &Grant, error: &str) -> String {
    let again = match grant.state() {
        State::Closing { retry_at, .. } => format!("the sweep tries again at {retry_at}"),
        State::Opening { .. } | State::Active { .. } | State::Closed { .. } => {
            "the sweep goes on with it".to_owned()
        }
    };
    let anyway = match grant.access() {
        Access::Inline { .. } => {
            format!(" (its policy stops working at {} in any case)", grant.window().expires_at())
        }
        Access::Managed { .. } => String::new(),
    };
    format!(
        "the removal of {} has begun, but AWS did not confirm it yet: {error}; {again}{anyway}",
        subject(grant)
    )
}

/// What somebody has to see to, because no removal of a closed grant is tried again.
fn left_behind(grant: &Grant, error: &str) -> String {
    format!("{} is closed, but something of it may still be there: {error}", subject(grant))
}

/// What AWS confirmed, by the name of its call.
fn confirmation(access: &Access, proof: &Proof) -> String {
    let call = match (access, access.principal().kind()) {
        (Access::Inline { .. }, PrincipalKind::User) => "DeleteUserPolicy",
        (Access::Inline { .. }, PrincipalKind::Role) => "DeleteRolePolicy",
        (Access::Managed { .. }, PrincipalKind::User) => "DetachUserPolicy",
        (Access::Managed { .. }, PrincipalKind::Role) => "DetachRolePolicy",
    };
    let at = proof.at;
    match proof.found {
        Found::Deleted | Found::Applied => format!("AWS confirmed {call} at {at}"),
        Found::Absent => format!("AWS said at {at} that nothing of it is there any more ({call})"),
        Found::HeldByOthers => {
            format!("checked at {at}; the {access} stays, because other live grants hold it")
        }
    }
}

/// Counts what became of a revocation that was asked for at `asked_at`.
pub fn count(metrics: &Metrics, now: Timestamp, asked_at: Timestamp, revoked: &Result<Revoked, LedgerError>) {
    match revoked {
        Ok(Revoked::Ended(Ended::Closed(grant))) => {
            if let Some(lag) = lag(grant, asked_at) {
                metrics.revoked(now, grant.id(), lag);
            }
        }
        Ok(Revoked::Ended(Ended::Unproven { .. } | Ended::Throttled { .. } | Ended::LeftBehind { .. }))
        | Err(_) => metrics.revocations_failed(now, 1),
        Ok(
            Revoked::Ended(Ended::Settling { .. })
            | Revoked::AlreadyClosed(_)
            | Revoked::NotDue(_)
            | Revoked::NoSuchGrant(_),
        ) => {}
    }
}

/// How long a closed grant's access outlived its end: the window's, or `asked_at` for one that was ended
/// early. None for a grant that never took effect.
#[must_use]
pub fn lag(grant: &Grant, asked_at: Timestamp) -> Option<SignedDuration> {
    match grant.state() {
        State::Closed { outcome: Outcome::Expired, closed_at, .. } => {
            Some(closed_at.duration_since(grant.window().expires_at()))
        }
        State::Closed { outcome: Outcome::Revoked, closed_at, .. } => {
            Some(closed_at.duration_since(asked_at))
        }
        State::Closed { outcome: Outcome::Failed, .. }
        | State::Opening { .. }
        | State::Active { .. }
        | State::Closing { .. } => None,
    }
}
