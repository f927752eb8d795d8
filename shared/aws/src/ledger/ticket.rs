//! Closed tickets: each leaves a mark that lets nothing be opened on it any more, and that is itself due
//! until the end of all its grants was begun.

use curfew_app::ports::{DueItem, LedgerError};
use curfew_domain::ids::{DeliveryId, Email, Source, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::TICKET_DUE_AFTER;
use curfew_domain::window::plus;
use jiff::Timestamp;

use super::item::{self, Item, key, text};
use super::keys;
use super::open::put_once;
use super::{DynamoLedger, unfit};

const CLOSE: &str = "mark a ticket as closed";
const READ: &str = "read a closed ticket";
const SETTLE: &str = "settle a closed ticket";

/// Marks a ticket as closed. The first mark stays as it is, due or settled.
pub(super) async fn close(
    ledger: &DynamoLedger,
    closed: &TicketClosed,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut item = key(keys::ticket_pk(&closed.ticket), keys::tombstone_sk(&closed.source));
    let mut set = |name: &str, value: &str| item.insert(name.to_owned(), text(value));
    set("closed_at", &keys::time(now));
    set("delivery", closed.delivery.as_str());
    if let Some(person) = &closed.closed_by {
        set("closed_by", person.as_str());
    }
    if let Some(reason) = &closed.reason {
        set("reason", reason);
    }
    let due = DueItem::Ticket(closed.source.clone(), closed.ticket.clone());
    item::set_due(&mut item, &due, true, plus(now, TICKET_DUE_AFTER));
    put_once(ledger, item, CLOSE).await
}

/// Reads what closed a ticket.
pub(super) async fn closed(
    ledger: &DynamoLedger,
    source: &Source,
    ticket: &TicketId,
) -> Result<Option<TicketClosed>, LedgerError> {
    let output = ledger
        .client()
        .get_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::ticket_pk(ticket), keys::tombstone_sk(source))))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| ledger.failed(READ, &error))?;
    output.item.map(|item| closed_of(&item, source, ticket)).transpose()
}

fn closed_of(item: &Item, source: &Source, ticket: &TicketId) -> Result<TicketClosed, LedgerError> {
    let missing = |attribute| unfit(READ, &item::missing(item, attribute));
    let delivery = item::text_of(item, "delivery").and_then(|id| DeliveryId::new(id).ok());
    let closed_by = item.get("closed_by").map(|_| {
        let person = item::text_of(item, "closed_by").and_then(|person| Email::new(person).ok());
        person.ok_or_else(|| missing("closed_by"))
    });
    let reason = item.get("reason").map(|_| item::text_of(item, "reason").ok_or_else(|| missing("reason")));
    Ok(TicketClosed {
        source: source.clone(),
        ticket: ticket.clone(),
        closed_by: closed_by.transpose()?,
        reason: reason.transpose()?.map(str::to_owned),
        delivery: delivery.ok_or_else(|| missing("delivery"))?,
    })
}

/// Has a mark no longer due.
pub(super) async fn settle(
    ledger: &DynamoLedger,
    source: &Source,
    ticket: &TicketId,
) -> Result<(), LedgerError> {
    let sent = ledger
        .client()
        .update_item()
        .table_name(&ledger.table)
        .set_key(Some(key(keys::ticket_pk(ticket), keys::tombstone_sk(source))))
        .update_expression("REMOVE due_shard, due_order, due_at")
        .condition_expression("attribute_exists(pk)")
        .send()
        .await;
    match sent {
        Ok(_) => Ok(()),
        // A ticket that is not closed is not due.
        Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
            Ok(())
        }
        Err(error) => Err(ledger.failed(SETTLE, &error)),
    }
}

#[cfg(test)]
#[path = "ticket_tests.rs"]
mod tests;
