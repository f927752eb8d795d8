//! Trials: the simulation against each mutation, until a seed catches it or the bound is reached.
//!
//! Must not know: how the mutations get into the code, or how results are told.

use std::num::NonZero;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::mutations::{self, Mutation};
use crate::tell;
use crate::workshop::{self, Misfit, REACHED, Workshop};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The first seed of every trial.
    pub first: u64,
    /// How many seeds a mutation has to survive to count as not caught.
    pub seeds: u64,
    /// How many trials run side by side.
    pub jobs: NonZero<usize>,
    /// The mutations to be tried; all, if none is named.
    pub only: Vec<String>,
}

/// A mutation and what came of it.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The mutation.
    pub mutation: &'static Mutation,
    /// What came of it.
    pub verdict: Verdict,
}

impl Trial {
    /// Whether the simulation noticed.
    #[must_use]
    pub fn is_caught(&self) -> bool {
        matches!(self.verdict, Verdict::Caught { .. })
    }
}

/// What came of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The simulation noticed.
    Caught {
        /// With which seed; none, if the process died of it.
        seed: Option<u64>,
        /// The first promise that it broke, in words.
        violation: String,
    },
    /// The simulation is blind to it.
    Survived {
        /// How many seeds did not notice.
        seeds: u64,
        /// Whether any of them came to the changed code at all.
        reached: bool,
    },
    /// It does not fit the code any more.
    DoesNotApply(Misfit),
}

/// Tries the mutations, side by side, after a run without any of them. `told` is called with each in the list's
/// order, as soon as all before it are done.
///
/// # Errors
/// [`Failure`], if there was no result: what could not be built, or is not clean without a mutation.
pub fn run(root: &Path, plan: &Plan, told: &mut dyn FnMut(&Trial)) -> Result<Vec<Trial>, Failure> {
    let all = mutations::all();
    if let Some(name) = plan.only.iter().find(|name| all.iter().all(|mutation| mutation.name != **name)) {
        return Err(Failure::NoSuchMutation { name: name.clone() });
    }
    tell::progress(format_args!("building a copy of the code with {} mutations in it", all.len()));
    let workshop = workshop::open(root, all)?;
    tell::progress(format_args!("running {} seeds without any of them", plan.seeds));
    clean(&workshop, plan)?;

    let wanted =
        |mutation: &&Mutation| plan.only.is_empty() || plan.only.iter().any(|name| name == mutation.name);
    let wanted: Vec<&'static Mutation> = all.iter().filter(wanted).collect();
    let mut trials: Vec<Option<Trial>> = wanted.iter().map(|_| None).collect();
    let next = AtomicUsize::new(0);
    let (tell_of, news) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.get() {
            let (wanted, workshop, next, tell_of) = (&wanted, &workshop, &next, tell_of.clone());
            scope.spawn(move || {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutation) = wanted.get(nth).copied() else {
                        return;
                    };
                    let verdict = match workshop.misfit(mutation) {
                        Some(misfit) => Ok(Verdict::DoesNotApply(misfit.clone())),
                        None => attempt(workshop, plan, mutation),
                    };
                    if tell_of.send((nth, verdict.map(|verdict| Trial { mutation, verdict }))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell_of);
        let (mut done, mut printed) = (0, 0);
        loop {
            match news.recv_timeout(PROGRESS_EVERY) {
                Ok((nth, trial)) => {
                    if let Some(place) = trials.get_mut(nth) {
                        *place = Some(trial?);
                        done += 1;
                    }
                    while let Some(Some(trial)) = trials.get(printed) {
                        told(trial);
                        printed += 1;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    tell::progress(format_args!("{done} of {} mutations tried", trials.len()));
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;
    Ok(trials.into_iter().flatten().collect())
}

/// What a simulation said at its end.
struct Answer {
    seeds: u64,
    /// The first seed that broke a promise, and the first that it broke.
    broken: Option<(u64, String)>,
}

/// Runs the copy's simulation to its end.
fn simulate(
    workshop: &Workshop,
    plan: &Plan,
    jobs: usize,
    mutation: Option<&Mutation>,
) -> Result<Output, Failure> {
    let numbers = [("--first", plan.first), ("--seeds", plan.seeds)];
    let mut command = workshop.simulation(mutation);
    for (option, number) in numbers {
        command.arg(option).arg(number.to_string());
    }
    command.arg("--jobs").arg(jobs.to_string()).args(["--json", "--no-history"]);
    command.output().map_err(|source| Failure::Program { program: "sim".to_owned(), source })
}

/// Reads what a simulation said; nothing, if it did not get that far.
fn answer(output: &Output) -> Option<Answer> {
    let said: Value = serde_json::from_slice(&output.stdout).ok()?;
    let broken = said.get("broken")?.as_array()?.first().map(|broken| {
        let seed = broken.get("seed")?.as_u64()?;
        let violation = broken.get("violations")?.as_array()?.first()?.as_str()?;
        Some((seed, violation.to_owned()))
    });
    Some(Answer { seeds: said.get("seeds")?.as_u64()?, broken: broken.flatten() })
}

/// Without a mutation no seed may break a promise.
fn clean(workshop: &Workshop, plan: &Plan) -> Result<(), Failure> {
    let output = simulate(workshop, plan, plan.jobs.get(), None)?;
    match answer(&output) {
        Some(Answer { broken: Some((seed, violation)), .. }) => Err(Failure::NotClean { seed, violation }),
        Some(Answer { seeds, broken: None }) if output.status.success() && seeds == plan.seeds => Ok(()),
        _ => Err(Failure::Unfinished { detail: last_words(&output) }),
    }
}

/// One mutation.
fn attempt(workshop: &Workshop, plan: &Plan, mutation: &Mutation) -> Result<Verdict, Failure> {
    // On one thread, so that the first seed to catch it is always the same.
    let output = simulate(workshop, plan, 1, Some(mutation))?;
    Ok(judge(&output))
}

fn judge(output: &Output) -> Verdict {
    match answer(output) {
        Some(Answer { broken: Some((seed, violation)), .. }) => {
            Verdict::Caught { seed: Some(seed), violation }
        }
        Some(Answer { seeds, broken: None }) => {
            let reached = String::from_utf8_lossy(&output.stderr).lines().any(|line| line == REACHED);
            Verdict::Survived { seeds, reached }
        }
        None => {
            Verdict::Caught { seed: None, violation: format!("the process died: {}", last_words(output)) }
        }
    }
}

/// How a process ended, and the last thing it said.
fn last_words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{}: {last}", output.status)
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn output(stdout: &str, stderr: &str) -> Output {
        Output { status: ExitStatus::default(), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn the_first_broken_promise_is_what_caught_it() {
        let said = r#"{"seeds":3,"broken":[{"seed":2,"violations":["P2: late","P3: x"]}]}"#;
        let caught = Verdict::Caught { seed: Some(2), violation: "P2: late".to_owned() };
        assert_eq!(judge(&output(said, "")), caught);
    }

    #[test]
    fn a_survivor_tells_whether_its_code_was_come_to() {
        let clean = r#"{"seeds":3,"broken":[]}"#;
        assert_eq!(judge(&output(clean, "")), Verdict::Survived { seeds: 3, reached: false });
        let reached = format!("sim: something\n{REACHED}\n");
        assert_eq!(judge(&output(clean, &reached)), Verdict::Survived { seeds: 3, reached: true });
    }

    #[test]
    fn a_process_that_dies_is_caught() {
        let Verdict::Caught { seed: None, violation } = judge(&output("", "stack overflow\n")) else {
            panic!("it was not caught");
        };
        assert!(violation.contains("stack overflow"), "{violation}");
    }
}
