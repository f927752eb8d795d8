//! A simulation of Curfew from one seed: many people, tenants and roles over some hours of virtual time, with
//! faults at every await point. It drives the real application code against the in-memory AWS of this crate,
//! and judges it by books of its own.
//!
//! What it assumes about AWS: a request lands at most 20 s after the deadline of the invocation that sent it,
//! and no function's clock is off by more than 5 s.
//!
//! Everything that happens is drawn from the seed and the name of what it happens to, never from a stream that
//! others draw from too. So [`minimise`] can take things out of a failing scenario without changing the rest.

mod callers;
mod dice;
mod document;
mod engine;
mod fate;
mod generate;
mod judge;
mod minimise;
mod model;
mod scenario;
mod stage;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::checks::Violation;

pub use minimise::{Minimal, minimise, minimise_scenario};
pub use scenario::{
    Approve, Ends, Fault, Faults, Flaw, Intent, Kind, Meddling, Pace, Profile, Scenario, Sending, Service,
    Site, Trouble, TroubleKind, What, Whose,
};
pub use stage::{Edition, Part, Seat};

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The seed that it was made from.
    pub seed: u64,
    /// How many calls to AWS were delivered, given up, or landed late.
    pub steps: u64,
    /// How many faults there were of each kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// How many intents there were of each kind.
    pub intents: BTreeMap<&'static str, u64>,
    /// How many answers there were of each kind.
    pub answers: BTreeMap<&'static str, u64>,
    /// How many grants were written down.
    pub grants: usize,
    /// How much virtual time passed.
    pub lasted: SignedDuration,
    /// Promises that were broken. The scenario ends with the step that breaks the first.
    pub violations: Vec<Violation>,
}

impl Outcome {
    /// How many faults there were in all.
    #[must_use]
    pub fn faults_in_all(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// A scenario that was played.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    /// Every fault of a call or caller that occurred, and where.
    pub(crate) occurred: BTreeMap<Site, Fault>,
    /// What happened, one line each, if it was asked for.
    pub(crate) trace: Vec<String>,
}

/// Plays the scenario of a seed. The same seed gives the same outcome.
#[must_use]
pub fn run(seed: u64) -> Outcome {
    run_scenario(&Scenario::of(seed))
}

/// Plays a scenario.
#[must_use]
pub fn run_scenario(scenario: &Scenario) -> Outcome {
    engine::Engine::new(scenario, false).run().outcome
}
