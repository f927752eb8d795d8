//! Revocation: ends grants, one or many, for whoever asks.

use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::retry::ROUNDS_MAX;
use curfew_domain::transition::{BeginClosing, Command, Illegal, Stored, transition};
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use crate::close::{self, Drive, Ended};
use crate::ports::{ClaimWrite, Clock, Commit, CommitWrite, Ledger, LedgerError, Ports};

/// How many grants are ended side by side: IAM throttles an account's writes as a whole.
const CONCURRENT_MAX: usize = 4;

/// How many grants are begun to be ended side by side: one write to the ledger each.
const BEGUN_CONCURRENT_MAX: usize = 16;

/// What came of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It was live, and this call ended it as far as stated.
    Ended(Ended),
    /// It had ended before.
    AlreadyClosed(Box<Grant>),
    /// A timer came before the window's end; the sweep will end it.
    NotDue(Box<Grant>),
    /// There is no such grant.
    NoSuchGrant(GrantId),
}

/// Ends one grant.
///
/// # Errors
/// [`LedgerError`], if the ledger could not be read or written: the caller should try again; if the
/// removal had begun, the sweep finishes it.
pub async fn revoke<P: Ports>(ports: &P, id: &GrantId, begin: BeginClosing) -> Result<Revoked, LedgerError> {
    match self::begin(ports, id, &begin).await? {
        Begun::Done(revoked) => Ok(revoked),
        Begun::ToDrive(stored, drive) => Ok(Revoked::Ended(close::drive(ports, *stored, drive).await?)),
    }
}

/// How far a revocation is after its first write.
enum Begun {
    /// There is nothing to be done.
    Done(Revoked),
    /// The grant is closing: from here on it is the sweep's work too.
    ToDrive(Box<Stored>, Drive),
}

/// Begins to end one grant, so that it will end whatever becomes of this invocation.
async fn begin<P: Ports>(ports: &P, id: &GrantId, begin: &BeginClosing) -> Result<Begun, LedgerError> {
    let drive = |effects| Drive { actor: prover(&begin.actor), by_lease_holder: false, effects };
    let now = ports.clock().now();
    let (mut stored, illegal) = match ports.ledger().claim(id, begin, now).await? {
        ClaimWrite::Begun(begun) => {
            let stored = Stored { grant: begun.grant, unwritten: begun.events };
            return Ok(Begun::ToDrive(Box::new(stored), drive(begun.effects)));
        }
        ClaimWrite::Refused { stored, illegal } => (stored, illegal),
        ClaimWrite::Absent => return Ok(Begun::Done(Revoked::NoSuchGrant(id.clone()))),
    };
    if begin.cause == Cause::Revoked {
        *stored = overrule(ports, *stored, begin).await?;
    }
    Ok(match illegal {
        Illegal::AlreadyClosed => Begun::Done(Revoked::AlreadyClosed(Box::new(stored.grant))),
        Illegal::AlreadyClosing => {
            let effects = stored.grant.closing_effects();
            Begun::ToDrive(stored, drive(effects))
        }
        Illegal::NotExpired { .. }
        | Illegal::LeaseHeld { .. }
        | Illegal::AlreadyActive
        | Illegal::NotSettled { .. }
        | Illegal::NotProven
        | Illegal::NotClosing
        | Illegal::ChangeHeld { .. }
        | Illegal::NotChanging
        | Illegal::NotActive
        | Illegal::NotNewer
        | Illegal::OtherAccess
        | Illegal::TooManyChanges
        | Illegal::NoReviewOwed
        | Illegal::OwnReview
        | Illegal::ReviewTooEarly
        | Illegal::NoDrift => Begun::Done(Revoked::NotDue(Box::new(stored.grant))),
    })
}

/// Has a grant whose opening failed count as revoked: somebody wants it ended, so a redelivery of its
/// approval must not try it anew.
async fn overrule<P: Ports>(
    ports: &P,
    mut stored: Stored,
    begin: &BeginClosing,
) -> Result<Stored, LedgerError> {
    let unwritten = |message: String, retryable| LedgerError {
        operation: "have a failed opening count as revoked",
        message,
        retryable,
    };
    for _ in 0..ROUNDS_MAX {
        if !stored.grant.may_be_tried_anew() {
            return Ok(stored);
        }
        let command = Command::Overrule { actor: begin.actor.clone(), reason: begin.reason.clone() };
        let next = transition(&stored.grant, command, ports.clock().now())
            .map_err(|illegal| unwritten(illegal.to_string(), false))?;
        let mut events = stored.unwritten.clone();
        events.extend(next.events);
        let commit = Commit { grant: &next.grant, events: &events, shared: None };
        if ports.ledger().commit(commit).await? == CommitWrite::Written {
            return Ok(Stored::settled(next.grant));
        }
        let id = stored.grant.id();
        let read = ports.ledger().load(id).await?;
        stored = read.ok_or_else(|| unwritten(format!("grant {id} is gone from the ledger"), false))?;
    }
    Err(unwritten(format!("grant {} kept changing", stored.grant.id()), true))
}

/// Whoever asks, the removal is proven by the function that performs it.
fn prover(asker: &Actor) -> Actor {
    match asker {
        Actor::Sweep => Actor::Sweep,
        Actor::GrantFunction => Actor::GrantFunction,
        Actor::Timer | Actor::RevokeFunction | Actor::Operator(_) | Actor::Source(_) | Actor::Person(_) => {
            Actor::RevokeFunction
        }
    }
}

/// Which grants to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// One grant.
    Grant(GrantId),
    /// All of a ticket; of one source, if it is named.
    Ticket(Option<Source>, TicketId),
    /// All live ones of a person.
    Person(Email),
    /// All live ones of a tenant.
    Tenant(TenantId),
}

/// Why a selection can't be acted on.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Several sources have a ticket of that id.
    #[error("ticket {ticket} exists in several sources ({sources}); name one as `source`")]
    AmbiguousTicket {
        /// The ticket.
        ticket: TicketId,
        /// Their names.
        sources: String,
    },
}

/// Finds the grants that a selector means.
///
/// # Errors
/// [`SelectError`], if the ledger failed or the selector means more than one ticket.
pub async fn select<P: Ports>(ports: &P, selector: &Selector) -> Result<Vec<GrantId>, SelectError> {
    let ledger = ports.ledger();
    match selector {
        Selector::Grant(id) => Ok(vec![id.clone()]),
        Selector::Person(person) => Ok(ledger.live_of_person(person).await?),
        Selector::Tenant(tenant) => Ok(ledger.live_of_tenant(tenant).await?),
        Selector::Ticket(source, ticket) => {
            let found = ledger.grants_of_ticket(source.as_ref(), ticket).await?;
            let mut sources: Vec<&str> = found.iter().map(|(source, _)| source.as_str()).collect();
            sources.sort_unstable();
            sources.dedup();
            if sources.len() > 1 {
                let sources = sources.join(", ");
                return Err(SelectError::AmbiguousTicket { ticket: ticket.clone(), sources });
            }
            Ok(found.into_iter().map(|(_, id)| id).collect())
        }
    }
}

/// Ends many grants. One that fails does not hold up the others.
///
/// All of them are begun before the first is driven to its end: what was begun ends even if this
/// invocation does not live to see it. After `stop_at` none is driven any more; the sweep does that.
pub async fn revoke_all<P: Ports>(
    ports: &P,
    ids: Vec<GrantId>,
    begin: &BeginClosing,
    stop_at: Timestamp,
) -> Vec<(GrantId, Result<Revoked, LedgerError>)> {
    let begun: Vec<_> = stream::iter(ids)
        .map(|id| async move {
            let begun = self::begin(ports, &id, begin).await;
            (id, begun)
        })
        .buffered(BEGUN_CONCURRENT_MAX)
        .collect()
        .await;
    stream::iter(begun)
        .map(|(id, begun)| async move {
            let revoked = match begun {
                Err(error) => Err(error),
                Ok(Begun::Done(revoked)) => Ok(revoked),
                Ok(Begun::ToDrive(stored, _)) if ports.clock().now() >= stop_at => {
                    let error = "there was no time left to remove it here".to_owned();
                    Ok(Revoked::Ended(Ended::Unproven { grant: Box::new(stored.grant), error }))
                }
                Ok(Begun::ToDrive(stored, drive)) => {
                    close::drive(ports, *stored, drive).await.map(Revoked::Ended)
                }
            };
            (id, revoked)
        })
        .buffered(CONCURRENT_MAX)
        .collect()
        .await
}

/// Ends a grant whose timer fired.
///
/// # Errors
/// As [`revoke`].
pub async fn expire<P: Ports>(ports: &P, id: &GrantId) -> Result<Revoked, LedgerError> {
    let begin = BeginClosing {
        cause: Cause::Expired,
        actor: Actor::Timer,
        reason: "the window is over".to_owned(),
        settled: false,
    };
    revoke(ports, id, begin).await
}

/// Closes a ticket for good and ends whatever it justified.
///
/// The ticket is marked first: a grant that is opened at the same time either sees the mark and is
/// refused, or was written before it and is found here.
///
/// # Errors
/// [`LedgerError`], if the ticket could not be marked or its grants not be found.
pub async fn close_ticket<P: Ports>(
    ports: &P,
    closed: &TicketClosed,
    stop_at: Timestamp,
) -> Result<Vec<(GrantId, Result<Revoked, LedgerError>)>, LedgerError> {
    ports.ledger().close_ticket(closed, ports.clock().now()).await?;
    end_ticket(ports, closed, stop_at).await
}

/// Ends what a closed ticket justified. Until the end of all of it was begun, the ticket stays due for the
/// sweep.
///
/// # Errors
/// As [`close_ticket`].
pub(crate) async fn end_ticket<P: Ports>(
    ports: &P,
    closed: &TicketClosed,
    stop_at: Timestamp,
) -> Result<Vec<(GrantId, Result<Revoked, LedgerError>)>, LedgerError> {
    let found = ports.ledger().grants_of_ticket(Some(&closed.source), &closed.ticket).await?;
    let actor = match &closed.closed_by {
        Some(person) => Actor::Person(person.clone()),
        None => Actor::Source(closed.source.clone()),
    };
    let reason = match &closed.reason {
        Some(reason) => format!("ticket {} was closed: {reason}", closed.ticket),
        None => format!("ticket {} was closed", closed.ticket),
    };
    let begin = BeginClosing { cause: Cause::Revoked, actor, reason, settled: false };
    let ended = revoke_all(ports, found.into_iter().map(|(_, id)| id).collect(), &begin, stop_at).await;
    // What was begun is the sweep's work by itself. A drive that failed was begun; a claim that failed was not.
    if ended.iter().all(|(_, revoked)| revoked.is_ok())
        && let Err(error) = ports.ledger().settle_ticket(&closed.source, &closed.ticket).await
    {
        let ticket = &closed.ticket;
        tracing::warn!(%ticket, %error, "ticket {ticket} stays due, although all its grants are being ended");
    }
    Ok(ended)
}
