//! Ports: what the use cases need from the outside, as traits. `shared/aws` implements them for AWS,
//! `shared/testkit` in memory.
//!
//! Every error says whether a retry can help, because that decides who tries again.

use std::cmp::Ordering;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use curfew_domain::access::{Attachment, Route};
use curfew_domain::effect::{AccessChange, Proof, Timer};
use curfew_domain::event::{Event, OperatorName};
use curfew_domain::grant::Grant;
use curfew_domain::ids::{DeliveryId, Email, GrantId, GuardrailId, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::{AccessRequest, TicketClosed};
use curfew_domain::transition::{BeginClosing, Illegal, Stored, Transition};
use jiff::{SignedDuration, Timestamp};
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
    /// This invocation, as far as others must reckon with it.
    fn invocation(&self) -> &Invocation;
    /// What the catalog says to what the ledger says that a grant has. Asked before anything is given on the ledger's word
    /// alone: whoever can write there could otherwise have given what nobody may have.
    fn vouch(&self, grant: &Grant) -> Vouch;
}

/// What the catalog says to a grant of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouch {
    /// It gives just that.
    Given,
    /// It does not, or not any more: what it gives otherwise, in words.
    Otherwise(String),
    /// It can't be asked here: why.
    Unknown(String),
}

/// Asks the catalog; see [`Ports::vouch`].
#[derive(Clone)]
pub struct Vouching(Arc<dyn Fn(&Grant) -> Vouch + Send + Sync>);

impl Vouching {
    /// Asks by this.
    #[must_use]
    pub fn by(ask: impl Fn(&Grant) -> Vouch + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// For whoever has no catalog, and may give nothing.
    #[must_use]
    pub fn by_nobody() -> Self {
        Self::by(|_| Vouch::Unknown("whoever may only take access away has no catalog".to_owned()))
    }

    /// Asks.
    #[must_use]
    pub fn ask(&self, grant: &Grant) -> Vouch {
        (self.0)(grant)
    }
}

impl fmt::Debug for Vouching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vouching").finish_non_exhaustive()
    }
}

/// What others must know of an invocation that may die at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Its id, unlike any other's: a function's request id.
    pub id: String,
    /// Until when a request that it has sent may still land: its deadline, and some time for what is on its way.
    pub lease_until: Timestamp,
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
    /// Whose access it was to be: who asked, if no operator did.
    pub requester: Email,
    /// The operator who asked, if it was neither the source nor the requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorName>,
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
    /// The guardrails that denied it, if it was them.
    pub guardrails: Vec<GuardrailId>,
    /// The digest of the catalog that decided; empty, if there was no usable one.
    pub catalog_digest: String,
    /// The digest of the guardrails that decided; empty, if there were no usable ones.
    pub guardrails_digest: String,
    /// When.
    pub at: Timestamp,
}

impl DeniedRequest {
    /// The record of a denied request, without what decided it.
    #[must_use]
    pub fn of(request: &AccessRequest, code: &str, reason: &str, at: Timestamp) -> Self {
        Self {
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            requester: request.requester.clone(),
            operator: None,
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            delivery: request.delivery.clone(),
            request_digest: request.digest(),
            code: code.to_owned(),
            reason: reason.to_owned(),
            guardrails: Vec::new(),
            catalog_digest: String::new(),
            guardrails_digest: String::new(),
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
    /// The try before this one ([`Grant::earlier_try`]) has not failed, or counts as revoked by now.
    EarlierTryChanged,
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
    /// The shared attachment that the grant's removal made agree with its holders.
    pub shared: Option<SharedRemoval<'a>>,
}

/// The end of a removal of a shared attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedRemoval<'a> {
    /// The attachment.
    pub attachment: &'a Attachment,
    /// The version of its holders that AWS was made to agree with: the commit's condition.
    pub version: u64,
    /// Marks that go with it: the removal's own, and those whose time is long over.
    pub marks: &'a [Removing],
}

/// The mark of a removal that may have a request under way on a shared attachment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Removing {
    /// Until when its requests may land.
    pub until: Timestamp,
    /// The grant that is removed.
    pub grant_id: GrantId,
    /// The invocation that does it.
    pub by: String,
    /// Whether the grant is closed already, so that nobody comes after this removal to put its late requests
    /// right.
    pub after_close: bool,
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

/// What came of releasing a shared attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// The grant holds it no more, and its removal may begin.
    Left(Holders),
    /// The grant's removal has ended already: there is nothing to do for it, and nothing was changed.
    Ended,
}

/// Who holds a shared attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    /// Counts its openings and releases.
    pub version: u64,
    /// The grants that justify it.
    pub grants: Vec<GrantId>,
    /// The marks of all removals but the one that asks, those included whose time is over.
    pub removing: Vec<Removing>,
}

/// What the sweep should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueItem {
    /// A grant.
    Grant(GrantId),
    /// A closed ticket whose grants were not all begun to be ended.
    Ticket(Source, TicketId),
}

/// One piece of work for the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// On what.
    pub item: DueItem,
    /// Since when, as the index says; the item itself decides.
    pub due_at: Timestamp,
    /// Whether it comes first in its minute. Closed tickets do.
    pub privileged: bool,
}

impl Due {
    /// The order of work: by the minute; in it, what is privileged first; then the longest due. Total.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |due: &Self| (due.due_at.as_second().div_euclid(60), !due.privileged, due.due_at);
        key(self).cmp(&key(other)).then_with(|| self.item.cmp(&other.item))
    }
}

/// What one principal has in IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub principal: Principal,
    /// Their inline policies: name and document, as JSON text.
    pub inline: Vec<(String, String)>,
    /// ARNs of the managed policies attached to them.
    pub attached: Vec<String>,
}

/// One page of what an account's users and roles have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryPage {
    /// Users and roles that Curfew could give access to.
    pub held: Vec<Held>,
    /// Where the next page begins; none, if this is the last.
    pub next: Option<String>,
}

/// How far the drift lap over an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftLap {
    /// When the lap began.
    pub began_at: Timestamp,
    /// Where it goes on; none, if it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Something under Curfew's names that no grant of this ledger accounts for. It is told, and left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// On whom.
    pub principal: Principal,
    /// The inline policy's name, or the managed policy's ARN.
    pub policy: String,
    /// What about it, for operators.
    pub what: String,
    /// When it was seen.
    pub at: Timestamp,
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
/// Reads by id and by ticket are consistent. Reads by person, by tenant, of reviews and of what is due go through
/// indexes that lag: what they find must be decided on the grant itself.
pub trait Ledger: Send + Sync {
    /// Writes a new grant with its events and its ticket's link, and adds it to the holders of its
    /// shared attachment, all or nothing: if the ticket is not closed, and the try before it failed.
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

    /// Takes a grant off the holders of a shared attachment, leaves the mark of this removal there, and says
    /// who is left and who else is removing. The grant counts as leaving until a commit ends its removal; after
    /// that only a mark that says so (`after_close`) is taken.
    fn release(
        &self,
        attachment: &Attachment,
        id: &GrantId,
        mine: &Removing,
    ) -> impl Future<Output = Result<Released, LedgerError>> + Send;

    /// Takes marks of removals off a shared attachment: of them nothing is under way any more.
    fn unmark(
        &self,
        attachment: &Attachment,
        marks: &[Removing],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Marks a ticket as closed for good, and has it due for the sweep until [`Ledger::settle_ticket`].
    /// Idempotent: a ticket that was closed before stays as it is.
    fn close_ticket(
        &self,
        closed: &TicketClosed,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What closed a ticket; none, if it is not closed.
    fn closed_ticket(
        &self,
        source: &Source,
        ticket: &TicketId,
    ) -> impl Future<Output = Result<Option<TicketClosed>, LedgerError>> + Send;

    /// Has a closed ticket no longer due: the end of all its grants was begun.
    fn settle_ticket(
        &self,
        source: &Source,
        ticket: &TicketId,
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

    /// A principal's grants in a tenant that have not ended.
    fn live_of_principal(
        &self,
        tenant: &TenantId,
        principal: &Principal,
    ) -> impl Future<Output = Result<Vec<GrantId>, LedgerError>> + Send;

    /// Grants that somebody owes a review, those first that owe it longest.
    fn reviews_owed(&self) -> impl Future<Output = Result<Vec<GrantId>, LedgerError>> + Send;

    /// At most `limit` pieces of work that are due at `now`, in [`Due::order`], those after `after` only.
    fn due(
        &self,
        now: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Due>, LedgerError>> + Send;

    /// How far the drift lap over an account is; none, if there never was one.
    fn drift_lap(&self, account: &str) -> impl Future<Output = Result<Option<DriftLap>, LedgerError>> + Send;

    /// Keeps how far the drift lap over an account is. False, if somebody else moved it on since `before`.
    fn save_drift_lap(
        &self,
        account: &str,
        before: Option<&DriftLap>,
        lap: &DriftLap,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Writes down that something was seen which no grant accounts for. True, if it is to be told: it was
    /// seen before at least `margin` ago, and not told yet.
    fn record_stray(
        &self,
        stray: &Stray,
        margin: SignedDuration,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}

/// IAM in the tenants' accounts.
pub trait AccessPort: Send + Sync {
    /// Attaches. The same again is no change.
    fn attach(&self, change: &AccessChange) -> impl Future<Output = Result<Proof, EffectError>> + Send;

    /// Looks whether it is attached. Where it is not, that is a failure: somebody who may give has to attach it.
    fn look(&self, change: &AccessChange) -> impl Future<Output = Result<Proof, EffectError>> + Send;

    /// Detaches. If it is not there (any more), that is proof too.
    fn detach(&self, change: &AccessChange) -> impl Future<Output = Result<Proof, EffectError>> + Send;

    /// Reads one page of what the users and roles of an account have; the first, if `page` is none.
    fn inventory(
        &self,
        route: &Route,
        page: Option<&str>,
    ) -> impl Future<Output = Result<InventoryPage, EffectError>> + Send;
}

/// Expiry timers.
pub trait TimerPort: Send + Sync {
    /// Sets a timer, or moves the one of that name. The same again is no change.
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
    /// Timed out, broken off, or AWS at fault. It may have taken effect, or still may.
    Retryable,
    /// AWS is asked too often. That is not about this grant; an earlier try of the request may have taken effect.
    Throttled,
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
            Failure::Retryable | Failure::Throttled => false,
        }
    }
}
