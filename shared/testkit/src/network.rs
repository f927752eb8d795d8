//! The network between invocations and AWS: calls that were sent and not delivered yet, what was planned
//! to happen to them, and the record of all of them.
//!
//! Knows nothing of what a call does; that is a closure.

use std::collections::BTreeMap;
use std::fmt;

use curfew_domain::ids::GrantId;
use jiff::Timestamp;

use crate::world::Aws;

/// One call of one invocation, numbered in the order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

/// One invocation of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(pub(crate) u32);

/// Which call of a port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallName {
    /// [`curfew_app::ports::Ledger::open`].
    Open,
    /// [`curfew_app::ports::Ledger::claim`].
    Claim,
    /// [`curfew_app::ports::Ledger::commit`].
    Commit,
    /// [`curfew_app::ports::Ledger::load`].
    Load,
    /// [`curfew_app::ports::Ledger::story`] and [`curfew_app::console::LiveView::story`].
    Story,
    /// [`curfew_app::ports::Ledger::release`].
    Release,
    /// [`curfew_app::ports::Ledger::unmark`].
    Unmark,
    /// [`curfew_app::ports::Ledger::close_ticket`].
    CloseTicket,
    /// [`curfew_app::ports::Ledger::closed_ticket`].
    ClosedTicket,
    /// [`curfew_app::ports::Ledger::settle_ticket`].
    SettleTicket,
    /// [`curfew_app::ports::Ledger::record_denial`].
    RecordDenial,
    /// [`curfew_app::ports::Ledger::grants_of_ticket`].
    GrantsOfTicket,
    /// [`curfew_app::ports::Ledger::live_of_person`].
    LiveOfPerson,
    /// [`curfew_app::ports::Ledger::live_of_tenant`].
    LiveOfTenant,
    /// [`curfew_app::ports::Ledger::live_of_principal`].
    LiveOfPrincipal,
    /// [`curfew_app::ports::Ledger::reviews_owed`] and [`curfew_app::console::LiveView::reviews`].
    ReviewsOwed,
    /// [`curfew_app::ports::Ledger::due`].
    Due,
    /// [`curfew_app::ports::Ledger::drift_lap`].
    DriftLap,
    /// [`curfew_app::ports::Ledger::save_drift_lap`].
    SaveDriftLap,
    /// [`curfew_app::ports::Ledger::record_stray`].
    RecordStray,
    /// [`curfew_app::console::LiveView::live`].
    Live,
    /// [`curfew_app::ports::AccessPort::attach`].
    Attach,
    /// [`curfew_app::ports::AccessPort::look`].
    Look,
    /// [`curfew_app::ports::AccessPort::detach`].
    Detach,
    /// [`curfew_app::ports::AccessPort::inventory`].
    Inventory,
    /// [`curfew_app::ports::TimerPort::set`].
    SetTimer,
    /// [`curfew_app::ports::TimerPort::clear`].
    ClearTimer,
}

impl CallName {
    /// Whether it makes no difference in which order two calls of different invocations take effect:
    /// they are on different services, or both only read.
    #[must_use]
    pub fn commutes_with(self, other: Self) -> bool {
        self.service() != other.service() || (self.only_reads() && other.only_reads())
    }

    fn service(self) -> &'static str {
        match self {
            Self::Open
            | Self::Claim
            | Self::Commit
            | Self::Load
            | Self::Story
            | Self::Release
            | Self::Unmark
            | Self::CloseTicket
            | Self::ClosedTicket
            | Self::SettleTicket
            | Self::RecordDenial
            | Self::GrantsOfTicket
            | Self::LiveOfPerson
            | Self::LiveOfTenant
            | Self::LiveOfPrincipal
            | Self::ReviewsOwed
            | Self::Live
            | Self::Due
            | Self::DriftLap
            | Self::SaveDriftLap
            | Self::RecordStray => "ledger",
            Self::Attach | Self::Look | Self::Detach | Self::Inventory => "access",
            Self::SetTimer | Self::ClearTimer => "timers",
        }
    }

    fn only_reads(self) -> bool {
        matches!(
            self,
            Self::Load
                | Self::Story
                | Self::GrantsOfTicket
                | Self::LiveOfPerson
                | Self::LiveOfTenant
                | Self::LiveOfPrincipal
                | Self::ClosedTicket
                | Self::ReviewsOwed
                | Self::Live
                | Self::Due
                | Self::DriftLap
                | Self::Look
                | Self::Inventory
        )
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It takes effect and is answered.
    Done,
    /// It never arrives: no effect, and the sender sees a retryable error.
    LostRequest,
    /// It takes effect, but the answer never arrives: the sender sees a retryable error.
    LostAnswer,
    /// The sender sees a retryable error now, while the request is still under way:
    /// it lands when [`crate::World::land`] says so.
    Late,
    /// AWS is asked too often: no effect.
    Throttled,
    /// AWS refuses it for good: no effect.
    Refused,
    /// Curfew is not permitted to do it: no effect.
    Forbidden,
    /// The first try goes unanswered, the second takes effect and is answered, and the first lands when
    /// [`crate::World::land`] says so.
    Twice,
}

impl Delivery {
    /// Every kind, for tests that try them all.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::LostRequest,
        Self::LostAnswer,
        Self::Late,
        Self::Throttled,
        Self::Refused,
        Self::Forbidden,
    ];
}

/// A planned fault: what becomes of the calls that it matches, when [`crate::World::run`] delivers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    name: CallName,
    grant: Option<GrantId>,
    /// Matching calls still to be let through before it takes hold.
    skip: u32,
    /// How many calls it takes hold of; all further ones, if none.
    left: Option<u32>,
    /// What becomes of them; held back, if none.
    pub(crate) delivery: Option<Delivery>,
}

impl Fault {
    /// The next call of that name is delivered so.
    #[must_use]
    pub fn once(name: CallName, delivery: Delivery) -> Self {
        Self { name, grant: None, skip: 0, left: Some(1), delivery: Some(delivery) }
    }

    /// Every call of that name is delivered so: an outage.
    #[must_use]
    pub fn always(name: CallName, delivery: Delivery) -> Self {
        Self { left: None, ..Self::once(name, delivery) }
    }

    /// The next call of that name is held back: it stays in flight until the test delivers it.
    #[must_use]
    pub fn hold(name: CallName) -> Self {
        Self { delivery: None, ..Self::once(name, Delivery::Done) }
    }

    /// Only after `calls` matching calls were let through.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { skip: calls, ..self }
    }

    /// Only for calls about that grant.
    #[must_use]
    pub fn of(self, grant: &GrantId) -> Self {
        Self { grant: Some(grant.clone()), ..self }
    }
}

/// The record of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Which.
    pub id: CallId,
    /// Whose.
    pub invocation: InvocationId,
    /// Which port's which call.
    pub name: CallName,
    /// Which grant it is about, if about one.
    pub grant: Option<GrantId>,
    /// The world's time when it was delivered; when it was sent, before.
    pub at: Timestamp,
    /// What became of it; none while it is in flight.
    pub delivery: Option<Delivery>,
    /// Place of its sending among all sendings and deliveries.
    pub(crate) sent: u64,
    /// Place of its delivery.
    pub(crate) answered: Option<u64>,
}

impl fmt::Display for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} invocation {} call {}: {:?}", self.at, self.invocation.0, self.id.0, self.name)?;
        if let Some(grant) = &self.grant {
            write!(f, " {grant}")?;
        }
        match self.delivery {
            Some(delivery) => write!(f, " -> {delivery:?}"),
            None => f.write_str(" (in flight)"),
        }
    }
}

/// What a request will still do although nobody waits for it.
pub(crate) type LateEffect = Box<dyn FnOnce(&mut Aws) + Send>;

/// Performs a call as said, answers its sender, and returns what may land later.
pub(crate) type Perform = Box<dyn FnOnce(&mut Aws, Delivery) -> Option<LateEffect> + Send>;

#[derive(Default)]
pub(crate) struct Network {
    pub(crate) in_flight: BTreeMap<CallId, Perform>,
    pub(crate) late: BTreeMap<CallId, LateEffect>,
    pub(crate) log: Vec<CallRecord>,
    pub(crate) plan: Vec<Fault>,
    /// Calls that a fault holds back.
    pub(crate) held: Vec<CallId>,
    tick: u64,
}

impl Network {
    pub(crate) fn send(
        &mut self,
        invocation: InvocationId,
        name: CallName,
        grant: Option<GrantId>,
        at: Timestamp,
        perform: Perform,
    ) {
        let id = CallId(u64::try_from(self.log.len()).unwrap_or(u64::MAX));
        let sent = self.next_tick();
        self.log.push(CallRecord { id, invocation, name, grant, at, delivery: None, sent, answered: None });
        self.in_flight.insert(id, perform);
    }

    pub(crate) fn record(&self, id: CallId) -> Option<&CallRecord> {
        self.log.get(usize::try_from(id.0).ok()?)
    }

    pub(crate) fn delivered(&mut self, id: CallId, at: Timestamp, delivery: Delivery) {
        let tick = self.next_tick();
        let record = usize::try_from(id.0).ok().and_then(|n| self.log.get_mut(n));
        if let Some(record) = record {
            record.delivery = Some(delivery);
            record.answered = Some(tick);
            record.at = at;
        }
    }

    /// What the plan says of a call; `None` is: hold it back.
    pub(crate) fn planned(&mut self, id: CallId) -> Option<Delivery> {
        let Some(record) = self.record(id).cloned() else {
            return Some(Delivery::Done);
        };
        for fault in &mut self.plan {
            let matches = fault.name == record.name
                && fault.grant.as_ref().is_none_or(|grant| record.grant.as_ref() == Some(grant));
            if !matches || fault.left == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(left) = &mut fault.left {
                *left -= 1;
            }
            if fault.delivery.is_none() {
                self.held.push(id);
            }
            return fault.delivery;
        }
        Some(Delivery::Done)
    }

    /// The most calls of an invocation of which each was sent only after the one before was answered:
    /// its serial round trips.
    pub(crate) fn rounds(&self, invocation: InvocationId) -> usize {
        let mut calls: Vec<(u64, u64)> = self
            .log
            .iter()
            .filter(|call| call.invocation == invocation)
            .map(|call| (call.answered.unwrap_or(u64::MAX), call.sent))
            .collect();
        calls.sort_unstable();
        let (mut rounds, mut free_at) = (0, 0);
        for (answered, sent) in calls {
            if rounds == 0 || sent > free_at {
                rounds += 1;
                free_at = answered;
            }
        }
        rounds
    }

    fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }
}
