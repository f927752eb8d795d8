//! The ports of one invocation into a [`World`]: every call is sent to the world's network and waits
//! there until it is delivered.

use std::fmt;

use curfew_app::ports::{
    AccessPort, ClaimWrite, Clock, Commit, CommitWrite, DeniedRequest, Due, EffectError, Failure, Holders,
    Ledger, LedgerError, OpenWrite, Ports, Story, TimerPort,
};
use curfew_domain::access::Attachment;
use curfew_domain::effect::{AccessChange, Found, Proof, Timer};
use curfew_domain::event::Event;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Stored};
use futures_channel::oneshot;
use jiff::{SignedDuration, Timestamp};

use crate::network::{CallName, Delivery, InvocationId, LateEffect};
use crate::world::{Aws, World};

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
}

impl fmt::Debug for MemoryPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPorts").field("id", &self.id).finish_non_exhaustive()
    }
}

impl MemoryPorts {
    pub(crate) fn new(world: World, id: InvocationId) -> Self {
        let clock = VirtualClock { world: world.clone(), skew: SignedDuration::ZERO };
        Self { world, id, clock }
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
        effect: impl FnOnce(&mut Aws) -> Result<R, E> + Send + 'static,
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
            retryable: failure == Failure::Retryable,
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
        let unchanged = commit.unchanged.map(|(attachment, version)| (attachment.clone(), version));
        self.call(CallName::Commit, Some(commit.grant.id()), move |aws| {
            let unchanged = unchanged.as_ref().map(|(attachment, version)| (attachment, *version));
            aws.ledger.commit(&Commit { grant: &grant, events: &events, unchanged })
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

    async fn release(&self, attachment: &Attachment, id: &GrantId) -> Result<Holders, LedgerError> {
        let (attachment, of) = (attachment.clone(), id.clone());
        self.call(CallName::Release, Some(id), move |aws| Ok(aws.ledger.release(&attachment, &of))).await
    }

    async fn close_ticket(&self, closed: &TicketClosed, now: Timestamp) -> Result<(), LedgerError> {
        let closed = closed.clone();
        self.call(CallName::CloseTicket, None, move |aws| {
            aws.ledger.close_ticket(&closed, now);
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
        self.call(CallName::LiveOfPerson, None, move |aws| Ok(aws.ledger.live(|of, _| *of == person))).await
    }

    async fn live_of_tenant(&self, tenant: &TenantId) -> Result<Vec<GrantId>, LedgerError> {
        let tenant = tenant.clone();
        self.call(CallName::LiveOfTenant, None, move |aws| Ok(aws.ledger.live(|_, of| *of == tenant))).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, LedgerError> {
        self.call(CallName::Due, None, move |aws| Ok(aws.ledger.due(now, limit))).await
    }
}

fn proof(aws: &mut Aws, found: Found) -> Proof {
    Proof { found, at: aws.now, aws_request_id: Some(aws.next_request_id()) }
}

impl AccessPort for MemoryPorts {
    async fn attach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let wanted = change.clone();
        self.call(CallName::Attach, Some(&change.grant_id), move |aws| {
            let found = aws.iam.attach(&wanted)?;
            Ok(proof(aws, found))
        })
        .await
    }

    async fn detach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let unwanted = change.clone();
        self.call(CallName::Detach, Some(&change.grant_id), move |aws| {
            let found = aws.iam.detach(&unwanted);
            Ok(proof(aws, found))
        })
        .await
    }
}

impl TimerPort for MemoryPorts {
    async fn set(&self, grant_id: &GrantId, timer: &Timer) -> Result<Proof, EffectError> {
        let (of, timer) = (grant_id.clone(), timer.clone());
        self.call(CallName::SetTimer, Some(grant_id), move |aws| {
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
