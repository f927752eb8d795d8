//! Ports: what the use cases need from the outside, as traits. `shared/aws` implements them for AWS,
//! `shared/testkit` in memory.
//!
//! Every error says whether a retry can help, because that decides who tries again.

use std::future::Future;

use curfew_domain::access::Attachment;
use curfew_domain::effect::{AccessChange, Proof, Timer};
use curfew_domain::event::Event;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{DeliveryId, Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::request::{AccessRequest, TicketClosed};
use curfew_domain::transition::{BeginClosing, Illegal, Stored, Transition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything a use case acts through.
pub trait Ports: Send + Sync {
    /// The ledger.
    type Ledger: Ledger;
    /// IAM in the tenants' accounts.
    type Access: AccessPort;
    /// Expiry timers.
    type Timers: TimerPort;
    /// The time.
    type Clock: Clock;

    /// The ledger.
    fn ledger(&self) -> &Self::Ledger;
    /// IAM in the tenants' accounts.
    fn access(&self) -> &Self::Access;
    /// Expiry timers.
    fn timers(&self) -> &Self::Timers;
    /// The time.
    fn clock(&self) -> &Self::Clock;
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// A request that was denied, for the record. Only written for requests whose sender is proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedRequest {
    /// Where it came from.
    pub source: Source,
    /// Its ticket.
    pub ticket: TicketId,
    /// Who asked.
    pub requester: Email,
    /// For which tenant.
    pub tenant: TenantId,
    /// For which role.
    pub role: RoleName,
    /// The delivery that brought it first.
    pub delivery: DeliveryId,
    /// The digest of what was asked: the same request denied again is the same record.
    pub request_digest: String,
    /// The rule that denied it.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl DeniedRequest {
    /// The record of a denied request.
    #[must_use]
    pub fn of(request: &AccessRequest, code: &str, reason: &str, at: Timestamp) -> Self {
        Self {
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            requester: request.requester.clone(),
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            delivery: request.delivery.clone(),
            request_digest: request.digest(),
            code: code.to_owned(),
            reason: reason.to_owned(),
            at,
        }
    }
}

/// What came of writing a new grant down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenWrite {
    /// It is written, with its events.
    Written,
    /// A grant of that id is there already.
    Exists(Box<Stored>),
    /// The ticket was closed before; nothing is opened on it any more.
    TicketClosed,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimWrite {
    /// The grant is `Closing` now; the transition's events are not yet written as items.
    Begun(Box<Transition>),
    /// The claim does not apply to the grant as it is.
    Refused {
        /// The grant as it is.
        stored: Box<Stored>,
        /// Why not.
        illegal: Illegal,
    },
    /// There is no such grant.
    Absent,
}

/// A transition to be written: the grant as it shall be, and the events that are not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit<'a> {
    /// The grant afterwards. Written only if the ledger holds the version before it.
    pub grant: &'a Grant,
    /// Unwritten events, in order.
    pub events: &'a [Event],
    /// A shared attachment that must not have changed its holders since it was read.
    pub unchanged: Option<(&'a Attachment, u64)>,
}

/// What came of writing a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitWrite {
    /// It is written.
    Written,
    /// Somebody else changed the grant since it was read. Nothing was written.
    Outdated,
    /// The shared attachment's holders changed since they were read. Nothing was written.
    HoldersChanged,
}

/// Who holds a shared attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    /// Counts the changes of its holders.
    pub version: u64,
    /// The grants that justify it.
    pub grants: Vec<GrantId>,
}

/// A grant that the sweep should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub grant_id: GrantId,
    /// Since when, as the index says; the grant itself decides.
    pub due_at: Timestamp,
}

/// A grant with its whole story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The grant.
    pub stored: Stored,
    /// Its events, in order, the unwritten ones included.
    pub events: Vec<Event>,
}

/// The ledger: grants, their events, their tickets.
///
/// Reads by id and by ticket are consistent. Reads by person, by tenant and of what is due go through
/// indexes that lag: what they find must be decided on the grant itself.
pub trait Ledger: Send + Sync {
    /// Writes a new grant with its events and its ticket's link, and adds it to the holders of its
    /// shared attachment, all or nothing.
    fn open(
        &self,
        grant: &Grant,
        events: &[Event],
    ) -> impl Future<Output = Result<OpenWrite, LedgerError>> + Send;

    /// Begins closing in one conditional write.
    fn claim(
        &self,
        id: &GrantId,
        begin: &BeginClosing,
        now: Timestamp,
    ) -> impl Future<Output = Result<ClaimWrite, LedgerError>> + Send;

    /// Writes a transition with its events, all or nothing.
    fn commit(&self, commit: Commit<'_>) -> impl Future<Output = Result<CommitWrite, LedgerError>> + Send;

    /// Reads a grant.
    fn load(&self, id: &GrantId) -> impl Future<Output = Result<Option<Stored>, LedgerError>> + Send;

    /// Reads a grant with all its events.
    fn story(&self, id: &GrantId) -> impl Future<Output = Result<Option<Story>, LedgerError>> + Send;

    /// Takes a grant off the holders of a shared attachment, if it is on them, and says who is left.
    fn release(
        &self,
        attachment: &Attachment,
        id: &GrantId,
    ) -> impl Future<Output = Result<Holders, LedgerError>> + Send;

    /// Marks a ticket as closed for good. Idempotent.
    fn close_ticket(
        &self,
        closed: &TicketClosed,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Writes a denial down. The same request denied again by the same rule changes nothing.
    fn record_denial(&self, denied: &DeniedRequest) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// All grants of a ticket, ended ones included; of every source, if none is named.
    fn grants_of_ticket(
        &self,
        source: Option<&Source>,
        ticket: &TicketId,
    ) -> impl Future<Output = Result<Vec<(Source, GrantId)>, LedgerError>> + Send;

    /// A person's grants that have not ended.
    fn live_of_person(
        &self,
        person: &Email,
    ) -> impl Future<Output = Result<Vec<GrantId>, LedgerError>> + Send;

    /// A tenant's grants that have not ended.
    fn live_of_tenant(
        &self,
        tenant: &TenantId,
    ) -> impl Future<Output = Result<Vec<GrantId>, LedgerError>> + Send;

    /// At most `limit` grants that are due at `now`, longest due first.
    fn due(&self, now: Timestamp, limit: usize)
    -> impl Future<Output = Result<Vec<Due>, LedgerError>> + Send;
}

/// IAM in the tenants' accounts.
pub trait AccessPort: Send + Sync {
    /// Attaches. The same again is no change.
    fn attach(&self, change: &AccessChange) -> impl Future<Output = Result<Proof, EffectError>> + Send;

    /// Detaches. If it is not there (any more), that is proof too.
    fn detach(&self, change: &AccessChange) -> impl Future<Output = Result<Proof, EffectError>> + Send;
}

/// Expiry timers.
pub trait TimerPort: Send + Sync {
    /// Sets a timer. The same again is no change.
    fn set(
        &self,
        grant_id: &GrantId,
        timer: &Timer,
    ) -> impl Future<Output = Result<Proof, EffectError>> + Send;

    /// Removes a timer. If it is not there (any more), that is proof too.
    fn clear(&self, timer: &Timer) -> impl Future<Output = Result<Proof, EffectError>> + Send;
}

/// The ledger could not do its part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger could not {operation}: {message}")]
pub struct LedgerError {
    /// What was to be done, for example `open a grant`.
    pub operation: &'static str,
    /// What it said.
    pub message: String,
    /// Whether the same call may succeed later. Whether this one took effect is unknown.
    pub retryable: bool,
}

/// How an effect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Throttled, timed out, broken off, or AWS at fault. It may have taken effect, or still may.
    Retryable,
    /// AWS refused it for good as it is: it did not take effect, and the same again is refused again.
    Refused,
    /// Curfew itself is not permitted to do it: somebody has to change a policy.
    Forbidden,
}

/// An effect failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct EffectError {
    /// How.
    pub failure: Failure,
    /// AWS's name of the call, for example `PutUserPolicy`.
    pub operation: &'static str,
    /// AWS's error code, or what stands for it (`Timeout`).
    pub code: String,
    /// What AWS said.
    pub message: String,
}

impl EffectError {
    /// Whether AWS's own word says that the effect did not, and will not, take place.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self.failure {
            Failure::Refused | Failure::Forbidden => true,
            Failure::Retryable => false,
        }
    }
}
