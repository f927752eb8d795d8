//! The ledger in memory, with the semantics of the DynamoDB table: conditional writes that change all or
//! nothing, a claim kept as the grant before it plus the command, and indexes that may lag.

use std::collections::{BTreeMap, BTreeSet};

use curfew_app::ports::{
    ClaimWrite, Commit, CommitWrite, DeniedRequest, Due, Holders, LedgerError, OpenWrite, Story,
};
use curfew_domain::access::Attachment;
use curfew_domain::event::Event;
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Claim, Command, Guard, Stored, transition};
use jiff::Timestamp;

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

/// A grant's entry in the sparse indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    due_at: Option<Timestamp>,
    live: bool,
    person: Email,
    tenant: TenantId,
}

#[derive(Debug, Default)]
struct Ticket {
    closed: Option<(TicketClosed, Timestamp)>,
    grants: BTreeSet<GrantId>,
}

#[derive(Debug, Default, Clone)]
struct HoldersItem {
    version: u64,
    grants: BTreeSet<GrantId>,
}

/// The table.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    rows: BTreeMap<GrantId, Row>,
    tickets: BTreeMap<(Source, TicketId), Ticket>,
    attachments: BTreeMap<Attachment, HoldersItem>,
    denials: BTreeMap<(Source, TicketId, String, String), DeniedRequest>,
    /// What the indexes show while they lag.
    frozen: Option<BTreeMap<GrantId, Entry>>,
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
        ticket.grants.insert(grant.id().clone());
        if let Some(attachment) = grant.access().shared() {
            let holders = self.attachments.entry(attachment).or_default();
            holders.version += 1;
            holders.grants.insert(grant.id().clone());
        }
        let row = Row { grant: grant.clone(), claim: None, events: events.to_vec() };
        self.rows.insert(grant.id().clone(), row);
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
        if let Some((attachment, version)) = commit.unchanged
            && self.attachments.get(attachment).map_or(0, |holders| holders.version) != version
        {
            return Ok(CommitWrite::HoldersChanged);
        }
        row.grant = commit.grant.clone();
        row.claim = None;
        row.events.extend_from_slice(commit.events);
        Ok(CommitWrite::Written)
    }

    pub(crate) fn load(&self, id: &GrantId) -> Result<Option<Stored>, LedgerError> {
        self.rows.get(id).map(Row::stored).transpose()
    }

    pub(crate) fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        self.rows.get(id).map(Row::story).transpose()
    }

    pub(crate) fn release(&mut self, attachment: &Attachment, id: &GrantId) -> Holders {
        let holders = self.attachments.entry(attachment.clone()).or_default();
        if holders.grants.remove(id) {
            // Never counted back, not even when nobody is left: an old version must not fit again.
            holders.version += 1;
        }
        Holders { version: holders.version, grants: holders.grants.iter().cloned().collect() }
    }

    pub(crate) fn close_ticket(&mut self, closed: &TicketClosed, now: Timestamp) {
        let key = (closed.source.clone(), closed.ticket.clone());
        self.tickets.entry(key).or_default().closed.get_or_insert_with(|| (closed.clone(), now));
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

    fn entry(row: &Row) -> Option<(GrantId, Entry)> {
        // A row that can't be read has no place in an index, and `checks` tells of it.
        let grant = row.stored().ok()?.grant;
        let entry = Entry {
            due_at: grant.due_at(),
            live: !matches!(grant.state(), State::Closed { .. }),
            person: grant.request().requester.clone(),
            tenant: grant.request().tenant.clone(),
        };
        Some((grant.id().clone(), entry))
    }

    fn index(&self) -> BTreeMap<GrantId, Entry> {
        match &self.frozen {
            Some(frozen) => frozen.clone(),
            None => self.rows.values().filter_map(Self::entry).collect(),
        }
    }

    /// From now on the indexes show what they show now, whatever is written.
    pub fn freeze_indexes(&mut self) {
        self.frozen = Some(self.index());
    }

    /// The indexes catch up.
    pub fn thaw_indexes(&mut self) {
        self.frozen = None;
    }

    pub(crate) fn live(&self, is_wanted: impl Fn(&Email, &TenantId) -> bool) -> Vec<GrantId> {
        self.index()
            .into_iter()
            .filter(|(_, entry)| entry.live && is_wanted(&entry.person, &entry.tenant))
            .map(|(id, _)| id)
            .collect()
    }

    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let mut due: Vec<Due> = self
            .index()
            .into_iter()
            .filter_map(|(grant_id, entry)| Some(Due { grant_id, due_at: entry.due_at? }))
            .filter(|due| due.due_at <= now)
            .collect();
        due.sort_by_key(|due| due.due_at);
        due.truncate(limit);
        due
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
    }

    /// Who holds a shared attachment.
    #[must_use]
    pub fn holders(&self, attachment: &Attachment) -> BTreeSet<GrantId> {
        self.attachments.get(attachment).map_or_else(BTreeSet::new, |holders| holders.grants.clone())
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
        let entries = || self.rows.values().filter_map(Self::entry);
        let due = entries().filter(|(_, entry)| entry.due_at.is_some()).count();
        (due, entries().filter(|(_, entry)| entry.live).count())
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
