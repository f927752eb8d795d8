//! A world with its catalog, and the moves that the tests are made of.

use curfew_app::close::Ended;
use curfew_app::open::{OpenSettings, Opened, open};
use curfew_app::ports::LedgerError;
use curfew_app::revoke::{self, Revoked, expire, revoke};
use curfew_app::sweep::{Lap, Report, sweep};
use curfew_domain::catalog::Catalog;
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Grant, Outcome, State};
use curfew_domain::ids::GrantId;
use curfew_domain::request::{AccessRequest, Approval, TicketClosed, WindowEnd};
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use curfew_testkit::checks::{self, Violation};
use curfew_testkit::fixtures::{self, LEASE, START, settings};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallId, CallName, CallRecord, Choices, Delivery, Task, World};
use jiff::{SignedDuration, Timestamp};

pub(crate) type TicketEnds = Vec<(GrantId, Result<Revoked, LedgerError>)>;

/// A world and its catalog.
pub(crate) struct Life {
    pub(crate) world: World,
    pub(crate) catalog: Catalog,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self::of(&fixtures::catalog())
    }

    /// A fresh world with a catalog that was read before: reading it costs more than a whole life.
    pub(crate) fn of(catalog: &Catalog) -> Self {
        Self { world: fixtures::world(), catalog: catalog.clone() }
    }

    /// What an opening invocation that starts now brings along.
    pub(crate) fn settings(&self) -> OpenSettings<'static> {
        settings()
    }

    /// An opening invocation that has not begun.
    pub(crate) fn opening<'a>(&'a self, request: &AccessRequest) -> Task<'a, Result<Opened, LedgerError>> {
        let (request, settings) = (request.clone(), self.settings());
        Task::new(async move {
            open(&self.world.invocation(), permissive(&self.catalog), request, settings).await
        })
    }

    /// An operator's revocation that has not begun.
    pub(crate) fn revoking<'a>(&'a self, id: &GrantId) -> Task<'a, Result<Revoked, LedgerError>> {
        let id = id.clone();
        Task::new(async move { revoke(&self.world.invocation().removing(), &id, by_operator()).await })
    }

    /// The same by a function that may give access as well: the grant function ends the grants of a closed ticket.
    pub(crate) fn revoking_as_who_gives<'a>(
        &'a self,
        id: &GrantId,
    ) -> Task<'a, Result<Revoked, LedgerError>> {
        let id = id.clone();
        Task::new(async move { revoke(&self.world.invocation(), &id, by_operator()).await })
    }

    /// A fired timer's invocation that has not begun.
    pub(crate) fn expiring<'a>(&'a self, id: &GrantId) -> Task<'a, Result<Revoked, LedgerError>> {
        let id = id.clone();
        Task::new(async move { expire(&self.world.invocation().removing(), &id).await })
    }

    /// A sweep that has not begun.
    pub(crate) fn sweeping(&self) -> Task<'_, Result<Report, LedgerError>> {
        let lap = Lap { limit: 100, stop_at: Timestamp::MAX };
        Task::new(async move { sweep(&self.world.invocation(), lap).await })
    }

    /// A ticket's closing that has not begun.
    pub(crate) fn closing_ticket<'a>(
        &'a self,
        closed: &TicketClosed,
    ) -> Task<'a, Result<TicketEnds, LedgerError>> {
        let closed = closed.clone();
        Task::new(
            async move { revoke::close_ticket(&self.world.invocation(), &closed, Timestamp::MAX).await },
        )
    }

    /// Runs a task to its end without faults but the planned ones.
    pub(crate) fn run<T>(&self, mut task: Task<'_, T>) -> T {
        self.world.run(&mut task).unwrap()
    }

    pub(crate) fn open(&self, request: &AccessRequest) -> Opened {
        self.run(self.opening(request)).unwrap()
    }

    /// Opens and expects access.
    pub(crate) fn active(&self, request: &AccessRequest) -> Grant {
        match self.open(request) {
            Opened::Activated(grant) => *grant,
            other => panic!("not activated: {other:?}"),
        }
    }

    pub(crate) fn revoke(&self, id: &GrantId) -> Revoked {
        self.run(self.revoking(id)).unwrap()
    }

    pub(crate) fn expire(&self, id: &GrantId) -> Revoked {
        self.run(self.expiring(id)).unwrap()
    }

    pub(crate) fn close_ticket(&self, closed: &TicketClosed) -> TicketEnds {
        self.run(self.closing_ticket(closed)).unwrap()
    }

    pub(crate) fn sweep(&self) -> Report {
        self.run(self.sweeping()).unwrap()
    }

    /// Fires the timers whose time has come, and runs what they invoke. Returns how many fired.
    pub(crate) fn fire_timers(&self) -> usize {
        let fired = self.world.change(|aws| aws.timers.fire(aws.now));
        for id in &fired {
            self.expire(id);
        }
        fired.len()
    }

    /// Lets `minutes` pass as they do in operation: timers fire, and the sweep runs every minute.
    pub(crate) fn pass(&self, minutes: u32) {
        for _ in 0..minutes {
            self.world.advance(SignedDuration::from_mins(1));
            self.fire_timers();
            self.sweep();
        }
    }

    /// Passes the time until the windows of all sample requests are over, and what follows.
    pub(crate) fn pass_the_end(&self) {
        self.world.set_time(plus(START, SignedDuration::from_mins(59)));
        self.pass(6);
    }

    /// Passes the time until a grant's window is over, and what follows.
    pub(crate) fn pass_the_end_of(&self, id: &GrantId) {
        self.world.set_time(plus(self.grant(id).window().expires_at(), SignedDuration::from_mins(-1)));
        self.pass(6);
    }

    /// Time and the sweep alone, until every lease and pause is over.
    pub(crate) fn settle(&self) {
        for _ in 0..4 {
            self.world.advance(SignedDuration::from_mins(1));
            self.sweep();
        }
    }

    /// Moves the time to when the lease of an opening at [`START`] has run out.
    pub(crate) fn outlive_lease(&self) {
        self.world.set_time(plus(START, LEASE));
    }

    pub(crate) fn grant(&self, id: &GrantId) -> Grant {
        self.world.look(|aws| aws.ledger.row(id).unwrap().stored().unwrap().grant)
    }

    pub(crate) fn state(&self, id: &GrantId) -> State {
        self.grant(id).state().clone()
    }

    pub(crate) fn outcome(&self, id: &GrantId) -> Option<Outcome> {
        match self.state(id) {
            State::Closed { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Whether AWS allows the principal anything now.
    pub(crate) fn allows(&self, arn: &str) -> bool {
        self.world.look(|aws| aws.iam.allows(&fixtures::principal(arn), aws.now))
    }

    /// The names of a grant's events.
    pub(crate) fn events(&self, id: &GrantId) -> Vec<&'static str> {
        let story = self.world.look(|aws| aws.ledger.row(id).unwrap().story().unwrap());
        story.events.iter().map(|event| event.fact.name()).collect()
    }

    /// Everything that AWS holds, to see that nothing changed.
    pub(crate) fn everything(&self) -> String {
        let ledger = self.world.look(|aws| format!("{:?}", aws.ledger));
        // How often the table was asked is no part of what it holds.
        let ledger = ledger.split(", looked_at:").next().unwrap_or_default();
        self.world.look(|aws| format!("{ledger} {:?} {:?}", aws.iam, aws.timers))
    }

    /// Expects that no promise was broken so far.
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.world.violations(), Vec::<Violation>::new(), "\n{}", self.world.history());
    }

    /// Expects that all has ended and nothing is left.
    pub(crate) fn assert_nothing_left(&self) {
        if let Err(told) = self.sound_to_the_end() {
            panic!("{told}");
        }
    }

    /// The same for scenarios that are explored.
    pub(crate) fn sound_to_the_end(&self) -> Result<(), String> {
        self.told(checks::after_the_end(&self.world))
    }

    /// Promises broken so far, for scenarios that are explored.
    pub(crate) fn sound(&self) -> Result<(), String> {
        self.told(self.world.violations())
    }

    pub(crate) fn ensure(&self, holds: bool, what: &str) -> Result<(), String> {
        if holds { Ok(()) } else { Err(format!("{what}\n{}", self.world.history())) }
    }

    fn told(&self, violations: Vec<Violation>) -> Result<(), String> {
        let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
        self.ensure(told.is_empty(), &told.join("; "))
    }

    /// Delivers everything that is in flight and everything that follows, in the order that `choices`
    /// say, until all of `tasks` are over. If somebody crashes, then somewhere on its way, and each call
    /// that it had in flight lands at any later point of the race, or never.
    ///
    /// Of orders that differ only in calls that commute one is played to the end; for the others it says
    /// `Played::Before`. Every state on the way is still reached and checked (sleep sets: P. Godefroid,
    /// Partial-Order Methods for the Verification of Concurrent Systems, 1996).
    pub(crate) fn race(&self, choices: &mut Choices, crash: Crash, tasks: &mut [&mut dyn Racer]) -> Played {
        let victim = match crash {
            Crash::Nobody => None,
            Crash::Somebody => Some(choices.choose(tasks.len())),
        };
        let mut of_victim: Vec<CallId> = Vec::new();
        let mut asleep: Vec<CallRecord> = Vec::new();
        let mut delivered = 0;
        loop {
            for (n, task) in tasks.iter_mut().enumerate() {
                let before = self.in_flight();
                task.go_on();
                let sent: Vec<CallId> =
                    self.in_flight().into_iter().filter(|id| !before.contains(id)).collect();
                // Between two sendings of its own, it makes no difference when it crashes.
                if victim != Some(n) || sent.is_empty() {
                    continue;
                }
                of_victim.extend(sent);
                if choices.choose(2) == 1 {
                    task.crash();
                    let still = self.in_flight();
                    for call in of_victim.iter().filter(|id| still.contains(id)) {
                        if choices.choose(2) == 1 {
                            self.world.lose(*call);
                        }
                    }
                }
            }
            let mut calls = self.world.in_flight();
            if calls.is_empty() {
                return Played::ToTheEnd;
            }
            calls.retain(|call| !asleep.iter().any(|other| other.id == call.id));
            if calls.is_empty() {
                return Played::Before;
            }
            delivered += 1;
            let chosen = if delivered <= ORDERED_MAX { choices.choose(calls.len()) } else { 0 };
            let next = calls[chosen].clone();
            asleep.extend_from_slice(&calls[..chosen]);
            asleep.retain(|call| call.name.commutes_with(next.name));
            self.world.deliver(next.id, Delivery::Done);
        }
    }

    fn in_flight(&self) -> Vec<CallId> {
        self.world.in_flight().iter().map(|call| call.id).collect()
    }
}

/// So many deliveries of a race are tried in every order; what is left then goes on in the order of sending. Two
/// removals that undo each other's conditions could go on for long, and add nothing but time.
const ORDERED_MAX: usize = 12;

/// How far a race was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Played {
    ToTheEnd,
    /// Another order of the same was played, or will be.
    Before,
}

/// Who crashes in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Nobody,
    Somebody,
}

/// A task of whatever output, in a race.
pub(crate) trait Racer {
    fn go_on(&mut self);
    fn crash(&mut self);
}

/// A task that keeps its output.
pub(crate) struct Runner<'a, T> {
    task: Task<'a, T>,
    pub(crate) output: Option<T>,
}

impl<'a, T> Runner<'a, T> {
    pub(crate) fn new(task: Task<'a, T>) -> Self {
        Self { task, output: None }
    }
}

impl<T> Racer for Runner<'_, T> {
    fn go_on(&mut self) {
        if let Some(output) = self.task.poll() {
            self.output = Some(output);
        }
    }

    fn crash(&mut self) {
        self.task.crash();
    }
}

/// Some minutes after [`START`].
pub(crate) fn minute(minutes: i64) -> Timestamp {
    plus(START, SignedDuration::from_mins(minutes))
}

/// The same access, approved once more at a minute after [`START`], until another.
pub(crate) fn approved_again(asked: &AccessRequest, approved: i64, end: i64) -> AccessRequest {
    let mut again = asked.clone();
    again.approvals = vec![Approval { approver: fixtures::person("carl"), at: minute(approved) }];
    again.window.end = Some(WindowEnd::At(minute(end)));
    again
}

/// How a sweep's or revocation's end is told.
pub(crate) fn closed(revoked: &Revoked) -> bool {
    matches!(revoked, Revoked::Ended(Ended::Closed(_)))
}

pub(crate) fn by_operator() -> BeginClosing {
    BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::Operator(OperatorName::new("olga").unwrap()),
        reason: "no longer needed".to_owned(),
        settled: false,
    }
}

/// The id of the first try on a request.
pub(crate) fn id_of(life: &Life, request: &AccessRequest) -> GrantId {
    use curfew_domain::decision::{DecisionFacts, decide};
    let facts = DecisionFacts { now: START, own_account: fixtures::OWN_ACCOUNT.to_owned() };
    decide(&life.catalog, request, &facts).unwrap().grant_id(0)
}

pub(crate) const EFFECTS_OF_OPENING: [CallName; 2] = [CallName::Attach, CallName::SetTimer];
