//! What becomes of calls: how long they take, and what goes wrong with them.

use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::callers::Caller;
use super::dice::Dice;
use super::engine::{Engine, Event, short};
use super::scenario::{Fault, Faults, Kind, Pace, Profile, Service, Site, TroubleKind, moment};
use crate::network::{CallName, CallRecord, Delivery};

/// How long after its invocation's deadline a request lands at most: an assumption about AWS that Curfew's
/// leases rest on.
const LANDS_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// How far clocks are off at most: another such assumption. Milliseconds.
const SKEW_MAX: i64 = 5_000;

impl Engine<'_> {
    /// Settles what becomes of a call that was just sent.
    pub(crate) fn plan_call(&mut self, call: &CallRecord) {
        let Some(running) = self.running.get_mut(&call.invocation) else {
            return;
        };
        let nth = running.sent.entry((call.name, call.grant.clone())).or_default();
        let n = *nth;
        *nth += 1;
        let about = call.grant.as_ref().map(|id| format!(" {}", short(id))).unwrap_or_default();
        let site = Site(format!("{}: {:?}{about} #{n}", running.caller, call.name));
        let last_landing = plus(running.deadline, LANDS_WITHIN);

        let mut delays = Dice::of(self.scenario.seed, &format!("time of {site}"));
        let (there, back, timeout) = match self.scenario.pace {
            Pace::Drawn => {
                let there =
                    if delays.happens(40) { delays.millis(200, 4_000) } else { delays.millis(2, 120) };
                (there, delays.millis(2, 60), delays.millis(300, 6_000))
            }
            Pace::Even => (
                SignedDuration::from_millis(20),
                SignedDuration::from_millis(10),
                SignedDuration::from_secs(3),
            ),
        };
        let service = service(call.name);
        let fault = if self.is_troubled(TroubleKind::Outage(service)) {
            Some(Fault { kind: Kind::LostRequest, by: SignedDuration::ZERO })
        } else if self.is_troubled(TroubleKind::Throttling(service)) && delays.happens(700) {
            Some(Fault { kind: Kind::Throttled, by: SignedDuration::ZERO })
        } else {
            self.fault_of_call(site)
        };

        let arrives = plus(self.now, there);
        let given_up = plus(self.now, timeout);
        // A request never lands later than that: what would, is lost.
        let lands = |at: Timestamp| at.min(plus(last_landing, SignedDuration::from_millis(-1)));
        let (id, invocation) = (call.id, call.invocation);
        // A write to the ledger is conditional: what a second try means is for the port to find out.
        let fault = fault.filter(|fault| fault.kind != Kind::Twice || service != Service::Ledger);
        let Some(Fault { kind, by }) = fault else {
            let delivery = if arrives < last_landing { Delivery::Done } else { Delivery::LostRequest };
            self.at(arrives, Event::Deliver(id, delivery));
            self.at(plus(arrives, back), Event::Resume(invocation));
            return;
        };
        match kind {
            Kind::LostRequest => {
                self.at(given_up, Event::Deliver(id, Delivery::LostRequest));
                self.at(given_up, Event::Resume(invocation));
            }
            Kind::LostAnswer => {
                self.at(arrives, Event::Deliver(id, Delivery::LostAnswer));
                self.at(given_up.max(arrives), Event::Resume(invocation));
            }
            Kind::Late | Kind::Twice => {
                let delivery = match kind {
                    Kind::Twice => Delivery::Twice,
                    _ => Delivery::Late,
                };
                self.at(given_up, Event::Deliver(id, delivery));
                self.at(given_up, Event::Resume(invocation));
                self.at(lands(plus(given_up, by)).max(given_up), Event::Land(id));
            }
            Kind::Slow => {
                let arrives = plus(arrives, by);
                let delivery = if arrives < last_landing { Delivery::Done } else { Delivery::LostRequest };
                self.at(arrives, Event::Deliver(id, delivery));
                self.at(plus(arrives, back), Event::Resume(invocation));
            }
            Kind::Throttled | Kind::Refused | Kind::Forbidden => {
                let delivery = match kind {
                    Kind::Throttled => Delivery::Throttled,
                    Kind::Refused => Delivery::Refused,
                    _ => Delivery::Forbidden,
                };
                self.at(arrives, Event::Deliver(id, delivery));
                self.at(plus(arrives, back), Event::Resume(invocation));
            }
            Kind::CrashLosing => {
                self.at(arrives, Event::Kill(invocation));
                self.at(arrives, Event::Deliver(id, Delivery::LostRequest));
            }
            Kind::CrashBefore => {
                self.at(arrives, Event::Kill(invocation));
                self.at(lands(plus(arrives, by)).max(arrives), Event::Deliver(id, Delivery::Done));
            }
            Kind::CrashAfter => {
                self.at(arrives, Event::Deliver(id, Delivery::Done));
                self.at(arrives, Event::Kill(invocation));
            }
            Kind::NotCalled | Kind::CalledLate | Kind::CalledTwice | Kind::Unanswered | Kind::Skew => {
                self.at(arrives, Event::Deliver(id, Delivery::Done));
                self.at(plus(arrives, back), Event::Resume(invocation));
            }
        }
    }

    fn fault_of_call(&mut self, site: Site) -> Option<Fault> {
        self.fault_at(site, |profile, dice| {
            if !dice.happens(profile.calls) {
                return None;
            }
            let kind = dice.pick(&profile.kinds, Kind::LostRequest);
            let by = match dice.below(3) {
                0 => dice.millis(0, 2_000),
                1 => dice.millis(2_000, 20_000),
                _ => dice.millis(20_000, 90_000),
            };
            Some(Fault { kind, by })
        })
    }

    /// What goes wrong with the calling of an invocation.
    pub(crate) fn fault_of_caller(&mut self, caller: &Caller, kinds: &[Kind]) -> Option<Fault> {
        self.fault_at(Site(format!("calling {caller}")), |profile, dice| {
            if !dice.happens(profile.callers) {
                return None;
            }
            let kind = dice.pick(kinds, Kind::NotCalled);
            let by = if dice.happens(500) { dice.millis(0, 3_000) } else { dice.millis(3_000, 300_000) };
            Some(Fault { kind, by })
        })
    }

    /// Whether an answer gets lost on its way to the caller.
    pub(crate) fn fault_of_answer(&mut self, caller: &Caller) -> Option<Fault> {
        self.fault_at(Site(format!("answer to {caller}")), |profile, dice| {
            dice.happens(profile.callers)
                .then_some(Fault { kind: Kind::Unanswered, by: SignedDuration::ZERO })
        })
    }

    pub(crate) fn fault_of_clock(&mut self, caller: &Caller) -> SignedDuration {
        let fault = self.fault_at(Site(format!("clock of {caller}")), |profile, dice| {
            dice.happens(profile.clocks)
                .then(|| Fault { kind: Kind::Skew, by: dice.millis(-SKEW_MAX, SKEW_MAX) })
        });
        fault.map_or(SignedDuration::ZERO, |fault| fault.by)
    }

    fn fault_at(
        &mut self,
        site: Site,
        draw: impl FnOnce(&Profile, &mut Dice) -> Option<Fault>,
    ) -> Option<Fault> {
        if self.now >= moment(self.scenario.heals_at) {
            return None;
        }
        let fault = match &self.scenario.faults {
            Faults::Drawn(profile) => draw(profile, &mut Dice::of(self.scenario.seed, &site.0)),
            Faults::Listed(listed) => listed.get(&site).copied(),
        }?;
        self.count_fault(fault.kind);
        self.tell(|| format!("fault at {site}: {fault}"));
        self.occurred.insert(site, fault);
        Some(fault)
    }
}

fn service(name: CallName) -> Service {
    match name {
        CallName::Attach | CallName::Detach => Service::Access,
        CallName::SetTimer | CallName::ClearTimer => Service::Timers,
        _ => Service::Ledger,
    }
}
