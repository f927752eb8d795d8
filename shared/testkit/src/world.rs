//! The world: AWS's state, the time and the network, shared by every invocation of a test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use curfew_domain::event::Chain;
use curfew_domain::ids::GrantId;
use jiff::{SignedDuration, Timestamp};

use crate::checks::{self, Violation};
use crate::iam::MemoryIam;
use crate::ledger::MemoryLedger;
use crate::network::{CallId, CallName, CallRecord, Delivery, Fault, InvocationId, Network, Perform};
use crate::ports::MemoryPorts;
use crate::task::{Stalled, Task};
use crate::timers::MemoryTimers;

/// What AWS holds.
#[derive(Debug, Default)]
pub struct Aws {
    /// AWS's own time.
    pub now: Timestamp,
    /// The DynamoDB table.
    pub ledger: MemoryLedger,
    /// IAM, in every account.
    pub iam: MemoryIam,
    /// EventBridge.
    pub timers: MemoryTimers,
    requests: u64,
}

impl Aws {
    /// The id of the next request, as CloudTrail would know it.
    pub(crate) fn next_request_id(&mut self) -> String {
        self.requests += 1;
        format!("request-{}", self.requests)
    }
}

#[derive(Default)]
struct Inner {
    aws: Aws,
    network: Network,
    invocations: u32,
    violations: Vec<Violation>,
    /// How far each grant's chain of events was verified.
    verified: BTreeMap<GrantId, Chain>,
    /// Whether nothing is checked after a step: a check looks at every grant, which ten thousand can't afford.
    unchecked: bool,
}

/// An AWS in memory. Clones are the same world.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

impl World {
    /// An empty world at a time.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let world = Self::default();
        world.lock().aws.now = now;
        world
    }

    /// The same world without checks after each step. Whoever uses it checks for themselves, at least at the end.
    #[must_use]
    pub fn unchecked(self) -> Self {
        self.lock().unchecked = true;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that failed in the middle of a call has the failure to report, not the poisoning.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at AWS's state.
    pub fn look<R>(&self, look: impl FnOnce(&Aws) -> R) -> R {
        look(&self.lock().aws)
    }

    /// Changes AWS's state by hand: what somebody else than Curfew does.
    pub fn change<R>(&self, change: impl FnOnce(&mut Aws) -> R) -> R {
        change(&mut self.lock().aws)
    }

    /// AWS's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().aws.now
    }

    /// Moves the time on (or back).
    pub fn advance(&self, by: SignedDuration) {
        let mut inner = self.lock();
        inner.aws.now = curfew_domain::window::plus(inner.aws.now, by);
    }

    /// Sets the time.
    pub fn set_time(&self, now: Timestamp) {
        self.lock().aws.now = now;
    }

    /// A new invocation's ports into this world.
    #[must_use]
    pub fn invocation(&self) -> MemoryPorts {
        let id = {
            let mut inner = self.lock();
            inner.invocations += 1;
            InvocationId(inner.invocations)
        };
        MemoryPorts::new(self.clone(), id)
    }

    pub(crate) fn send(
        &self,
        invocation: InvocationId,
        name: CallName,
        grant: Option<GrantId>,
        perform: Perform,
    ) {
        let mut inner = self.lock();
        let now = inner.aws.now;
        inner.network.send(invocation, name, grant, now, perform);
    }

    /// The calls in flight, oldest first; those of dropped invocations included.
    #[must_use]
    pub fn in_flight(&self) -> Vec<CallRecord> {
        let inner = self.lock();
        inner.network.in_flight.keys().filter_map(|id| inner.network.record(*id).cloned()).collect()
    }

    /// The calls that were sent after the first `seen`, oldest first, whatever became of them.
    #[must_use]
    pub fn sent_after(&self, seen: usize) -> Vec<CallRecord> {
        self.lock().network.log.get(seen..).unwrap_or_default().to_vec()
    }

    /// Delivers a call in flight. Nothing happens if it is in flight no more.
    pub fn deliver(&self, id: CallId, delivery: Delivery) {
        let mut inner = self.lock();
        let Inner { aws, network, violations, verified, unchecked, .. } = &mut *inner;
        let Some(perform) = network.in_flight.remove(&id) else {
            return;
        };
        if let Some(late) = perform(aws, delivery) {
            network.late.insert(id, late);
        }
        network.delivered(id, aws.now, delivery);
        if *unchecked {
            return;
        }
        violations.extend(checks::after_step(aws));
        if let Some(grant) = network.record(id).and_then(|record| record.grant.as_ref()) {
            violations.extend(checks::evidence_so_far(aws, grant, verified));
        }
    }

    /// Drops a call in flight: it never lands, and its sender, if there is one, sees a retryable error.
    pub fn lose(&self, id: CallId) {
        self.deliver(id, Delivery::LostRequest);
    }

    /// Calls whose sender was told that they failed, and which are still under way.
    #[must_use]
    pub fn late(&self) -> Vec<CallRecord> {
        let inner = self.lock();
        inner.network.late.keys().filter_map(|id| inner.network.record(*id).cloned()).collect()
    }

    /// Lets a late call take effect.
    pub fn land(&self, id: CallId) {
        let mut inner = self.lock();
        let Inner { aws, network, violations, .. } = &mut *inner;
        if let Some(effect) = network.late.remove(&id) {
            effect(aws);
            violations.extend(checks::after_step(aws));
        }
    }

    /// Plans a fault. The first one that matches a call decides on it.
    pub fn plan(&self, fault: Fault) {
        self.lock().network.plan.push(fault);
    }

    /// Forgets every planned fault. Calls that are held back stay in flight.
    pub fn heal(&self) {
        self.lock().network.plan.clear();
    }

    /// Runs a task to its end, delivering its and everybody's calls, oldest first, as planned.
    ///
    /// # Errors
    /// [`Stalled`], if only calls that are held back are left; the task can go on later.
    pub fn run<T>(&self, task: &mut Task<'_, T>) -> Result<T, Stalled> {
        loop {
            if let Some(output) = task.poll() {
                return Ok(output);
            }
            if !self.step() {
                return Err(Stalled);
            }
        }
    }

    /// Runs a future to its end, as [`World::run`].
    ///
    /// # Errors
    /// As [`World::run`]; the future is dropped then.
    pub fn finish<'a, T>(&self, future: impl Future<Output = T> + 'a) -> Result<T, Stalled> {
        self.run(&mut Task::new(future))
    }

    /// Delivers the oldest call that is not held back. False, if there is none.
    pub fn step(&self) -> bool {
        let next = {
            let mut inner = self.lock();
            loop {
                let network = &mut inner.network;
                let Some(id) = network.in_flight.keys().find(|id| !network.held.contains(id)).copied() else {
                    break None;
                };
                if let Some(delivery) = network.planned(id) {
                    break Some((id, delivery));
                }
            }
        };
        if let Some((id, delivery)) = next {
            self.deliver(id, delivery);
        }
        next.is_some()
    }

    /// The calls that an invocation made, in the order of sending.
    #[must_use]
    pub fn calls(&self, ports: &MemoryPorts) -> Vec<CallName> {
        let inner = self.lock();
        let own = inner.network.log.iter().filter(|call| call.invocation == ports.id());
        own.map(|call| call.name).collect()
    }

    /// How many serial round trips an invocation made: calls that overlap count once.
    #[must_use]
    pub fn rounds(&self, ports: &MemoryPorts) -> usize {
        self.lock().network.rounds(ports.id())
    }

    /// Every broken promise so far; empty is good.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    /// Every call so far, one a line.
    #[must_use]
    pub fn history(&self) -> String {
        let lines: Vec<String> = self.lock().network.log.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}
