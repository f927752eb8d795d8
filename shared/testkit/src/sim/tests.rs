//! Tests of the simulation itself: that it is deterministic, that it is not blind, and that what it finds can be
//! made small enough to be read.

use std::collections::BTreeMap;

use super::scenario::moment;
use super::*;

/// Seeds that every test run plays.
const SEEDS: u64 = 300;

/// Plays seeds and adds up what there was.
fn played(seeds: std::ops::Range<u64>) -> (u64, BTreeMap<&'static str, u64>) {
    let (mut steps, mut counts) = (0, BTreeMap::new());
    for seed in seeds {
        let outcome = run(seed);
        if let Some(violation) = outcome.violations.first() {
            let minimal = minimise(seed).map_or_else(String::new, |minimal| minimal.to_string());
            panic!("seed {seed}: {violation}\n{minimal}");
        }
        steps += outcome.steps;
        for (name, count) in outcome.intents.into_iter().chain(outcome.faults).chain(outcome.answers) {
            *counts.entry(name).or_default() += count;
        }
    }
    (steps, counts)
}

#[test]
fn many_seeds_break_no_promise_and_meet_everything() {
    let (steps, met) = played(0..SEEDS);
    assert!(steps > 50_000, "{steps}");
    let of_callers = [Kind::NotCalled, Kind::CalledLate, Kind::CalledTwice, Kind::Unanswered, Kind::Skew];
    let faults = Kind::OF_CALLS.into_iter().chain(of_callers).map(Kind::name);
    let troubles = TroubleKind::ALL.into_iter().map(TroubleKind::name);
    let others = [
        // What is intended.
        "approval from now on",
        "approval with a start",
        "approval that must be denied",
        "changed approval",
        "ticket closing",
        "revocation of a grant",
        "revocation of a person",
        "revocation of a tenant",
        "revocation of a ticket",
        "deploy",
        "meddling: removed",
        "meddling: edited",
        "meddling: put back",
        "meddled with",
        // What comes of it.
        "activated",
        "changed",
        "closed",
        "closed before",
        "conflict",
        "denied",
        "drift removed",
        "drift restored",
        "drift: grant ended",
        "duplicate of a closed grant",
        "duplicate of a closing grant",
        "duplicate of an active grant",
        "ledger failed",
        "no such grant",
        "none: died",
        "not due",
        "not swept",
        "nothing to sweep",
        "refused by AWS",
        "refused: ticket closed",
        "revoked meanwhile",
        "settling",
        "superseded",
        "swept",
        "throttled",
        "to be sent again",
        "unproven",
    ];
    let never: Vec<&str> =
        faults.chain(troubles).chain(others).filter(|name| !met.contains_key(name)).collect();
    assert_eq!(never, [""; 0], "of {met:#?}");
}

#[test]
fn a_seed_plays_the_same_every_time() {
    for seed in [0, 1, 7, 4_711, u64::MAX] {
        assert_eq!(Scenario::of(seed), Scenario::of(seed));
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}

#[test]
fn a_list_of_the_faults_that_occurred_plays_the_same_as_the_drawn_ones() {
    for seed in 0..20 {
        let drawn = Scenario::of(seed);
        let first = engine::Engine::new(&drawn, true).run();
        let listed = Scenario { faults: Faults::Listed(first.occurred), ..drawn };
        let second = engine::Engine::new(&listed, true).run();
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.outcome, second.outcome);
    }
}

#[test]
fn taking_an_intent_out_leaves_the_others_as_they_were() {
    let whole = Scenario::of(3);
    let fewer = Scenario { intents: whole.intents[1..].to_vec(), ..whole.clone() };
    let said = |scenario: &Scenario| {
        let trace = engine::Engine::new(scenario, true).run().trace;
        // Nobody else ends or changes what this intent is about, so it goes the same way.
        trace.into_iter().filter(|line| line.contains("sweep 0 ")).collect::<Vec<_>>()
    };
    assert_eq!(said(&whole), said(&fewer));
}

/// A scenario that has to fail: somebody puts policies back when all is over, and nobody looks.
fn planted(seed: u64) -> Scenario {
    let mut scenario = Scenario::of(seed);
    scenario.drift = None;
    let at = scenario.heals_at.saturating_add(SignedDuration::from_hours(3));
    for of in 0..u32::try_from(scenario.intents.len()).unwrap() {
        let what = What::Meddle { of, how: Meddling::PutBack };
        scenario.intents.push(Intent { id: 1_000 + of, at, what });
    }
    scenario
}

#[test]
fn a_planted_violation_is_found_and_made_small() {
    let (planted, outcome) = (0..)
        .map(planted)
        .map(|planted| (planted.clone(), run_scenario(&planted)))
        .find(|(_, outcome)| outcome.faults.contains_key("meddled with") && outcome.faults_in_all() > 100)
        .unwrap();
    assert_eq!(outcome.violations.first().map(|violation| violation.promise), Some("P2"), "{outcome:?}");

    let minimal = minimise_scenario(&planted).unwrap();
    assert_eq!(minimal.outcome.violations.first().map(|violation| violation.promise), Some("P2"));
    // One approval, and whoever puts its policy back.
    assert_eq!(minimal.scenario.intents.len(), 2, "{minimal}");
    assert_eq!(minimal.scenario.troubles, []);
    assert_eq!(minimal.scenario.faults, Faults::Listed(BTreeMap::new()), "{minimal}");
    let told = minimal.to_string();
    for expected in ["breaks P2", "2 left of", "0 left of", "Attach g-", "answers: activated", "BROKEN P2"] {
        assert!(told.contains(expected), "`{expected}` is not in:\n{told}");
    }
    assert!(told.lines().count() < 40, "{told}");
}

#[test]
fn what_breaks_no_promise_is_not_made_small() {
    assert_eq!(minimise(0), None);
}

#[test]
fn times_are_shown_as_a_clock_shows_them() {
    use super::scenario::Shown;
    assert_eq!(Shown(SignedDuration::from_millis(3_723_004)).to_string(), "1:02:03.004");
    assert_eq!(Shown(SignedDuration::from_secs(-61)).to_string(), "-0:01:01");
    assert_eq!(moment(SignedDuration::ZERO), crate::fixtures::START);
}
