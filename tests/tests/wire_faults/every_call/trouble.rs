//! What can go wrong with one call, and which calls there are: all that a run without any trouble makes.

use std::collections::BTreeMap;
use std::time::Duration;

use curfew_tests::proxy::{Calls, Fault, Gate, Rule};

/// Longer than a call takes, shorter than anybody's patience.
const SLOW: Duration = Duration::from_millis(1_500);

/// A call of an invocation: the `nth` one of an operation, from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) operation: String,
    pub(crate) nth: usize,
}

impl Point {
    /// The calls of a run, each once.
    pub(crate) fn all(calls: &Calls) -> Vec<Self> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut points = Vec::new();
        for operation in calls.operations() {
            let count = seen.entry(operation).or_default();
            points.push(Self { operation: operation.to_owned(), nth: *count });
            *count += 1;
        }
        points
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// AWS says it is too much, each time.
    Throttled,
    /// AWS says so once.
    ThrottledOnce,
    /// AWS fails, each time.
    Failing,
    /// AWS fails once.
    FailedOnce,
    /// The connection breaks before AWS sees it, each time.
    NotSent,
    /// It is done, and the answer is lost, each time.
    AnswersLost,
    /// It is done, and the answer is lost once.
    AnswerLostOnce,
    /// It is done, and each answer breaks off in its middle.
    BrokenOff,
    /// It takes long, once, but comes in time.
    Slow,
    /// Its first try is given up, and lands after all others.
    Late,
    /// No try is answered; all of them land in the end.
    Stalled,
    /// The function is killed before AWS sees it.
    KilledBefore,
    /// It is done, and the function is killed before it hears so.
    KilledAfter,
    /// The function is killed once it was sent, and it lands after whoever comes next.
    KilledAndLands,
}

impl Trouble {
    /// All of it, the longest to get over first.
    pub(crate) const ALL: [Self; 14] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::KilledAndLands,
        Self::Stalled,
        Self::AnswersLost,
        Self::BrokenOff,
        Self::Failing,
        Self::Throttled,
        Self::NotSent,
        Self::Late,
        Self::Slow,
        Self::ThrottledOnce,
        Self::FailedOnce,
        Self::AnswerLostOnce,
    ];

    /// Whether the function is killed.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter | Self::KilledAndLands)
    }

    /// Whether what was held up lands in the end.
    pub(crate) fn lands_late(self) -> bool {
        matches!(self, Self::Late | Self::Stalled | Self::KilledAndLands)
    }

    /// What the proxy is to do with a call.
    pub(crate) fn rule(self, point: &Point, gate: &Gate) -> Rule {
        let gate = || gate.clone();
        let (fault, once) = match self {
            Self::Throttled => (Fault::Throttle, false),
            Self::ThrottledOnce => (Fault::Throttle, true),
            Self::Failing => (Fault::Fail, false),
            Self::FailedOnce => (Fault::Fail, true),
            Self::NotSent => (Fault::BreakBefore, false),
            Self::AnswersLost => (Fault::BreakAfter, false),
            Self::AnswerLostOnce => (Fault::BreakAfter, true),
            Self::BrokenOff => (Fault::Truncate, false),
            Self::Slow => (Fault::Delay(SLOW), true),
            Self::Late => (Fault::Hold(gate()), true),
            Self::Stalled | Self::KilledBefore | Self::KilledAndLands => (Fault::Hold(gate()), false),
            Self::KilledAfter => (Fault::HoldAnswer(gate()), false),
        };
        let rule = Rule::on(&*point.operation, fault).after(point.nth);
        if once { rule.once() } else { rule }
    }
}
