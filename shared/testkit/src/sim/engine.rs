//! Plays a scenario: a queue of events in virtual time, and the invocations that run.
//!
//! What an invocation does is the application's own code. When it sends a call, it is settled what becomes of
//! it and when (`fate`); when it answers, its caller learns of it (`callers`); after every step the judge looks
//! at AWS (`judge`).

use std::collections::{BTreeMap, BTreeSet};

use curfew_domain::access::Access;
use curfew_domain::grant::State;
use curfew_domain::ids::GrantId;
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::callers::Caller;
use super::dice::Dice;
use super::document::Span;
use super::model::{self, Line, Model};
use super::scenario::{Fault, Kind, Meddling, Pace, Scenario, Shown, Site, TroubleKind, What, moment};
use super::stage::{self, Edition};
use super::work::{Answer, DRIFT_EVERY, Job, Start};
use super::{Outcome, Run};
use crate::checks::Violation;
use crate::network::{CallId, CallName, Delivery, InvocationId};
use crate::task::Task;
use crate::world::World;

/// A minute, in which timers fire and the sweep runs.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How long after the last window and the last fault everything has to be closed: the longest pause between two
/// tries of a removal (15 min), a lease, the sweep's grace and its minutes.
pub(crate) const LIVENESS: SignedDuration = SignedDuration::from_mins(20);

/// What happens at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// An intent's time has come.
    Intent(usize),
    /// The indexes stand still, or go on.
    Indexes { frozen: bool },
    /// A whole minute.
    Minute(u32),
    /// A function is called.
    Call(Caller),
    /// A call arrives at AWS, or is given up.
    Deliver(CallId, Delivery),
    /// A call lands whose sender was told that it failed.
    Land(CallId),
    /// An answer arrives.
    Resume(InvocationId),
    /// An invocation ends where it stands.
    Kill(InvocationId),
}

/// An invocation that runs.
pub(crate) struct Running {
    pub(crate) caller: Caller,
    pub(crate) task: Task<'static, Answer>,
    /// When Lambda stops it, by AWS's clock.
    pub(crate) deadline: Timestamp,
    /// How many calls of a kind about a grant it has sent.
    pub(crate) sent: BTreeMap<(CallName, Option<GrantId>), u32>,
}

pub(crate) struct Engine<'s> {
    pub(crate) scenario: &'s Scenario,
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Event>,
    sequence: u64,
    /// Events in the queue that are no minutes.
    pending: usize,
    pub(crate) running: BTreeMap<InvocationId, Running>,
    seen: Option<CallId>,
    pub(crate) edition: Edition,
    pub(crate) model: Model,
    /// How often each grant's timer has fired.
    firings: BTreeMap<GrantId, u32>,
    pub(crate) outcome: Outcome,
    /// Every fault that occurred, to play the same again by a list.
    pub(crate) occurred: BTreeMap<Site, Fault>,
    trace: Option<Vec<String>>,
    /// Windows of documents that were read before.
    pub(crate) spans: BTreeMap<String, Span>,
    /// When something happened last that may take time to end.
    pub(crate) last_stir: Timestamp,
    /// The calls that are under way, for the trace.
    described: BTreeMap<CallId, String>,
    pub(crate) lines: BTreeMap<u32, Line>,
}

impl<'s> Engine<'s> {
    pub(crate) fn new(scenario: &'s Scenario, traced: bool) -> Self {
        let world = stage::world();
        let lines = scenario.intents.iter().filter_map(|i| Some((i.id, model::line_of(&i.what)?))).collect();
        Self {
            scenario,
            now: world.now(),
            last_stir: world.now(),
            world,
            queue: BTreeMap::new(),
            sequence: 0,
            pending: 0,
            running: BTreeMap::new(),
            seen: None,
            edition: Edition::First,
            model: Model::default(),
            firings: BTreeMap::new(),
            outcome: Outcome { seed: scenario.seed, ..Outcome::default() },
            occurred: BTreeMap::new(),
            trace: traced.then(Vec::new),
            spans: BTreeMap::new(),
            described: BTreeMap::new(),
            lines,
        }
    }

    /// Plays to the end, or to the first violation.
    pub(crate) fn run(mut self) -> Run {
        for (n, intent) in self.scenario.intents.iter().enumerate() {
            self.at(moment(intent.at), Event::Intent(n));
        }
        for trouble in &self.scenario.troubles {
            *self.outcome.faults.entry(trouble.kind.name()).or_default() += 1;
            if trouble.kind == TroubleKind::StaleIndexes {
                self.at(moment(trouble.from), Event::Indexes { frozen: true });
                self.at(moment(trouble.until), Event::Indexes { frozen: false });
            }
        }
        self.at(self.now, Event::Minute(0));
        while self.outcome.violations.is_empty()
            && let Some(((at, _), event)) = self.queue.pop_first()
        {
            if !matches!(event, Event::Minute(_)) {
                self.pending -= 1;
            }
            self.now = self.now.max(at);
            self.world.set_time(self.now);
            if !self.happen(event) {
                break;
            }
        }
        if self.outcome.violations.is_empty() {
            self.judge_the_end();
        }
        for violation in &self.outcome.violations {
            let told = format!("BROKEN {violation}");
            if let Some(trace) = &mut self.trace {
                trace.push(format!(
                    "{}  {told}",
                    Shown(self.now.duration_since(moment(SignedDuration::ZERO)))
                ));
            }
        }
        self.outcome.grants = self.world.look(|aws| aws.ledger.rows().count());
        self.outcome.lasted = self.now.duration_since(moment(SignedDuration::ZERO));
        Run { outcome: self.outcome, occurred: self.occurred, trace: self.trace.unwrap_or_default() }
    }

    pub(crate) fn at(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        if !matches!(event, Event::Minute(_)) {
            self.pending += 1;
        }
        self.queue.insert((at, self.sequence), event);
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = self.now.duration_since(moment(SignedDuration::ZERO));
            trace.push(format!("{}  {}", Shown(at), what()));
        }
    }

    /// False, if all is over.
    fn happen(&mut self, event: Event) -> bool {
        match event {
            Event::Intent(n) => self.intend(n),
            Event::Indexes { frozen } => {
                self.tell(|| {
                    (if frozen { "the indexes stand still" } else { "the indexes go on" }).to_owned()
                });
                self.world.change(|aws| {
                    if frozen { aws.ledger.freeze_indexes() } else { aws.ledger.thaw_indexes() }
                });
            }
            Event::Minute(n) => return self.minute(n),
            Event::Call(caller) => self.begin(caller),
            Event::Deliver(id, delivery) => {
                self.outcome.steps += 1;
                let described = self.described.remove(&id).unwrap_or_default();
                self.tell(|| format!("{described} -> {}", delivered(delivery)));
                self.world.deliver(id, delivery);
                self.stir();
                self.judge();
            }
            Event::Land(id) => {
                self.outcome.steps += 1;
                self.tell(|| format!("call {} lands late", id.0));
                self.world.land(id);
                self.stir();
                self.judge();
            }
            Event::Resume(id) => self.resume(id),
            Event::Kill(id) => {
                if let Some(running) = self.running.remove(&id) {
                    self.note_enders(Some(&running.caller.job));
                    self.tell(|| format!("{} dies", running.caller));
                    drop(running.task);
                    self.died(running.caller);
                }
            }
        }
        true
    }

    fn stir(&mut self) {
        self.last_stir = self.last_stir.max(self.now);
    }

    fn intend(&mut self, n: usize) {
        let scenario = self.scenario;
        let Some(intent) = scenario.intents.get(n) else {
            return;
        };
        *self.outcome.intents.entry(intent.what.name()).or_default() += 1;
        self.tell(|| format!("intent {}: {}", intent.id, intent.what));
        match &intent.what {
            What::Approve(approve) => self.send(&approve.sending, Job::Approve { intent: intent.id }),
            What::CloseTicket { sending, .. } => {
                self.send(sending, Job::CloseTicket { intent: intent.id });
            }
            What::Revoke { more_clicks, .. } => self.click(intent.id, more_clicks),
            What::Deploy(edition) => self.edition = *edition,
            What::Meddle { of, how } => self.meddle(*of, *how),
        }
    }

    /// Somebody changes the newest grant's access of an approval by hand, if there is one that this makes sense of.
    fn meddle(&mut self, of: u32, how: Meddling) {
        let Some(line) = self.lines.get(&of).copied() else {
            return;
        };
        let ids = self.model.ids_of(line);
        let touched = self.world.change(|aws| {
            let row = ids.iter().rev().find_map(|id| aws.ledger.row(id))?;
            let grant = row.stored().ok()?.grant;
            let (is_live, is_closed) = (
                matches!(grant.state(), State::Active { .. }),
                matches!(grant.state(), State::Closed { .. }),
            );
            match (how, grant.access()) {
                (Meddling::Remove | Meddling::Edit, Access::Managed { .. }) if is_live => {
                    aws.iam.detach_by_hand(&grant.access().shared()?);
                }
                (Meddling::Remove, Access::Inline { principal, policy_name, .. }) if is_live => {
                    aws.iam.delete_inline(principal, policy_name);
                }
                (Meddling::Edit, Access::Inline { principal, policy_name, document }) if is_live => {
                    let edited = document.replace("2026", "2027");
                    aws.iam.put_inline(principal, policy_name, &edited);
                }
                (Meddling::PutBack, Access::Inline { principal, policy_name, document }) if is_closed => {
                    aws.iam.put_inline(principal, policy_name, document);
                }
                _ => return None,
            }
            Some(grant.id().clone())
        });
        if let Some(id) = touched {
            self.tell(|| format!("{} is touched", short(&id)));
            *self.outcome.faults.entry("meddled with").or_default() += 1;
            self.model.meddled(line);
        }
    }

    /// Timers fire, and the sweep runs.
    fn minute(&mut self, n: u32) -> bool {
        let fired = self.world.change(|aws| aws.timers.fire(aws.now));
        for id in fired {
            let firing = self.firings.entry(id.clone()).or_default();
            let caller = Caller::timer(id, *firing);
            *firing += 1;
            if !self.is_troubled(TroubleKind::NoTimers) {
                // Anywhere inside the minute.
                let delay = self.drawn(&caller.to_string(), 0, 55_000, 10_000);
                self.call(caller, delay);
            }
        }
        if !self.is_troubled(TroubleKind::NoSweep) {
            let caller = Caller::sweep(n);
            let delay = self.drawn(&caller.to_string(), 0, 3_000, 0);
            self.call(caller, delay);
        }
        self.at(plus(self.now, MINUTE), Event::Minute(n + 1));
        !self.is_over()
    }

    /// Whether nothing is left to happen; or too much time has passed, which the judge will tell of.
    fn is_over(&self) -> bool {
        let healed = moment(self.scenario.heals_at);
        // Next to the sweep's call that was just put into the queue.
        let quiet = self.pending <= 1 && self.running.is_empty();
        if self.now <= healed {
            return false;
        }
        let bound = plus(self.model.latest_end().max(healed).max(self.last_stir_by_others()), LIVENESS);
        // What somebody put back is found by the next look but one at the latest.
        let bound = if self.model.is_meddled() { plus(bound, DRIFT_EVERY.saturating_mul(2)) } else { bound };
        (quiet && self.is_settled()) || self.now > bound
    }

    fn last_stir_by_others(&self) -> Timestamp {
        // Late deliveries begin new lives.
        self.queue
            .iter()
            .filter(|(_, event)| matches!(event, Event::Intent(_) | Event::Call(_)))
            .map(|((at, _), _)| *at)
            .max()
            .filter(|at| *at > plus(self.now, MINUTE))
            .unwrap_or(Timestamp::MIN)
    }

    pub(crate) fn is_troubled(&self, kind: TroubleKind) -> bool {
        self.scenario.troubles.iter().any(|trouble| {
            trouble.kind == kind && moment(trouble.from) <= self.now && self.now < moment(trouble.until)
        })
    }

    /// A span that depends on a name alone; `even` milliseconds, where chance is left out.
    pub(crate) fn drawn(&self, name: &str, low: i64, high: i64, even: i64) -> SignedDuration {
        match self.scenario.pace {
            Pace::Drawn => Dice::of(self.scenario.seed, &format!("delay of {name}")).millis(low, high),
            Pace::Even => SignedDuration::from_millis(even),
        }
    }

    /// Begins an invocation.
    fn begin(&mut self, caller: Caller) {
        let skew = self.fault_of_clock(&caller);
        let deadline = plus(self.now, caller.job.timeout());
        let given = plus(deadline, skew);
        let ports = self.world.invocation().skewed(skew).leased(super::work::lease_until(given));
        let ports = ports.vouched_by(self.edition.catalog());
        let ports = match caller.job {
            // Functions that may give run the same code as well (`grant` for a closed ticket, the sweep): in every other
            // history all closings are as theirs, so that both ways meet every fault.
            Job::Revoke { .. } | Job::Expire(_) if self.scenario.seed.is_multiple_of(2) => ports,
            Job::Revoke { .. } | Job::Expire(_) => ports.removing(),
            Job::Approve { .. } | Job::CloseTicket { .. } | Job::Sweep => ports,
        };
        let id = ports.id();
        let drift = self.scenario.drift.filter(|_| caller.looks_for_drift());
        let start = Start {
            ports,
            deadline: given,
            timer: self.scenario.timer,
            catalog: self.edition.catalog(),
            drift: drift.map(|response| (response, self.edition.drift_scopes())),
        };
        self.tell(|| format!("{caller} begins"));
        let intents = &self.scenario.intents;
        let what = |id: u32| intents.iter().find(|intent| intent.id == id).map(|intent| &intent.what);
        let task = match &caller.job {
            Job::Approve { intent } => match what(*intent) {
                Some(What::Approve(approve)) => {
                    self.model.delivered(*intent, approve, self.edition, plus(self.now, skew));
                    start.open(super::work::request(*intent, approve))
                }
                _ => return,
            },
            Job::CloseTicket { intent } => match what(*intent) {
                Some(What::CloseTicket { ticket, .. }) => {
                    start.close_ticket(super::work::ticket_closed(*intent, *ticket))
                }
                _ => return,
            },
            Job::Revoke { intent } => match what(*intent) {
                Some(What::Revoke { whose, .. }) => match self.selector(*whose) {
                    Some(selector) => start.revoke(selector),
                    None => return,
                },
                _ => return,
            },
            Job::Expire(id) => start.expire(id.clone()),
            Job::Sweep => start.sweep(),
        };
        self.at(plus(self.now, caller.job.gives_up()), Event::Kill(id));
        self.running.insert(id, Running { caller, task, deadline, sent: BTreeMap::new() });
        self.resume(id);
    }

    /// Lets an invocation go on with the answers that it has.
    fn resume(&mut self, id: InvocationId) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let answer = running.task.poll();
        self.note_enders(None);
        self.plan_new_calls();
        if let Some(answer) = answer
            && let Some(running) = self.running.remove(&id)
        {
            self.note_enders(Some(&running.caller.job));
            self.answered(running.caller, answer);
            self.judge();
        }
    }

    fn plan_new_calls(&mut self) {
        let new: Vec<_> = self
            .world
            .in_flight()
            .into_iter()
            .filter(|call| self.seen.is_none_or(|seen| call.id > seen))
            .collect();
        for call in new {
            self.seen = Some(call.id);
            if self.trace.is_some() {
                let caller =
                    self.running.get(&call.invocation).map(|r| r.caller.to_string()).unwrap_or_default();
                let grant = call.grant.as_ref().map(|id| format!(" {}", short(id))).unwrap_or_default();
                self.described
                    .insert(call.id, format!("{caller}: {:?}{grant} (call {})", call.name, call.id.0));
            }
            self.plan_call(&call);
        }
    }

    /// Whoever is just ending grants may end what they mean at any moment.
    pub(crate) fn note_enders(&mut self, ended: Option<&Job>) {
        let Self { running, model, scenario, lines, .. } = self;
        for job in running.values().map(|running| &running.caller.job).chain(ended) {
            let (Job::Revoke { intent } | Job::CloseTicket { intent }) = job else {
                continue;
            };
            match scenario.intents.iter().find(|of| of.id == *intent).map(|of| &of.what) {
                Some(What::Revoke { whose, .. }) => {
                    model.asked_to_end(|line| model::means(*whose, line, |of| lines.get(&of).copied()));
                }
                Some(What::CloseTicket { ticket, .. }) => model.asked_to_close_ticket(*ticket),
                _ => {}
            }
        }
    }

    pub(crate) fn broken(&mut self, violation: Violation) {
        self.outcome.violations.push(violation);
    }

    pub(crate) fn count_fault(&mut self, kind: Kind) {
        *self.outcome.faults.entry(kind.name()).or_default() += 1;
    }

    pub(crate) fn count_answer(&mut self, name: &'static str) {
        *self.outcome.answers.entry(name).or_default() += 1;
    }

    /// The names of all grants that the scenario can make, for a reader.
    pub(crate) fn legend(scenario: &Scenario) -> Vec<String> {
        let mut model = Model::default();
        let lines: BTreeSet<Line> =
            scenario.intents.iter().filter_map(|intent| model::line_of(&intent.what)).collect();
        lines
            .into_iter()
            .map(|line| {
                let ids: Vec<String> = model.ids_of(line).iter().take(3).map(short).collect();
                format!(
                    "{} in {} for {} on CHG-{}: {}, …",
                    line.part.name(),
                    line.seat.tenant,
                    line.seat.person,
                    line.ticket,
                    ids.join(", ")
                )
            })
            .collect()
    }
}

/// Enough of a grant's id to tell it from the others of a scenario.
pub(crate) fn short(id: &GrantId) -> String {
    id.as_str().chars().take(8).collect()
}

fn delivered(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Done => "done",
        Delivery::LostRequest => "lost",
        Delivery::LostAnswer => "done, answer lost",
        Delivery::Late => "no answer, still under way",
        Delivery::Refused => "refused",
        Delivery::Forbidden => "forbidden",
        Delivery::Throttled => "throttled",
        Delivery::Twice => "done at the second try, the first is still under way",
    }
}
