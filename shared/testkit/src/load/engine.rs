//! The engine: virtual time, in milliseconds since the end of the windows. What happens next is in one queue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

use curfew_app::close::Ended;
use curfew_app::open::{Opened, open};
use curfew_app::ports::{Due, DueItem, Ledger as _};
use curfew_app::revoke::{Revoked, expire, revoke};
use curfew_app::sweep::{Lap, Report, Swept, sweep};
use curfew_domain::event::{Actor, Fact, OperatorName};
use curfew_domain::grant::{Cause, Grant, State};
use curfew_domain::ids::GrantId;
use curfew_domain::request::WindowEnd;
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use futures_util::future::ready;
use futures_util::stream::{self, StreamExt as _};
use jiff::SignedDuration;

use super::iam_rate::{Bucket, Dice, Process, TRIES};
use super::scene::{END, Load, LoadError, Member, Scene, settings};
use super::tell::{Minute, Run};
use crate::checks;
use crate::fixtures;
use crate::guardrails::permissive;
use crate::network::{CallId, CallName, Delivery, InvocationId};
use crate::policy;
use crate::ports::MemoryPorts;
use crate::task::Task;
use crate::world::World;

/// How long IAM takes for one try.
const IAM_MILLIS: u64 = 80;

/// How long every other call takes.
const CALL_MILLIS: u64 = 10;

/// When in its minute the sweep is called.
const SWEPT_AT: u64 = 7_000;

const MINUTE: u64 = 60_000;

/// What the template gives each function, and what the runtime keeps back, in milliseconds.
const SWEEP_TIMEOUT: u64 = 55_000;
const REVOKE_TIMEOUT: u64 = 60_000;
const GRANT_TIMEOUT: u64 = 25_000;
const WIND_DOWN: u64 = 15_000;
const LEASE_GRACE: u64 = 30_000;

/// In how long a sender tries again that was told to (`retry-after`).
const SENDER_RETRY: u64 = 30_000;

/// In how many minutes everything has to be over, or it never will.
const MINUTES_MAX: u64 = 240;

/// How often in the backlog somebody asks for a new grant, and has it ended early once it is there.
const ASKED: u64 = 10;

/// The time between them.
const ASKED_EVERY: u64 = 25_000;

/// How many closed grants the sweep's handler reads side by side, to count their lag.
const TOLD_CONCURRENT: usize = 16;

/// For how long AWS refuses to have the poison grant removed.
const POISON_UNTIL: u64 = 4 * MINUTE;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// A call takes effect and is answered.
    Answer(CallId),
    /// IAM sees the n-th try of a write.
    Write(CallId, u32),
    /// A timer's invocation is queued, for the n-th time.
    Timer(GrantId, u32),
    Lap,
    EndOfMinute,
    /// Lambda ends an invocation.
    Kill(u32),
    /// Somebody asks for the n-th grant.
    Ask(u64),
    /// An operator ends it.
    Order(GrantId),
}

/// What a timer's invocation came to.
struct Timed {
    id: GrantId,
    /// How often it was tried by now.
    tried: u32,
    closed: bool,
    /// Whether the function answered with an error.
    failed: bool,
    throttled: bool,
}

/// What an invocation came to.
enum Came {
    Expired(Timed),
    Swept(Option<Report>),
    Opened(u64, Option<Box<Grant>>),
    Ordered,
}

struct Running {
    task: Task<'static, Came>,
    process: usize,
    /// The minute of its lap, if it is one.
    lap: Option<usize>,
}

struct Engine {
    load: Load,
    scene: Scene,
    now: u64,
    turn: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Next)>>,
    running: HashMap<u32, Running>,
    /// Who sent a call.
    calls: HashMap<CallId, (u32, CallName, Option<GrantId>)>,
    seen: usize,
    buckets: BTreeMap<String, Bucket>,
    /// The sweep, the grant function, an operator's; then the revoke function's.
    processes: Vec<Process>,
    free: Vec<usize>,
    waiting: VecDeque<(GrantId, u32)>,
    dice: Dice,
    poison: Option<GrantId>,
    asked_for: BTreeSet<GrantId>,
    run: Run,
}

const SWEEP: usize = 0;
const GRANT: usize = 1;
const OPERATOR: usize = 2;
const REVOKE: usize = 3;

/// Runs a load to its end.
///
/// # Errors
/// [`LoadError`], if it could not be set up.
pub fn run(load: Load) -> Result<Run, LoadError> {
    let mut engine = Engine::new(load)?;
    engine.go();
    Ok(engine.finish())
}

impl Engine {
    fn new(load: Load) -> Result<Self, LoadError> {
        let scene = load.scene()?;
        let buckets = (0..load.accounts)
            .map(|n| (Load::account(n), Bucket::new(load.writes_a_second, load.burst)))
            .collect();
        // Any will do, but always the same, and a privileged one: it is first in every lap.
        let poison = scene.members.iter().find(|(_, member)| member.privileged).map(|(id, _)| id.clone());
        let seen = scene.world.sent_after(0).len();
        let mut engine = Self {
            load,
            scene,
            now: 0,
            turn: 0,
            queue: BinaryHeap::new(),
            running: HashMap::new(),
            calls: HashMap::new(),
            seen,
            buckets,
            processes: vec![Process::new(); REVOKE + load.revoke_concurrency],
            free: (REVOKE..REVOKE + load.revoke_concurrency).collect(),
            waiting: VecDeque::new(),
            dice: Dice::new(load.seed),
            poison,
            asked_for: BTreeSet::new(),
            run: Run { minutes: vec![Minute::default()], ..Run::default() },
        };
        engine.judge_the_windows();
        engine.set_time();
        let fired = engine.scene.world.change(|aws| aws.timers.fire(aws.now));
        for id in fired {
            engine.after(0, Next::Timer(id, 1));
        }
        engine.after(SWEPT_AT, Next::Lap);
        engine.after(MINUTE, Next::EndOfMinute);
        for n in 0..ASKED {
            engine.after((n + 1) * ASKED_EVERY, Next::Ask(n));
        }
        Ok(engine)
    }

    fn world(&self) -> &World {
        &self.scene.world
    }

    fn set_time(&self) {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        self.world().set_time(plus(END, SignedDuration::from_millis(now)));
    }

    fn after(&mut self, millis: u64, next: Next) {
        self.turn += 1;
        self.queue.push(Reverse((self.now + millis, self.turn, next)));
    }

    fn minute(&mut self) -> Option<&mut Minute> {
        self.run.minutes.last_mut()
    }

    /// Reads each document at the last second of its grant's window, and at the window's end.
    fn judge_the_windows(&mut self) {
        let members = &self.scene.members;
        let (before, at_end) = self.scene.world.look(|aws| {
            let documents: HashMap<_, _> =
                aws.iam.documents().map(|(who, name, text)| ((who, name), text)).collect();
            let allowed = |early: i64| {
                let in_effect = members.values().filter(|member| {
                    let at = plus(member.ends_at, -SignedDuration::from_secs(early));
                    let document = documents.get(&(&member.principal, member.policy.as_str()));
                    document.is_some_and(|document| policy::in_effect(document, at))
                });
                in_effect.count()
            };
            (allowed(1), allowed(0))
        });
        self.run.allowed_before = before;
        self.run.allowed_at_end = at_end;
    }

    fn go(&mut self) {
        while let Some(Reverse((at, _, next))) = self.queue.pop() {
            self.now = at;
            self.set_time();
            match next {
                Next::Answer(call) => self.answer(call, Delivery::Done),
                Next::Write(call, tried) => self.write(call, tried),
                Next::Timer(id, tried) => {
                    self.waiting.push_back((id, tried));
                    self.take_waiting();
                }
                Next::Lap => self.lap(),
                Next::EndOfMinute => {
                    if self.end_minute() {
                        return;
                    }
                }
                Next::Kill(invocation) => self.kill(invocation),
                Next::Ask(n) => self.ask(n),
                Next::Order(id) => self.order(id),
            }
        }
    }

    /// Begins an invocation.
    fn begin(&mut self, ports: &MemoryPorts, process: usize, timeout: u64, task: Task<'static, Came>) {
        let InvocationId(invocation) = ports.id();
        let lap = (process == SWEEP).then(|| self.run.minutes.len().saturating_sub(1));
        self.running.insert(invocation, Running { task, process, lap });
        self.after(timeout, Next::Kill(invocation));
        self.poll(invocation);
    }

    fn ports(&self, timeout: u64) -> MemoryPorts {
        let lease = i64::try_from(timeout + LEASE_GRACE).unwrap_or(i64::MAX);
        let until = plus(self.world().now(), SignedDuration::from_millis(lease));
        self.world().invocation().leased(until)
    }

    /// Lets an invocation go on, and puts what it sends on its way.
    fn poll(&mut self, invocation: u32) {
        let Some(running) = self.running.get_mut(&invocation) else {
            return;
        };
        let (process, lap) = (running.process, running.lap);
        let came = running.task.poll();
        let sent = self.scene.world.sent_after(self.seen);
        self.seen += sent.len();
        for call in sent {
            let minute = lap.and_then(|lap| self.run.minutes.get_mut(lap));
            if let Some(minute) = minute {
                *minute.lap_calls.entry(call.name).or_default() += 1;
            }
            self.calls.insert(call.id, (invocation, call.name, call.grant));
            match call.name {
                CallName::Attach | CallName::Detach => self.after(IAM_MILLIS, Next::Write(call.id, 1)),
                _ => self.after(CALL_MILLIS, Next::Answer(call.id)),
            }
        }
        if let Some(came) = came {
            self.running.remove(&invocation);
            if process >= REVOKE {
                self.free.push(process);
            }
            self.came(came, lap);
            self.take_waiting();
        }
    }

    fn answer(&mut self, call: CallId, delivery: Delivery) {
        self.world().deliver(call, delivery);
        if let Some((invocation, ..)) = self.calls.remove(&call) {
            self.poll(invocation);
        }
    }

    /// A try of a write reaches IAM.
    fn write(&mut self, call: CallId, tried: u32) {
        let Some((invocation, name, grant)) = self.calls.get(&call).cloned() else {
            return;
        };
        let account =
            grant.as_ref().and_then(|id| self.scene.members.get(id)).map(|member| member.account.clone());
        let account = account.unwrap_or_else(|| Load::account(0));
        let now = self.now;
        let taken = self.buckets.get_mut(&account).is_some_and(|bucket| bucket.takes(now));
        let process = self.running.get(&invocation).map(|running| running.process);
        if taken {
            if let Some(minute) = self.minute() {
                *minute.writes.entry(account).or_default() += 1;
            }
            if let Some(process) = process.and_then(|process| self.processes.get_mut(process)) {
                process.answered(tried);
            }
            let is_poison = self.poison == grant && name == CallName::Detach && now < POISON_UNTIL;
            return self.answer(call, if is_poison { Delivery::Refused } else { Delivery::Done });
        }
        if let Some(minute) = self.minute() {
            minute.throttled += 1;
        }
        // Whoever was killed tries no more.
        let process = process.and_then(|process| self.processes.get_mut(process));
        if tried < TRIES && process.is_some_and(Process::pays) {
            let pause = self.dice.pause(tried);
            self.after(pause + IAM_MILLIS, Next::Write(call, tried + 1));
        } else {
            self.answer(call, Delivery::Throttled);
        }
    }

    /// Timers' invocations, as many as may run at once, in the order in which they were queued.
    fn take_waiting(&mut self) {
        while let Some(process) = self.free.pop() {
            let Some((id, tried)) = self.waiting.pop_front() else {
                return self.free.push(process);
            };
            self.run.timer_invocations += 1;
            let ports = self.ports(REVOKE_TIMEOUT).removing();
            let own = ports.clone();
            let task = Task::new(async move {
                let revoked = expire(&own, &id).await;
                let throttled = matches!(revoked, Ok(Revoked::Ended(Ended::Throttled { .. })));
                let failed =
                    throttled || matches!(revoked, Err(_) | Ok(Revoked::Ended(Ended::Unproven { .. })));
                let closed = matches!(revoked, Ok(Revoked::Ended(Ended::Closed(_))));
                Came::Expired(Timed { id, tried, closed, failed, throttled })
            });
            self.begin(&ports, process, REVOKE_TIMEOUT, task);
        }
    }

    fn lap(&mut self) {
        self.after(MINUTE, Next::Lap);
        let ports = self.ports(SWEEP_TIMEOUT);
        let own = ports.clone();
        let work = i64::try_from(SWEEP_TIMEOUT - WIND_DOWN).unwrap_or_default();
        let stop_at = plus(self.world().now(), SignedDuration::from_millis(work));
        let lap = Lap { limit: self.load.lap_limit, stop_at };
        let task = Task::new(async move {
            let report = sweep(&own, lap).await.ok();
            // As the function does: the lag of what it closed, for its metric.
            let reader = &own;
            let items = report.iter().flat_map(|report| &report.items);
            stream::iter(items)
                .filter_map(|(due, swept)| ready(matches!(swept, Swept::Closed(_)).then_some(&due.item)))
                .for_each_concurrent(TOLD_CONCURRENT, |item| async move {
                    if let DueItem::Grant(id) = item {
                        drop(reader.story(id).await);
                    }
                })
                .await;
            Came::Swept(report)
        });
        self.begin(&ports, SWEEP, SWEEP_TIMEOUT, task);
    }

    fn kill(&mut self, invocation: u32) {
        let Some(running) = self.running.remove(&invocation) else {
            return;
        };
        if running.process >= REVOKE {
            self.free.push(running.process);
        }
        if let Some(minute) = running.lap.and_then(|lap| self.run.minutes.get_mut(lap)) {
            minute.lap_killed = true;
        }
        self.take_waiting();
    }

    fn ask(&mut self, n: u64) {
        let who = format!("p{}", self.load.someone_else());
        let mut request = fixtures::request_of(&who, "t0", "ops", &format!("CHG-meanwhile-{n}"));
        request.window.end = Some(WindowEnd::At(plus(END, SignedDuration::from_hours(2))));
        let catalog = self.scene.catalog.clone();
        let ports = self.ports(GRANT_TIMEOUT);
        let own = ports.clone();
        let task = Task::new(async move {
            match open(&own, permissive(&catalog), request, settings()).await {
                Ok(Opened::Activated(grant) | Opened::Duplicate(grant)) => Came::Opened(n, Some(grant)),
                Ok(_) | Err(_) => Came::Opened(n, None),
            }
        });
        self.begin(&ports, GRANT, GRANT_TIMEOUT, task);
    }

    fn order(&mut self, id: GrantId) {
        let ports = self.ports(REVOKE_TIMEOUT).removing();
        let own = ports.clone();
        let task = Task::new(async move {
            if let Ok(operator) = OperatorName::new("ops@example.com") {
                let begin = BeginClosing {
                    cause: Cause::Revoked,
                    actor: Actor::Operator(operator),
                    reason: "not needed any more".to_owned(),
                    settled: false,
                };
                let _ = revoke(&own, &id, begin).await;
            }
            Came::Ordered
        });
        self.begin(&ports, OPERATOR, REVOKE_TIMEOUT, task);
    }

    fn came(&mut self, came: Came, lap: Option<usize>) {
        match came {
            Came::Expired(Timed { id, tried, closed, failed, throttled }) => {
                self.run.timers_throttled += usize::from(throttled);
                // A throttled invocation has answered well: the sweep goes on.
                if !failed || throttled {
                    if let Some(minute) = self.minute() {
                        minute.closed_by.0 += usize::from(closed);
                    }
                } else if tried < TRIES {
                    self.after(MINUTE * u64::from(tried), Next::Timer(id, tried + 1));
                } else {
                    self.run.dead_letters += 1;
                }
            }
            Came::Swept(report) => {
                let items = report.map(|report| report.items).unwrap_or_default();
                let closed = items.iter().filter(|(_, swept)| matches!(swept, Swept::Closed(_))).count();
                let inversions = self.inversions(&items);
                if let Some(minute) = lap.and_then(|lap| self.run.minutes.get_mut(lap)) {
                    minute.lap_closed = closed;
                    minute.closed_by.1 = closed;
                    minute.lap_inversions = inversions;
                }
            }
            Came::Opened(n, None) => self.after(SENDER_RETRY, Next::Ask(n)),
            Came::Opened(n, Some(grant)) => {
                self.run.opened_after.push(self.now - (n + 1) * ASKED_EVERY);
                self.asked_for.insert(grant.id().clone());
                self.scene.members.insert(grant.id().clone(), Member::of(&grant));
                self.after(1_000, Next::Order(grant.id().clone()));
            }
            Came::Ordered => {}
        }
    }

    /// See [`Minute::lap_inversions`].
    fn inversions(&self, items: &[(Due, Swept)]) -> usize {
        let minute_of = |due: &Due| due.due_at.as_second().div_euclid(60);
        let account_of = |due: &Due| match &due.item {
            DueItem::Grant(id) => self.scene.members.get(id).map(|member| member.account.clone()),
            DueItem::Ticket(..) => None,
        };
        let mut passed_over: BTreeMap<String, i64> = BTreeMap::new();
        for (due, swept) in items {
            if due.privileged && matches!(swept, Swept::LeftOver | Swept::Throttled(_)) {
                let first = passed_over.entry(account_of(due).unwrap_or_default()).or_insert(i64::MAX);
                *first = minute_of(due).min(*first);
            }
        }
        let closed = items.iter().filter(|(due, swept)| !due.privileged && matches!(swept, Swept::Closed(_)));
        let is_passed = |due: &Due| {
            let first = account_of(due).and_then(|account| passed_over.get(&account).copied());
            first.is_some_and(|first| first <= minute_of(due))
        };
        closed.filter(|(due, _)| is_passed(due)).count()
    }

    /// Counts. True, if nothing is left.
    fn end_minute(&mut self) -> bool {
        let members = &self.scene.members;
        let now = self.scene.world.now();
        let mut left: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let allowed = self.scene.world.look(|aws| {
            for row in aws.ledger.rows().filter(|row| !matches!(row.grant.state(), State::Closed { .. })) {
                if let Some(member) = members.get(row.grant.id()) {
                    let count = left.entry(member.account.clone()).or_default();
                    *(if member.privileged { &mut count.0 } else { &mut count.1 }) += 1;
                }
            }
            let over: HashSet<&str> = members
                .values()
                .filter(|member| member.ends_at <= now)
                .map(|member| member.policy.as_str())
                .collect();
            let documents = aws.iam.documents();
            documents.filter(|(_, name, text)| over.contains(name) && policy::in_effect(text, now)).count()
        });
        self.run.allowed_after += allowed;
        let total: usize = left.values().map(|(privileged, others)| privileged + others).sum();
        let asked = self.run.opened_after.len() as u64;
        let is_over = total == 0 && self.running.is_empty() && asked == ASKED;
        if let Some(minute) = self.minute() {
            minute.left = left;
        }
        if is_over || self.now >= MINUTES_MAX * MINUTE {
            return true;
        }
        self.run.minutes.push(Minute::default());
        self.after(MINUTE, Next::EndOfMinute);
        false
    }

    fn finish(mut self) -> Run {
        let end = END.as_millisecond();
        let run = &mut self.run;
        let (members, asked_for, poison) = (&self.scene.members, &self.asked_for, &self.poison);
        self.scene.world.look(|aws| {
            for row in aws.ledger.rows() {
                run.grants += 1;
                run.events += row.events.len();
                run.failures_recorded += row
                    .events
                    .iter()
                    .filter(|event| matches!(event.fact, Fact::RevocationFailed { .. }))
                    .count();
                let State::Closed { closed_at, .. } = row.grant.state() else { continue };
                run.closed += 1;
                let at = u64::try_from(closed_at.as_millisecond() - end).unwrap_or_default();
                if asked_for.contains(row.grant.id()) {
                    let begun = row
                        .events
                        .iter()
                        .find(|event| matches!(event.fact, Fact::RevocationRequested { .. }));
                    let begun = begun.map_or(0, |event| event.at.as_millisecond() - end);
                    run.revoked_after.push(at.saturating_sub(u64::try_from(begun).unwrap_or_default()));
                }
                if poison.as_ref() == Some(row.grant.id()) {
                    run.poison_after = Some(at.saturating_sub(POISON_UNTIL));
                }
                if let (Some(member), Some(minute)) = (
                    members.get(row.grant.id()),
                    run.minutes.get_mut(usize::try_from(at / MINUTE).unwrap_or(usize::MAX)),
                ) {
                    let count = minute.closed.entry(member.account.clone()).or_default();
                    *(if member.privileged { &mut count.0 } else { &mut count.1 }) += 1;
                }
            }
        });
        run.violations = checks::after_the_end(&self.scene.world).iter().map(ToString::to_string).collect();
        self.run
    }
}
