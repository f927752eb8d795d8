//! Archives again, from the ledger, what the stream gave up: a grant's story, or the denied requests of a ticket.
//!
//! Whatever is in the archive already does no harm there: records are told apart by their ids. Nobody is told on the bus,
//! where it would look like news.

use curfew_app::ports::EffectError;
use curfew_domain::ids::{GrantId, Source, TicketId};

use super::{Settings, write};
use crate::ports::{AuditPorts, Grants as _, ReadError};
use crate::record::{Record, Unmappable};

/// How many records go into one object.
const RECORDS_MAX: usize = 1_000;

/// Something was archived again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedAgain {
    /// The objects that hold it.
    pub keys: Vec<String>,
    /// How many records there are.
    pub records: usize,
}

/// Why it was not archived again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotArchived {
    /// There is no such grant.
    #[error("grant {0} is not in the ledger; is its id right?")]
    Unknown(GrantId),
    /// Nothing was denied on the ticket.
    #[error(
        "the ledger has no denied request of source {source_name} on ticket {ticket}; are both as the ledger has them?"
    )]
    NoDenials {
        /// The ticket's source.
        source_name: Source,
        /// The ticket.
        ticket: TicketId,
    },
    /// It can't be read.
    #[error("the {what} can't be read")]
    Unread {
        /// The grant's events, or the ticket's denials.
        what: String,
        /// Why not.
        source: ReadError,
    },
    /// One of a grant's events is no record.
    #[error("event {seq} of grant {id} can't be archived")]
    Unmappable {
        /// The grant.
        id: GrantId,
        /// The event.
        seq: u32,
        /// Why not.
        source: Unmappable,
    },
    /// The archive did not take it.
    #[error("the archive did not take the {what}")]
    Refused {
        /// The grant's events, or the ticket's denials.
        what: String,
        /// Why not.
        source: EffectError,
    },
}

impl NotArchived {
    /// Whether the same again may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unknown(_)
            | Self::NoDenials { .. }
            | Self::Unmappable { .. }
            | Self::Unread { source: ReadError::Unreadable(_), .. } => false,
            Self::Unread { source: ReadError::Failed(error), .. } => error.retryable,
            Self::Refused { source, .. } => !source.is_settled(),
        }
    }
}

/// Writes a grant's whole story from the ledger into the archive again, whatever is there.
///
/// # Errors
/// [`NotArchived`]. Part of it may be written; that does no harm, and neither does the same again.
pub async fn archive_again<P: AuditPorts>(
    ports: &P,
    settings: &Settings,
    id: &GrantId,
) -> Result<ArchivedAgain, NotArchived> {
    let what = format!("events of grant {id}");
    let story = ports.grants().story(id).await;
    let story = story.map_err(|source| NotArchived::Unread { what: what.clone(), source })?;
    let Some(story) = story else {
        return Err(NotArchived::Unknown(id.clone()));
    };
    let mut details = Vec::new();
    for event in &story.events {
        let record = Record::of_event(settings.mapping, &settings.origin, &story.subject, &event.canonical());
        let record =
            record.map_err(|source| NotArchived::Unmappable { id: id.clone(), seq: event.seq, source })?;
        details.push(record.detail());
    }
    write_all(ports, what, &details).await
}

/// Writes all requests of a source that were denied on a ticket from the ledger into the archive again. They have no
/// chain, so nothing in the archive tells that one is missing.
///
/// # Errors
/// As [`archive_again`].
pub async fn archive_denials_again<P: AuditPorts>(
    ports: &P,
    settings: &Settings,
    source: &Source,
    ticket: &TicketId,
) -> Result<ArchivedAgain, NotArchived> {
    let what = format!("denied requests of source {source} on ticket {ticket}");
    let denials = ports.grants().denials(source, ticket).await;
    let denials = denials.map_err(|error| NotArchived::Unread { what: what.clone(), source: error })?;
    if denials.is_empty() {
        return Err(NotArchived::NoDenials { source_name: source.clone(), ticket: ticket.clone() });
    }
    let detail = |denied| Record::of_denial(settings.mapping, &settings.origin, denied).detail();
    let details: Vec<String> = denials.iter().map(detail).collect();
    write_all(ports, what, &details).await
}

async fn write_all<P: AuditPorts>(
    ports: &P,
    what: String,
    details: &[String],
) -> Result<ArchivedAgain, NotArchived> {
    let mut keys = Vec::new();
    for part in details.chunks(RECORDS_MAX) {
        match write(ports, part.iter().map(String::as_str)).await {
            Ok(key) => keys.push(key),
            Err(source) => return Err(NotArchived::Refused { what, source }),
        }
    }
    Ok(ArchivedAgain { keys, records: details.len() })
}
