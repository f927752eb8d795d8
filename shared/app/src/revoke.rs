//! Revocation: ends grants, one or many, for whoever asks.

use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Illegal, Stored};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::close::{self, Drive, Ended};
use crate::ports::{ClaimWrite, Clock, Ledger, LedgerError, Ports};

/// How many grants are ended side by side: IAM throttles an account's writes as a whole.
const CONCURRENT_MAX: usize = 4;

/// What came of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It was live, and this call ended it as far as stated.
    Ended(Ended),
    /// It had ended before.
    AlreadyClosed(Box<Grant>),
    /// A timer came before the window's end (it was moved); its own timer or the sweep will end it.
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
    let actor = begin.actor.clone();
    let now = ports.clock().now();
    match ports.ledger().claim(id, &begin, now).await? {
        ClaimWrite::Begun(begun) => {
            let stored = Stored { grant: begun.grant, unwritten: begun.events };
            let drive = Drive { actor: prover(&actor), by_lease_holder: false, effects: begun.effects };
            Ok(Revoked::Ended(close::drive(ports, stored, drive).await?))
        }
        ClaimWrite::Refused { stored, illegal } => match illegal {
            Illegal::AlreadyClosed => Ok(Revoked::AlreadyClosed(Box::new(stored.grant))),
            Illegal::AlreadyClosing => {
                let effects = stored.grant.closing_effects();
                let drive = Drive { actor: prover(&actor), by_lease_holder: false, effects };
                Ok(Revoked::Ended(close::drive(ports, *stored, drive).await?))
            }
            Illegal::NotExpired { .. }
            | Illegal::LeaseHeld { .. }
            | Illegal::AlreadyActive
            | Illegal::NotSettled { .. }
            | Illegal::NotProven
            | Illegal::NotClosing => Ok(Revoked::NotDue(Box::new(stored.grant))),
        },
        ClaimWrite::Absent => Ok(Revoked::NoSuchGrant(id.clone())),
    }
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
pub async fn revoke_all<P: Ports>(
    ports: &P,
    ids: Vec<GrantId>,
    begin: &BeginClosing,
) -> Vec<(GrantId, Result<Revoked, LedgerError>)> {
    stream::iter(ids)
        .map(|id| async move {
            let result = revoke(ports, &id, begin.clone()).await;
            (id, result)
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
) -> Result<Vec<(GrantId, Result<Revoked, LedgerError>)>, LedgerError> {
    ports.ledger().close_ticket(closed, ports.clock().now()).await?;
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
    Ok(revoke_all(ports, found.into_iter().map(|(_, id)| id).collect(), &begin).await)
}
