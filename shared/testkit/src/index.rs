//! The ledger's sparse indexes in memory: what is due in the order of work, who has what now, and
//! what has to be reviewed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use curfew_app::ports::{Due, DueItem};
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use jiff::Timestamp;

/// A live grant's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) person: Email,
    pub(crate) tenant: TenantId,
    pub(crate) principal: Principal,
}

/// Work, in the order of [`Due::order`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Work(Due);

impl Ord for Work {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Work {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The indexes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    live: BTreeMap<GrantId, Entry>,
    due: BTreeSet<Work>,
    /// Where an item stands in `due`.
    places: BTreeMap<DueItem, Due>,
    /// Since when a review is owed.
    reviews: BTreeMap<GrantId, Timestamp>,
}

impl Index {
    /// Has a grant stand where it belongs; nowhere, if there is none.
    pub(crate) fn put(&mut self, id: &GrantId, grant: Option<&Grant>) {
        let live = grant.filter(|grant| !matches!(grant.state(), State::Closed { .. }));
        match live {
            Some(grant) => {
                let entry = Entry {
                    person: grant.request().requester.clone(),
                    tenant: grant.request().tenant.clone(),
                    principal: grant.access().principal().clone(),
                };
                self.live.insert(id.clone(), entry);
            }
            None => {
                self.live.remove(id);
            }
        }
        match grant.and_then(Grant::review_owed_since) {
            Some(since) => {
                self.reviews.insert(id.clone(), since);
            }
            None => {
                self.reviews.remove(id);
            }
        }
        let item = DueItem::Grant(id.clone());
        let due = grant.and_then(|grant| {
            Some(Due { item: item.clone(), due_at: grant.due_at()?, privileged: grant.privileged() })
        });
        self.place(item, due);
    }

    pub(crate) fn put_ticket(&mut self, source: Source, ticket: TicketId, due_at: Timestamp) {
        let item = DueItem::Ticket(source, ticket);
        let due = Due { item: item.clone(), due_at, privileged: true };
        self.place(item, Some(due));
    }

    pub(crate) fn drop_ticket(&mut self, source: &Source, ticket: &TicketId) {
        self.place(DueItem::Ticket(source.clone(), ticket.clone()), None);
    }

    fn place(&mut self, item: DueItem, due: Option<Due>) {
        let before = match &due {
            Some(due) => self.places.insert(item, due.clone()),
            None => self.places.remove(&item),
        };
        if let Some(before) = before {
            self.due.remove(&Work(before));
        }
        if let Some(due) = due {
            self.due.insert(Work(due));
        }
    }

    pub(crate) fn live(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<GrantId> {
        self.live.iter().filter(|(_, entry)| is_wanted(entry)).map(|(id, _)| id.clone()).collect()
    }

    /// Grants that owe a review, those first that owe it longest.
    pub(crate) fn reviews(&self) -> Vec<GrantId> {
        let mut owed: Vec<_> = self.reviews.iter().map(|(id, since)| (*since, id.clone())).collect();
        owed.sort();
        owed.into_iter().map(|(_, id)| id).collect()
    }

    /// What is due, and how many entries were looked at to find it.
    pub(crate) fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> (Vec<Due>, u64) {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(Work(after.clone())));
        let minute = now.as_second().div_euclid(60);
        let mut looked_at = 0;
        let due = self
            .due
            .range((from, Bound::Unbounded))
            .map(|work| &work.0)
            .inspect(|_| looked_at += 1)
            .take_while(|due| due.due_at.as_second().div_euclid(60) <= minute)
            .filter(|due| due.due_at <= now)
            .take(limit)
            .cloned()
            .collect();
        (due, looked_at)
    }

    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.due.len(), self.live.len())
    }
}
