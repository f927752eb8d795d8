//! The ports of one invocation into a [`World`]: every call is sent to the world's network and waits
//! there until it is delivered.

use std::fmt;
use std::sync::Arc;

use curfew_app::console::{LiveGrant, LiveView, Page, ReviewOwed};
use curfew_app::ports::{
    AccessPort, ClaimWrite, Clock, Commit, CommitWrite, DeniedRequest, DriftLap, Due, EffectError, Failure,
    InventoryPage, Invocation, Ledger, LedgerError, OpenWrite, Ports, Released, Removing, SharedRemoval,
    Story, Stray, TimerPort, Vouch, Vouching,
};
use curfew_domain::access::{Attachment, Route};
use curfew_domain::catalog::Catalog;
use curfew_domain::decision::given_by;
use curfew_domain::effect::{AccessChange, Found, Proof, Timer};
use curfew_domain::event::Event;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Stored};
use futures_channel::oneshot;
use jiff::{SignedDuration, Timestamp};

use crate::fixtures::OWN_ACCOUNT;
use crate::network::{CallName, Delivery, InvocationId, LateEffect};
use crate::world::{Aws, World};

/// How many principals a page of IAM's inventory has: few, so that laps go over several.
const INVENTORY_PAGE: usize = 2;

/// How many entries a page of what the console shows has.
const LIVE_PAGE: usize = 1_000;

/// The clock of one invocation: the world's, or somewhat off.
#[derive(Clone)]
pub struct VirtualClock {
    world: World,
    skew: SignedDuration,
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        curfew_domain::window::plus(self.world.now(), self.skew)
    }
}

/// One invocation's ports.
#[derive(Clone)]
pub struct MemoryPorts {
    world: World,
    id: InvocationId,
    clock: VirtualClock,
    invocation: Invocation,
    may_give: bool,
    vouching: Vouching,
}

impl fmt::Debug for MemoryPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPorts").field("id", &self.id).finish_non_exhaustive()
    }
}

impl MemoryPorts {
    pub(crate) fn new(world: World, id: InvocationId) -> Self {
        let clock = VirtualClock { world: world.clone(), skew: SignedDuration::ZERO };
        let lease_until = curfew_domain::window::plus(world.now(), crate::fixtures::LEASE);
        let invocation = Invocation { id: format!("invocation-{}", id.0), lease_until };
        Self { world, id, clock, invocation, may_give: true, vouching: Vouching::by(|_| Vouch::Given) }
    }

    /// The same invocation with the permissions of the revoke function: it may take access away and give none.
    #[must_use]
    pub fn removing(self) -> Self {
        Self { may_give: false, vouching: Vouching::by_nobody(), ..self }
    }

    /// The same invocation with a catalog of its own: what the ledger says is compared with it before it is given. Others
    /// believe the ledger.
    #[must_use]
    pub fn vouched_by(self, catalog: Arc<Catalog>) -> Self {
        let vouching = Vouching::by(move |grant| match given_by(&catalog, OWN_ACCOUNT, grant) {
            Ok(()) => Vouch::Given,
            Err(why) => Vouch::Otherwise(why),
        });
        self.asking(vouching)
    }

    /// The same invocation with somebody else to ask.
    #[must_use]
    pub fn asking(self, vouching: Vouching) -> Self {
        Self { vouching, ..self }
    }

    /// The same invocation with a lease of its own.
    #[must_use]
    pub fn leased(self, lease_until: Timestamp) -> Self {
        Self { invocation: Invocation { lease_until, ..self.invocation }, ..self }
    }

    /// The same invocation with a clock that is ahead of AWS's (or behind, if negative).
    #[must_use]
    pub fn skewed(self, by: SignedDuration) -> Self {
        Self { clock: VirtualClock { skew: by, ..self.clock.clone() }, ..self }
    }

    /// Which invocation it is.
    #[must_use]
    pub fn id(&self) -> InvocationId {
        self.id
    }

    async fn call<R, E>(
        &self,
        name: CallName,
        grant: Option<&GrantId>,
        effect: impl Fn(&mut Aws) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: Injected + Send + 'static,
    {
        self.call_tried(name, grant, |answer| answer, effect).await
    }

    /// A call whose answer says so if it is that of a second try.
    async fn call_tried<R, E>(
        &self,
        name: CallName,
        grant: Option<&GrantId>,
        second: fn(R) -> R,
        effect: impl Fn(&mut Aws) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: Injected + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let perform = Box::new(move |aws: &mut Aws, delivery: Delivery| {
            let mut late = None;
            let result = match delivery {
                Delivery::Done => effect(aws),
                Delivery::LostAnswer => {
                    // The effect's own answer is what gets lost.
                    let _ = effect(aws);
                    Err(E::injected(name, Failure::Retryable))
                }
                Delivery::LostRequest => Err(E::injected(name, Failure::Retryable)),
                Delivery::Late => {
                    late = Some(Box::new(move |aws: &mut Aws| {
                        let _ = effect(aws);
                    }) as LateEffect);
                    Err(E::injected(name, Failure::Retryable))
                }
                Delivery::Throttled => Err(E::injected(name, Failure::Throttled)),
                Delivery::Twice => {
                    let result = effect(aws).map(second);
                    late = Some(Box::new(move |aws: &mut Aws| {
                        let _ = effect(aws);
                    }) as LateEffect);
                    result
                }
                Delivery::Refused => Err(E::injected(name, Failure::Refused)),
                Delivery::Forbidden => Err(E::injected(name, Failure::Forbidden)),
            };
            // Nobody is there to be answered, if the invocation crashed.
            let _ = answer.send(result);
            late
        });
        self.world.send(self.id, name, grant.cloned(), perform);
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(E::injected(name, Failure::Retryable)))
    }
}

/// Errors that can be injected.
trait Injected {
    fn injected(call: CallName, failure: Failure) -> Self;
}

impl Injected for LedgerError {
    fn injected(call: CallName, failure: Failure) -> Self {
        Self {
            operation: "answer",
            message: format!("injected fault of {call:?}"),
            retryable: matches!(failure, Failure::Retryable | Failure::Throttled),
        }
    }
}

impl Injected for EffectError {
    fn injected(call: CallName, failure: Failure) -> Self {
        let operation = match call {
            CallName::Attach => "PutUserPolicy",
            CallName::Detach => "DeleteUserPolicy",
            CallName::SetTimer => "CreateSchedule",
            CallName::ClearTimer => "DeleteSchedule",
            _ => "call",
        };
        let code = match failure {
            Failure::Retryable => "Timeout",
            Failure::Throttled => "Throttling",
            Failure::Refused => "LimitExceeded",
            Failure::Forbidden => "AccessDenied",
        };
        Self { failure, operation, code: code.to_owned(), message: "injected fault".to_owned() }
    }
}

impl Ports for MemoryPorts {
    type Ledger = Self;
    type Access = Self;
    type Timers = Self;
    type Clock = VirtualClock;

    fn ledger(&self) -> &Self {
        self
    }

    fn access(&self) -> &Self {
        self
    }

    fn timers(&self) -> &Self {
        self
    }

    fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    fn vouch(&self, grant: &Grant) -> Vouch {
        self.vouching.ask(grant)
    }
}

impl Ledger for MemoryPorts {
    async fn open(&self, grant: &Grant, events: &[Event]) -> Result<OpenWrite, LedgerError> {
        let (new, events) = (grant.clone(), events.to_vec());
        self.call(CallName::Open, Some(grant.id()), move |aws| aws.ledger.open(&new, &events)).await
    }

    async fn claim(
        &self,
        id: &GrantId,
        begin: &BeginClosing,
        now: Timestamp,
    ) -> Result<ClaimWrite, LedgerError> {
        let (of, begin) = (id.clone(), begin.clone());
        self.call(CallName::Claim, Some(id), move |aws| aws.ledger.claim(&of, &begin, now)).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<CommitWrite, LedgerError> {
        let (grant, events) = (commit.grant.clone(), commit.events.to_vec());
        let shared =
            commit.shared.map(|shared| (shared.attachment.clone(), shared.version, shared.marks.to_vec()));
        self.call(CallName::Commit, Some(commit.grant.id()), move |aws| {
            let shared = shared.as_ref().map(|(attachment, version, marks)| SharedRemoval {
                attachment,
                version: *version,
                marks,
            });
            aws.ledger.commit(&Commit { grant: &grant, events: &events, shared })
        })
        .await
    }

    async fn load(&self, id: &GrantId) -> Result<Option<Stored>, LedgerError> {
        let of = id.clone();
        self.call(CallName::Load, Some(id), move |aws| aws.ledger.load(&of)).await
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        let of = id.clone();
        self.call(CallName::Story, Some(id), move |aws| aws.ledger.story(&of)).await
    }

    async fn release(
        &self,
        attachment: &Attachment,
        id: &GrantId,
        mine: &Removing,
    ) -> Result<Released, LedgerError> {
        let (attachment, of, mine) = (attachment.clone(), id.clone(), mine.clone());
        self.call(CallName::Release, Some(id), move |aws| Ok(aws.ledger.release(&attachment, &of, &mine)))
            .await
    }

    async fn unmark(&self, attachment: &Attachment, marks: &[Removing]) -> Result<(), LedgerError> {
        let (attachment, marks) = (attachment.clone(), marks.to_vec());
        self.call(CallName::Unmark, None, move |aws| {
            aws.ledger.unmark(&attachment, &marks);
            Ok(())
        })
        .await
    }

    async fn close_ticket(&self, closed: &TicketClosed, now: Timestamp) -> Result<(), LedgerError> {
        let closed = closed.clone();
        self.call(CallName::CloseTicket, None, move |aws| {
            aws.ledger.close_ticket(&closed, now);
            Ok(())
        })
        .await
    }

    async fn closed_ticket(
        &self,
        source: &Source,
        ticket: &TicketId,
    ) -> Result<Option<TicketClosed>, LedgerError> {
        let (source, ticket) = (source.clone(), ticket.clone());
        self.call(CallName::ClosedTicket, None, move |aws| Ok(aws.ledger.closed_ticket(&source, &ticket)))
            .await
    }

    async fn settle_ticket(&self, source: &Source, ticket: &TicketId) -> Result<(), LedgerError> {
        let (source, ticket) = (source.clone(), ticket.clone());
        self.call(CallName::SettleTicket, None, move |aws| {
            aws.ledger.settle_ticket(&source, &ticket);
            Ok(())
        })
        .await
    }

    async fn record_denial(&self, denied: &DeniedRequest) -> Result<(), LedgerError> {
        let denied = denied.clone();
        self.call(CallName::RecordDenial, None, move |aws| {
            aws.ledger.record_denial(&denied);
            Ok(())
        })
        .await
    }

    async fn grants_of_ticket(
        &self,
        source: Option<&Source>,
        ticket: &TicketId,
    ) -> Result<Vec<(Source, GrantId)>, LedgerError> {
        let (source, ticket) = (source.cloned(), ticket.clone());
        self.call(CallName::GrantsOfTicket, None, move |aws| {
            Ok(aws.ledger.grants_of_ticket(source.as_ref(), &ticket))
        })
        .await
    }

    async fn live_of_person(&self, person: &Email) -> Result<Vec<GrantId>, LedgerError> {
        let person = person.clone();
        self.call(CallName::LiveOfPerson, None, move |aws| Ok(aws.ledger.live_of_person(&person))).await
    }

    async fn live_of_tenant(&self, tenant: &TenantId) -> Result<Vec<GrantId>, LedgerError> {
        let tenant = tenant.clone();
        self.call(CallName::LiveOfTenant, None, move |aws| Ok(aws.ledger.live_of_tenant(&tenant))).await
    }

    async fn live_of_principal(
        &self,
        tenant: &TenantId,
        principal: &Principal,
    ) -> Result<Vec<GrantId>, LedgerError> {
        let (tenant, principal) = (tenant.clone(), principal.clone());
        self.call(CallName::LiveOfPrincipal, None, move |aws| {
            Ok(aws.ledger.live_of_principal(&tenant, &principal))
        })
        .await
    }

    async fn reviews_owed(&self) -> Result<Vec<GrantId>, LedgerError> {
        self.call(CallName::ReviewsOwed, None, |aws| Ok(aws.ledger.reviews_owed())).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, LedgerError> {
        let after = after.cloned();
        self.call(CallName::Due, None, move |aws| Ok(aws.ledger.due(now, after.as_ref(), limit))).await
    }

    async fn drift_lap(&self, account: &str) -> Result<Option<DriftLap>, LedgerError> {
        let account = account.to_owned();
        self.call(CallName::DriftLap, None, move |aws| Ok(aws.ledger.drift_lap(&account))).await
    }

    async fn save_drift_lap(
        &self,
        account: &str,
        before: Option<&DriftLap>,
        lap: &DriftLap,
    ) -> Result<bool, LedgerError> {
        let (account, before, lap) = (account.to_owned(), before.cloned(), lap.clone());
        self.call(CallName::SaveDriftLap, None, move |aws| {
            Ok(aws.ledger.save_drift_lap(&account, before.as_ref(), &lap))
        })
        .await
    }

    async fn record_stray(&self, stray: &Stray, margin: SignedDuration) -> Result<bool, LedgerError> {
        let stray = stray.clone();
        self.call(CallName::RecordStray, None, move |aws| Ok(aws.ledger.record_stray(&stray, margin))).await
    }
}

impl LiveView for MemoryPorts {
    async fn live(&self, tenant: Option<&TenantId>) -> Result<Page<LiveGrant>, LedgerError> {
        let tenant = tenant.cloned();
        self.call(CallName::Live, None, move |aws| {
            aws.ledger.live(tenant.as_ref()).map(|entries| page(entries, LIVE_PAGE))
        })
        .await
    }

    async fn reviews(&self) -> Result<Page<ReviewOwed>, LedgerError> {
        self.call(CallName::ReviewsOwed, None, |aws| {
            aws.ledger.reviews().map(|entries| page(entries, LIVE_PAGE))
        })
        .await
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        Ledger::story(self, id).await
    }
}

fn page<T>(mut entries: Vec<T>, size: usize) -> Page<T> {
    let truncated = entries.len() > size;
    entries.truncate(size);
    Page { entries, unreadable: Vec::new(), truncated }
}

fn proof(aws: &mut Aws, found: Found) -> Proof {
    Proof { found, at: aws.now, aws_request_id: Some(aws.next_request_id()), unsettled: false }
}

/// The answer to a second try, whose first may still land.
fn unsettled(proof: Proof) -> Proof {
    Proof { unsettled: true, ..proof }
}

/// What whoever may only take access away is told.
fn may_only_remove(operation: &'static str) -> EffectError {
    let (code, message) = ("AccessDenied".to_owned(), "it may only take access away".to_owned());
    EffectError { failure: Failure::Forbidden, operation, code, message }
}

impl AccessPort for MemoryPorts {
    async fn attach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let (wanted, may_give) = (change.clone(), self.may_give);
        self.call_tried(CallName::Attach, Some(&change.grant_id), unsettled, move |aws| {
            if !may_give {
                return Err(may_only_remove("attach"));
            }
            let found = aws.iam.attach(&wanted)?;
            Ok(proof(aws, found))
        })
        .await
    }

    async fn look(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let wanted = change.clone();
        self.call(CallName::Look, Some(&change.grant_id), move |aws| {
            if aws.iam.has(&wanted) { Ok(proof(aws, Found::Applied)) } else { Err(may_only_remove("look")) }
        })
        .await
    }

    async fn detach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let unwanted = change.clone();
        self.call_tried(CallName::Detach, Some(&change.grant_id), unsettled, move |aws| {
            let found = aws.iam.detach(&unwanted);
            Ok(proof(aws, found))
        })
        .await
    }

    async fn inventory(&self, route: &Route, page: Option<&str>) -> Result<InventoryPage, EffectError> {
        let account = route.account.clone();
        let from = page.and_then(|page| page.parse::<usize>().ok()).unwrap_or_default();
        self.call(CallName::Inventory, None, move |aws| {
            let all = aws.iam.inventory(&account);
            let next = (from + INVENTORY_PAGE < all.len()).then(|| (from + INVENTORY_PAGE).to_string());
            Ok(InventoryPage { held: all.into_iter().skip(from).take(INVENTORY_PAGE).collect(), next })
        })
        .await
    }
}

impl TimerPort for MemoryPorts {
    async fn set(&self, grant_id: &GrantId, timer: &Timer) -> Result<Proof, EffectError> {
        let (of, timer) = (grant_id.clone(), timer.clone());
        self.call_tried(CallName::SetTimer, Some(grant_id), unsettled, move |aws| {
            let found = aws.timers.set(&of, &timer, aws.now)?;
            Ok(proof(aws, found))
        })
        .await
    }

    async fn clear(&self, timer: &Timer) -> Result<Proof, EffectError> {
        let timer = timer.clone();
        self.call(CallName::ClearTimer, None, move |aws| {
            let found = aws.timers.clear(&timer);
            Ok(proof(aws, found))
        })
        .await
    }
}
