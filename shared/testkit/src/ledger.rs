//! The ledger in memory, with the semantics of the DynamoDB table: conditional writes that change all or
//! nothing, a claim kept as the grant before it plus the command, and indexes that may lag.

use std::collections::{BTreeMap, BTreeSet};

use curfew_app::console::{LiveGrant, ReviewOwed};
use curfew_app::ports::{
    ClaimWrite, Commit, CommitWrite, DeniedRequest, DriftLap, Due, Holders, LedgerError, OpenWrite, Released,
    Removing, Story, Stray,
};
use curfew_domain::access::Attachment;
use curfew_domain::event::Event;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Claim, Command, Guard, Stored, TICKET_DUE_AFTER, transition};
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use crate::index::Index;

/// A grant's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The grant as of its last full write.
    pub grant: Grant,
    /// A claim on it that no full write followed yet.
    pub claim: Option<Claim>,
    /// Its event items, in order.
    pub events: Vec<Event>,
}

impl Row {
    /// The grant as every reader sees it: with the claim applied.
    ///
    /// # Errors
    /// [`LedgerError`], if the claim does not apply: the condition of its write was wrong.
    pub fn stored(&self) -> Result<Stored, LedgerError> {
        match &self.claim {
            None => Ok(Stored::settled(self.grant.clone())),
            Some(claim) => Stored::claimed(&self.grant, claim.clone()).map_err(|illegal| LedgerError {
                operation: "read a grant",
                message: format!("grant {} has a claim that does not apply: {illegal}", self.grant.id()),
                retryable: false,
            }),
        }
    }

    /// All its events, those of an unresolved claim included.
    ///
    /// # Errors
    /// As [`Row::stored`].
    pub fn story(&self) -> Result<Story, LedgerError> {
        let stored = self.stored()?;
        let events = self.events.iter().chain(&stored.unwritten).cloned().collect();
        Ok(Story { stored, events })
    }
}

#[derive(Debug, Default)]
struct Ticket {
    closed: Option<TicketClosed>,
    grants: BTreeSet<GrantId>,
}

#[derive(Debug, Default, Clone)]
struct HoldersItem {
    version: u64,
    grants: BTreeSet<GrantId>,
    /// Released, and not closed yet.
    leaving: BTreeSet<GrantId>,
    removing: BTreeSet<Removing>,
}

/// The table.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    rows: BTreeMap<GrantId, Row>,
    tickets: BTreeMap<(Source, TicketId), Ticket>,
    attachments: BTreeMap<Attachment, HoldersItem>,
    denials: BTreeMap<(Source, TicketId, String, String), DeniedRequest>,
    drift_laps: BTreeMap<String, DriftLap>,
    /// As first seen, and whether it was told.
    strays: BTreeMap<(Principal, String), (Stray, bool)>,
    index: Index,
    /// What the indexes show while they lag.
    frozen: Option<Index>,
    /// How many entries of the index of what is due were looked at.
    looked_at: u64,
}

impl MemoryLedger {
    pub(crate) fn open(&mut self, grant: &Grant, events: &[Event]) -> Result<OpenWrite, LedgerError> {
        if let Some(row) = self.rows.get(grant.id()) {
            return Ok(OpenWrite::Exists(Box::new(row.stored()?)));
        }
        let request = grant.request();
        let ticket = self.tickets.entry((request.source.clone(), request.ticket.clone())).or_default();
        if ticket.closed.is_some() {
            return Ok(OpenWrite::TicketClosed);
        }
        if let Some(earlier) = grant.earlier_try() {
            let state = self.rows.get(&earlier).map(|row| row.stored()).transpose()?;
            let failed = state.is_some_and(|stored| {
                matches!(stored.grant.state(), State::Closed { outcome: Outcome::Failed, .. })
            });
            if !failed {
                return Ok(OpenWrite::EarlierTryChanged);
            }
        }
        let ticket = self.tickets.entry((request.source.clone(), request.ticket.clone())).or_default();
        ticket.grants.insert(grant.id().clone());
        if let Some(attachment) = grant.access().shared() {
            let holders = self.attachments.entry(attachment).or_default();
            holders.version += 1;
            holders.grants.insert(grant.id().clone());
        }
        let row = Row { grant: grant.clone(), claim: None, events: events.to_vec() };
        self.rows.insert(grant.id().clone(), row);
        self.reindex(grant.id());
        Ok(OpenWrite::Written)
    }

    pub(crate) fn claim(
        &mut self,
        id: &GrantId,
        begin: &BeginClosing,
        now: Timestamp,
    ) -> Result<ClaimWrite, LedgerError> {
        let Some(row) = self.rows.get_mut(id) else {
            return Ok(ClaimWrite::Absent);
        };
        let stored = row.stored()?;
        let begun = transition(&stored.grant, Command::BeginClosing(begin.clone()), now);
        // The condition as DynamoDB evaluates it, over attributes; the domain has to agree with it.
        let written = row.claim.is_none() && holds(Guard::of(begin.cause, now), &row.grant);
        match begun {
            Ok(begun) if written => {
                row.claim = Some(Claim { begin: begin.clone(), at: now });
                self.reindex(id);
                Ok(ClaimWrite::Begun(Box::new(begun)))
            }
            Err(illegal) if !written => Ok(ClaimWrite::Refused { stored: Box::new(stored), illegal }),
            Ok(_) | Err(_) => Err(LedgerError {
                operation: "claim a grant",
                message: format!("the write's condition and the transition of grant {id} disagree"),
                retryable: false,
            }),
        }
    }

    pub(crate) fn commit(&mut self, commit: &Commit<'_>) -> Result<CommitWrite, LedgerError> {
        let Some(row) = self.rows.get_mut(commit.grant.id()) else {
            return Ok(CommitWrite::Outdated);
        };
        if row.stored()?.grant.version() + 1 != commit.grant.version() {
            return Ok(CommitWrite::Outdated);
        }
        if let Some(shared) = commit.shared {
            let holders = self.attachments.entry(shared.attachment.clone()).or_default();
            if holders.version != shared.version {
                return Ok(CommitWrite::HoldersChanged);
            }
            holders.removing.retain(|mark| !shared.marks.contains(mark));
            holders.leaving.remove(commit.grant.id());
        }
        row.grant = commit.grant.clone();
        row.claim = None;
        row.events.extend_from_slice(commit.events);
        self.reindex(commit.grant.id());
        Ok(CommitWrite::Written)
    }

    pub(crate) fn load(&self, id: &GrantId) -> Result<Option<Stored>, LedgerError> {
        self.rows.get(id).map(Row::stored).transpose()
    }

    pub(crate) fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        self.rows.get(id).map(Row::story).transpose()
    }

    /// Keeps the indexes as the table is.
    fn reindex(&mut self, id: &GrantId) {
        // A row that can't be read has no place in an index, and `checks` tells of it.
        let grant = self.rows.get(id).and_then(|row| Some(row.stored().ok()?.grant));
        self.index.put(id, grant.as_ref());
    }

    pub(crate) fn release(&mut self, attachment: &Attachment, id: &GrantId, mine: &Removing) -> Released {
        let holders = self.attachments.entry(attachment.clone()).or_default();
        if !mine.after_close {
            if holders.grants.remove(id) {
                holders.leaving.insert(id.clone());
            } else if !holders.leaving.contains(id) {
                return Released::Ended;
            }
        }
        // Never counted back, not even when nobody is left: an old version must not fit again.
        holders.version += 1;
        let removing = holders.removing.iter().filter(|other| *other != mine).cloned().collect();
        holders.removing.insert(mine.clone());
        let grants = holders.grants.iter().cloned().collect();
        Released::Left(Holders { version: holders.version, grants, removing })
    }

    pub(crate) fn unmark(&mut self, attachment: &Attachment, marks: &[Removing]) {
        if let Some(holders) = self.attachments.get_mut(attachment) {
            holders.removing.retain(|mark| !marks.contains(mark));
        }
    }

    pub(crate) fn close_ticket(&mut self, closed: &TicketClosed, now: Timestamp) {
        let (source, id) = (closed.source.clone(), closed.ticket.clone());
        let ticket = self.tickets.entry((source.clone(), id.clone())).or_default();
        if ticket.closed.is_none() {
            ticket.closed = Some(closed.clone());
            self.index.put_ticket(source, id, plus(now, TICKET_DUE_AFTER));
        }
    }

    pub(crate) fn closed_ticket(&self, source: &Source, id: &TicketId) -> Option<TicketClosed> {
        self.tickets.get(&(source.clone(), id.clone())).and_then(|ticket| ticket.closed.clone())
    }

    pub(crate) fn settle_ticket(&mut self, source: &Source, id: &TicketId) {
        self.index.drop_ticket(source, id);
    }

    pub(crate) fn drift_lap(&self, account: &str) -> Option<DriftLap> {
        self.drift_laps.get(account).cloned()
    }

    pub(crate) fn save_drift_lap(
        &mut self,
        account: &str,
        before: Option<&DriftLap>,
        lap: &DriftLap,
    ) -> bool {
        if self.drift_laps.get(account) != before {
            return false;
        }
        self.drift_laps.insert(account.to_owned(), lap.clone());
        true
    }

    pub(crate) fn record_stray(&mut self, stray: &Stray, margin: SignedDuration) -> bool {
        let key = (stray.principal.clone(), stray.policy.clone());
        let (first, told) = self.strays.entry(key).or_insert_with(|| (stray.clone(), false));
        let tell = !*told && plus(first.at, margin) <= stray.at;
        *told |= tell;
        tell
    }

    /// Every stray that was told.
    pub fn strays(&self) -> impl Iterator<Item = &Stray> {
        self.strays.values().filter(|(_, told)| *told).map(|(stray, _)| stray)
    }

    pub(crate) fn record_denial(&mut self, denied: &DeniedRequest) {
        let DeniedRequest { source, ticket, request_digest, code, .. } = denied.clone();
        let key = (source, ticket, request_digest, code);
        self.denials.entry(key).or_insert_with(|| denied.clone());
    }

    pub(crate) fn grants_of_ticket(&self, source: Option<&Source>, id: &TicketId) -> Vec<(Source, GrantId)> {
        self.tickets
            .iter()
            .filter(|((of, ticket), _)| ticket == id && source.is_none_or(|source| source == of))
            .flat_map(|((of, _), ticket)| ticket.grants.iter().map(|grant| (of.clone(), grant.clone())))
            .collect()
    }

    fn shown(&self) -> &Index {
        self.frozen.as_ref().unwrap_or(&self.index)
    }

    /// From now on the indexes show what they show now, whatever is written.
    pub fn freeze_indexes(&mut self) {
        self.frozen.get_or_insert_with(|| self.index.clone());
    }

    /// The indexes catch up.
    pub fn thaw_indexes(&mut self) {
        self.frozen = None;
    }

    pub(crate) fn live_of_person(&self, person: &Email) -> Vec<GrantId> {
        self.shown().live(|entry| entry.person == *person)
    }

    pub(crate) fn live_of_tenant(&self, tenant: &TenantId) -> Vec<GrantId> {
        self.shown().live(|entry| entry.tenant == *tenant)
    }

    pub(crate) fn live_of_principal(&self, tenant: &TenantId, principal: &Principal) -> Vec<GrantId> {
        self.shown().live(|entry| entry.tenant == *tenant && entry.principal == *principal)
    }

    pub(crate) fn reviews_owed(&self) -> Vec<GrantId> {
        self.shown().reviews()
    }

    /// What the index of live grants finds, as the items are now.
    pub(crate) fn live(&self, tenant: Option<&TenantId>) -> Result<Vec<LiveGrant>, LedgerError> {
        let ids = self.shown().live(|entry| tenant.is_none_or(|tenant| entry.tenant == *tenant));
        self.told(ids, LiveGrant::of)
    }

    /// What the index of reviews finds, as the items are now.
    pub(crate) fn reviews(&self) -> Result<Vec<ReviewOwed>, LedgerError> {
        self.told(self.shown().reviews(), ReviewOwed::of)
    }

    fn told<T>(&self, ids: Vec<GrantId>, tell: fn(&Grant) -> Option<T>) -> Result<Vec<T>, LedgerError> {
        let rows = ids.iter().filter_map(|id| self.rows.get(id));
        let told: Result<Vec<_>, _> =
            rows.map(|row| row.stored().map(|stored| tell(&stored.grant))).collect();
        Ok(told?.into_iter().flatten().collect())
    }

    pub(crate) fn due(&mut self, now: Timestamp, after: Option<&Due>, limit: usize) -> Vec<Due> {
        let (due, looked_at) = self.shown().due(now, after, limit);
        self.looked_at += looked_at;
        due
    }

    /// How many entries of the index of what is due were ever looked at to find it.
    #[must_use]
    pub fn entries_looked_at(&self) -> u64 {
        self.looked_at
    }

    /// Puts entries of other grants into the indexes, which stand there as `like` does: a crowd that has
    /// no items, for what reads no more than indexes.
    pub fn crowd(&mut self, ids: impl IntoIterator<Item = GrantId>, like: &Grant) {
        for id in ids {
            self.index.put(&id, Some(like));
        }
    }

    /// Every grant's items.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// One grant's items.
    #[must_use]
    pub fn row(&self, id: &GrantId) -> Option<&Row> {
        self.rows.get(id)
    }

    /// Changes one grant's items behind the ledger's back: what somebody with access to the table does.
    pub fn tamper(&mut self, id: &GrantId, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(id) {
            change(row);
        }
        self.reindex(id);
    }

    /// Who holds a shared attachment.
    #[must_use]
    pub fn holders(&self, attachment: &Attachment) -> BTreeSet<GrantId> {
        self.attachments.get(attachment).map_or_else(BTreeSet::new, |holders| holders.grants.clone())
    }

    /// The marks of removals under way on a shared attachment.
    #[must_use]
    pub fn removing(&self, attachment: &Attachment) -> BTreeSet<Removing> {
        self.attachments.get(attachment).map_or_else(BTreeSet::new, |holders| holders.removing.clone())
    }

    /// Every shared attachment that was ever held.
    pub fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        self.attachments.keys()
    }

    /// Every denial.
    pub fn denials(&self) -> impl Iterator<Item = &DeniedRequest> {
        self.denials.values()
    }

    /// How many entries the sparse indexes have when they are up to date: due, live.
    #[must_use]
    pub fn index_sizes(&self) -> (usize, usize) {
        self.index.sizes()
    }
}

/// A claim's condition over a grant's attributes.
fn holds(guard: Guard, grant: &Grant) -> bool {
    let from = match grant.state() {
        State::Opening { lease_until } => guard.abandoned_at.is_none_or(|now| *lease_until <= now),
        State::Active { .. } => guard.from_active,
        State::Closing { .. } | State::Closed { .. } => false,
    };
    from && guard.expired_at.is_none_or(|now| grant.window().expires_at() <= now)
}
