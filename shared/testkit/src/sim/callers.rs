//! Who calls the functions, and what they do with the answers: senders and operators try again, Lambda and
//! EventBridge do what they do.

use std::collections::BTreeSet;
use std::fmt;

use curfew_app::drift::{DriftReport, FindingDone};
use curfew_app::open::Opened;
use curfew_app::ports::LedgerError;
use curfew_app::revoke::Selector;
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::{GrantId, TenantId};
use curfew_domain::window::plus;
use jiff::SignedDuration;

use super::engine::{Engine, Event, short};
use super::scenario::{Kind, Sending, Ticket, What, Whose};
use super::work::{self, Answer, GrantEnd, Job};
use crate::fixtures::{self, valid};

/// How long senders wait before they try again.
const SENDER_PAUSES: [SignedDuration; 4] = [
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(60),
    SignedDuration::from_secs(300),
    SignedDuration::from_secs(900),
];

/// How long Lambda waits before it tries an asynchronous invocation again.
const LAMBDA_PAUSES: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_mins(2)];

/// How long an operator waits before they click again.
const OPERATOR_PAUSES: [SignedDuration; 2] = [SignedDuration::from_secs(15), SignedDuration::from_secs(45)];

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) job: Job,
    /// Which of several that mean the same: duplicates, clicks, firings, minutes.
    copy: u32,
    /// Which try of it.
    attempt: u32,
    tries: u32,
}

impl Caller {
    pub(crate) fn timer(id: GrantId, firing: u32) -> Self {
        Self { job: Job::Expire(id), copy: firing, attempt: 0, tries: 3 }
    }

    pub(crate) fn sweep(minute: u32) -> Self {
        Self { job: Job::Sweep, copy: minute, attempt: 0, tries: 1 }
    }

    /// Whether it is a lap of the sweep that has time for more than what is due.
    pub(crate) fn looks_for_drift(&self) -> bool {
        self.job == Job::Sweep && self.copy.is_multiple_of(DRIFT_LAPS)
    }

    /// The same call once more, which is somebody else's doing.
    fn twin(&self) -> Self {
        Self { copy: self.copy + TWIN, attempt: 0, tries: 1, ..self.clone() }
    }
}

/// Every how many minutes the sweep looks for drift.
const DRIFT_LAPS: u32 = 5;

/// What sets the number of a doubled call apart.
const TWIN: u32 = 100_000;

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (copy, twin) = (self.copy % TWIN, self.copy >= TWIN);
        match &self.job {
            Job::Approve { intent } | Job::CloseTicket { intent } => write!(f, "delivery {intent}.{copy}")?,
            Job::Revoke { intent } => write!(f, "operator {intent}.{copy}")?,
            Job::Expire(id) => write!(f, "timer {}.{copy}", short(id))?,
            Job::Sweep => write!(f, "sweep {copy}")?,
        }
        if self.attempt > 0 {
            write!(f, " try {}", self.attempt + 1)?;
        }
        if twin { f.write_str(" doubled") } else { Ok(()) }
    }
}

impl Engine<'_> {
    /// A sender delivers.
    pub(crate) fn send(&mut self, sending: &Sending, job: Job) {
        let delays = std::iter::once(SignedDuration::ZERO).chain(sending.duplicates.iter().copied());
        for (copy, delay) in (0..).zip(delays) {
            let caller = Caller { job: job.clone(), copy, attempt: 0, tries: sending.tries };
            self.call(caller, delay);
        }
    }

    /// An operator clicks.
    pub(crate) fn click(&mut self, intent: u32, more: &[SignedDuration]) {
        let delays = std::iter::once(SignedDuration::ZERO).chain(more.iter().copied());
        for (copy, delay) in (0..).zip(delays) {
            self.call(Caller { job: Job::Revoke { intent }, copy, attempt: 0, tries: 3 }, delay);
        }
    }

    /// Calls a function, unless that goes wrong.
    pub(crate) fn call(&mut self, caller: Caller, delay: SignedDuration) {
        const KINDS: [Kind; 3] = [Kind::NotCalled, Kind::CalledLate, Kind::CalledTwice];
        let at = plus(self.now, delay);
        let fault = self.fault_of_caller(&caller, &KINDS);
        match fault.map(|fault| (fault.kind, fault.by)) {
            Some((Kind::NotCalled, _)) => self.try_again(caller, delay),
            Some((Kind::CalledLate, by)) => self.at(plus(at, by), Event::Call(caller)),
            Some((Kind::CalledTwice, by)) => {
                self.at(plus(at, by), Event::Call(caller.twin()));
                self.at(at, Event::Call(caller));
            }
            _ => self.at(at, Event::Call(caller)),
        }
    }

    /// Who got no good answer tries again, as often as they do.
    fn try_again(&mut self, caller: Caller, delay: SignedDuration) {
        let pauses: &[SignedDuration] = match caller.job {
            Job::Approve { .. } | Job::CloseTicket { .. } => &SENDER_PAUSES,
            Job::Revoke { .. } => &OPERATOR_PAUSES,
            Job::Expire(_) => &LAMBDA_PAUSES,
            Job::Sweep => &[],
        };
        let pause = usize::try_from(caller.attempt).ok().and_then(|n| pauses.get(n)).copied();
        if let Some(pause) = pause
            && caller.attempt + 1 < caller.tries
        {
            let again = Caller { attempt: caller.attempt + 1, ..caller };
            self.call(again, delay.saturating_add(pause));
        }
    }

    /// An invocation died: whoever waits for it sees an error.
    pub(crate) fn died(&mut self, caller: Caller) {
        self.count_answer("none: died");
        self.try_again(caller, SignedDuration::ZERO);
    }

    /// What an operator selects: the newest grant of an approval, as they see it in the ledger.
    pub(crate) fn selector(&mut self, whose: Whose) -> Option<Selector> {
        Some(match whose {
            Whose::Approval(intent) => {
                let ids = self.model.ids_of(*self.lines.get(&intent)?);
                let newest = self.world.look(|aws| {
                    ids.iter().rev().find(|id| aws.ledger.row(id).is_some()).or(ids.first()).cloned()
                });
                Selector::Grant(newest?)
            }
            Whose::Person(person) => Selector::Person(fixtures::person(person)),
            Whose::Tenant(tenant) => Selector::Tenant(valid(TenantId::new(tenant))),
            Whose::Ticket(ticket) => {
                Selector::Ticket(Some(fixtures::source()), fixtures::ticket(&Ticket(ticket).to_string()))
            }
        })
    }

    /// An invocation has answered.
    pub(crate) fn answered(&mut self, caller: Caller, answer: Answer) {
        let lost =
            !matches!(caller.job, Job::Sweep | Job::Expire(_)) && self.fault_of_answer(&caller).is_some();
        let content = match &answer {
            Answer::Opened(opened) => {
                let name = work::opened_name(opened);
                self.count_answer(name);
                self.tell(|| format!("{caller} answers: {name}"));
                if !lost {
                    self.learn_of_opening(&caller, opened);
                }
                work::is_accepted(opened)
            }
            Answer::TicketClosed(ends) => {
                self.count_ends(&caller, ends.as_deref().map_err(ToString::to_string));
                let content = ends.as_ref().is_ok_and(|ends| ends.iter().all(|(_, end)| end.is_ok()));
                if let (Ok(ends), true, false) = (ends, content, lost) {
                    let left = ends.iter().filter(|(_, end)| !work::is_closed(end)).map(|(id, _)| id.clone());
                    self.learn_of_ticket(&caller, &left.collect());
                }
                content
            }
            Answer::Revoked(ends) => {
                self.count_ends(&caller, ends.as_deref().map_err(Clone::clone));
                if let (Ok(ends), false) = (ends, lost) {
                    for (id, _) in ends.iter().filter(|(_, end)| work::is_closed(end)) {
                        self.learn_of_end(id);
                    }
                }
                ends.as_ref().is_ok_and(|ends| ends.iter().all(|(_, end)| end.is_ok()))
            }
            Answer::Expired(revoked, asked_at) => {
                let name = work::revoked_name(revoked);
                self.count_answer(name);
                self.tell(|| format!("{caller} answers: {name}"));
                !work::is_tried_again(revoked, *asked_at)
            }
            Answer::Swept(report, drift) => {
                if let Some(drift) = drift {
                    self.learn_of_drift(&caller, drift);
                }
                match report {
                    Ok(report) if report.items.is_empty() => self.count_answer("nothing to sweep"),
                    Ok(report) => {
                        self.count_answer("swept");
                        self.tell(|| format!("{caller} answers: {} left", report.backlog()));
                    }
                    Err(error) => {
                        self.count_answer("not swept");
                        self.tell(|| format!("{caller} answers: {error}"));
                    }
                }
                true
            }
        };
        if lost || !content {
            self.try_again(caller, SignedDuration::ZERO);
        }
    }

    fn count_ends(&mut self, caller: &Caller, ends: Result<&[GrantEnd], String>) {
        match ends {
            Ok(ends) => {
                for (id, end) in ends {
                    let name = work::revoked_name(end);
                    self.count_answer(name);
                    self.tell(|| format!("{caller} answers: {} {name}", short(id)));
                }
            }
            Err(error) => {
                self.count_answer("nothing revoked");
                self.tell(|| format!("{caller} answers: {error}"));
            }
        }
    }

    fn learn_of_opening(&mut self, caller: &Caller, opened: &Result<Opened, LedgerError>) {
        let Job::Approve { intent } = caller.job else {
            return;
        };
        let scenario = self.scenario;
        let what = scenario.intents.iter().find(|of| of.id == intent).map(|of| &of.what);
        let Some(What::Approve(approve)) = what else {
            return;
        };
        let Ok(Opened::Activated(grant) | Opened::Changed { grant, .. } | Opened::Duplicate(grant)) = opened
        else {
            return;
        };
        if is_in_force(grant) {
            let window = (grant.window().starts_at(), grant.window().expires_at());
            if let Some(violation) = self.model.promised(intent, approve, grant.id(), window) {
                self.broken(violation);
            }
            self.note_enders(None);
        }
    }

    fn learn_of_drift(&mut self, caller: &Caller, report: &DriftReport) {
        for finding in &report.findings {
            let name = match finding.done {
                Ok(FindingDone::Removed) => "drift removed",
                Ok(FindingDone::Ended) => "drift: grant ended",
                Ok(FindingDone::Restored) => "drift restored",
                Ok(FindingDone::Told) => "stray told",
                Err(_) => "drift not dealt with",
            };
            self.count_answer(name);
            self.tell(|| format!("{caller} finds {:?} of {}: {name}", finding.kind, finding.policy));
        }
        if !report.errors.is_empty() {
            self.count_answer("drift not looked for");
        }
    }

    fn learn_of_end(&mut self, id: &GrantId) {
        // A later try that was there before is a grant of its own, which nobody meant.
        let later = self.model.later_tries(id);
        let alone = self.world.look(|aws| later.iter().all(|id| aws.ledger.row(id).is_none()));
        self.model.told_ended(id, alone);
    }

    fn learn_of_ticket(&mut self, caller: &Caller, left: &BTreeSet<GrantId>) {
        let Job::CloseTicket { intent } = caller.job else {
            return;
        };
        let what = self.scenario.intents.iter().find(|of| of.id == intent).map(|of| &of.what);
        if let Some(What::CloseTicket { ticket, .. }) = what {
            self.model.told_ticket_closed(*ticket, left);
        }
    }
}

/// Whether an answer says that a grant is active, and that AWS has confirmed all of it.
fn is_in_force(grant: &Grant) -> bool {
    matches!(grant.state(), State::Active { changing: None, .. })
}
