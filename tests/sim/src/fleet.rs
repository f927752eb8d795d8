//! Many seeds on many threads, and what they come to together.
//!
//! Must not know: how results are told. Whoever runs a fleet is handed the tally as it grows.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::edge;
use crate::judge::{Judged, judge};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// A seed takes a fraction of a second. One that takes so long never ends: the code under test loops without
/// ever waiting for AWS, which no bound on steps can see.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Which seeds to run.
#[derive(Debug, Clone, Copy)]
pub struct Orders {
    /// The first of them; the others follow it.
    pub first: u64,
    /// How many; no bound, if none.
    pub seeds: Option<u64>,
    /// No seed is begun after that; no bound, if none.
    pub until: Option<Instant>,
    /// On how many threads.
    pub jobs: NonZero<usize>,
    /// Whether to go on after a seed that broke a promise.
    pub keep_going: bool,
}

/// A seed that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// What it broke, in words; never empty.
    pub violations: Vec<String>,
    /// Whether it never ended, so that there is no history to look for.
    pub hung: bool,
}

/// What the seeds came to so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were run.
    pub seeds: u64,
    /// Their steps: each a moment after which the promises were checked.
    pub steps: u64,
    /// The grants they wrote down.
    pub grants: u64,
    /// Injected faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// The seeds that broke a promise, lowest first.
    pub broken: Vec<Broken>,
}

impl Tally {
    /// Injected faults of every kind.
    #[must_use]
    pub fn faults_total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Broken promises of every seed.
    #[must_use]
    pub fn violations(&self) -> usize {
        self.broken.iter().map(|broken| broken.violations.len()).sum()
    }

    /// Adds a seed.
    pub fn count(&mut self, judged: Judged) {
        self.seeds += 1;
        if let Some(outcome) = &judged.outcome {
            self.steps += outcome.steps;
            self.grants += u64::try_from(outcome.grants).unwrap_or(u64::MAX);
            for (kind, count) in &outcome.faults {
                *self.faults.entry(kind.to_string()).or_default() += count;
            }
        }
        if !judged.violations.is_empty() {
            self.add_broken(Broken { seed: judged.seed, violations: judged.violations, hung: false });
        }
    }

    fn add_broken(&mut self, broken: Broken) {
        let place = self.broken.partition_point(|other| other.seed < broken.seed);
        self.broken.insert(place, broken);
    }
}

/// What a thread tells of its work.
enum News {
    Begun { thread: usize, seed: u64 },
    Ended { thread: usize, judged: Box<Judged> },
}

/// Runs the seeds. `progress` is called every two seconds with what there is.
///
/// Threads that hang are left behind: the process has to end by itself afterwards.
pub fn run(orders: Orders, mut progress: impl FnMut(&Tally)) -> Tally {
    let next = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, news) = mpsc::channel();
    for thread in 0..orders.jobs.get() {
        let (next, stop, tell) = (Arc::clone(&next), Arc::clone(&stop), tell.clone());
        // Not scoped: a scope waits for its threads, and one that hangs would be waited for for ever.
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && orders.until.is_none_or(|until| edge::clock() < until) {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if orders.seeds.is_some_and(|seeds| nth >= seeds) {
                    return;
                }
                let seed = orders.first.wrapping_add(nth);
                let begun = tell.send(News::Begun { thread, seed });
                let ended =
                    begun.and_then(|()| tell.send(News::Ended { thread, judged: Box::new(judge(seed)) }));
                if ended.is_err() {
                    return;
                }
            }
        });
    }
    drop(tell);

    let mut tally = Tally::default();
    let mut working: BTreeMap<usize, (u64, Instant)> = BTreeMap::new();
    let mut told_at = edge::clock();
    loop {
        match news.recv_timeout(PROGRESS_EVERY.saturating_sub(told_at.elapsed())) {
            Ok(News::Begun { thread, seed }) => {
                working.insert(thread, (seed, edge::clock()));
            }
            Ok(News::Ended { thread, judged }) => {
                working.remove(&thread);
                if !judged.violations.is_empty() && !orders.keep_going {
                    stop.store(true, Ordering::Relaxed);
                }
                tally.count(*judged);
            }
            Err(RecvTimeoutError::Disconnected) => return tally,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if told_at.elapsed() >= PROGRESS_EVERY {
            progress(&tally);
            told_at = edge::clock();
            let hung =
                working.values().filter(|(_, since)| since.elapsed() > HANGS_AFTER).map(|(seed, _)| *seed);
            let hung: Vec<u64> = hung.collect();
            if !hung.is_empty() {
                for seed in hung {
                    let what = format!("hangs: the code still runs after {} s", HANGS_AFTER.as_secs());
                    tally.seeds += 1;
                    tally.add_broken(Broken { seed, violations: vec![what], hung: true });
                }
                return tally;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seed: u64, violations: &[&str]) -> Judged {
        Judged { seed, outcome: None, violations: violations.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn a_tally_keeps_the_lowest_broken_seed_first() {
        let mut tally = Tally::default();
        tally.count(judged(9, &["P2: late"]));
        tally.count(judged(4, &[]));
        tally.count(judged(3, &["P1: first", "P3: other"]));
        assert_eq!(tally.seeds, 3);
        assert_eq!(tally.violations(), 3);
        assert_eq!(tally.broken.iter().map(|broken| broken.seed).collect::<Vec<_>>(), [3, 9]);
    }

    #[test]
    fn every_seed_is_run_once_whoever_runs_it() {
        let orders = |jobs| Orders {
            first: 1,
            seeds: Some(6),
            until: None,
            jobs: NonZero::new(jobs).unwrap(),
            keep_going: true,
        };
        let alone = run(orders(1), |_| {});
        assert_eq!(alone.seeds, 6);
        assert!(alone.steps > 0);
        assert_eq!(run(orders(3), |_| {}), alone);
    }

    #[test]
    fn after_its_time_no_seed_is_begun() {
        let orders = Orders {
            first: 1,
            seeds: None,
            until: Some(edge::clock()),
            jobs: NonZero::<usize>::MIN,
            keep_going: false,
        };
        assert_eq!(run(orders, |_| {}), Tally::default());
    }
}
