//! Curfew's promises hold under every fault: seeds that are always the same, and some that never were run before.

use curfew_sim::fleet::{self, Orders, Tally};
use curfew_sim::{edge, judge, tell};

/// Runs seeds on every core.
fn run(first: u64, seeds: u64) -> Tally {
    let orders = Orders { first, seeds: Some(seeds), until: None, jobs: edge::cores(), keep_going: false };
    fleet::run(orders, |_| {})
}

/// What was broken, and how to see it again.
fn told(tally: &Tally) -> String {
    let broken = tally.broken.first().map(|broken| {
        let history = (!broken.hung).then(|| judge::history(broken.seed));
        tell::broken(broken, history.as_deref())
    });
    format!("{}\n{}", broken.unwrap_or_default(), tell::summary(tally))
}

#[test]
fn no_promise_is_broken_with_the_seeds_that_are_always_run() {
    let tally = run(1, 400);
    assert!(tally.broken.is_empty(), "{}", told(&tally));
    assert_eq!(tally.seeds, 400);
    assert!(tally.grants > 400 && tally.faults_total() > 400, "hardly anything happened: {tally:?}");
}

#[test]
fn no_promise_is_broken_with_seeds_that_never_were_run() {
    let tally = run(edge::fresh_seed(), 40);
    assert!(tally.broken.is_empty(), "{}", told(&tally));
    assert_eq!(tally.seeds, 40);
}
