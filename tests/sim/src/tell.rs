//! How results read: lines for a person, one object for a program.
//!
//! Must not know: how results come about.

use std::fmt::Arguments;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet::{Broken, Tally};
use crate::trials::{Trial, Verdict};

/// How many broken promises of one seed are told: those after the first few mostly follow from them.
const VIOLATIONS_TOLD: usize = 3;

/// Writes one line of the result. That nobody can read it is no reason to stop.
pub fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes one line of progress.
pub fn progress(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "sim: {text}");
}

/// A number and its noun, in the plural if it has to be.
fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") }
}

/// What the seeds came to, in one line.
#[must_use]
pub fn summary(tally: &Tally) -> String {
    format!(
        "{}, {}, {} injected, {}",
        count(tally.seeds, "seed"),
        count(tally.steps, "step"),
        count(tally.faults_total(), "fault"),
        count(u64::try_from(tally.violations()).unwrap_or(u64::MAX), "violation"),
    )
}

/// What the seeds came to so far, and how fast.
#[must_use]
pub fn progress_of(tally: &Tally, elapsed: Duration) -> String {
    format!("{}; {}", summary(tally), pace(tally, elapsed))
}

/// How fast it goes.
#[must_use]
pub fn pace(tally: &Tally, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    format!("{} a minute", count(tally.steps.saturating_mul(60_000) / millis, "step"))
}

/// What a seed broke. `history` is its shortest one, if it was looked for.
#[must_use]
pub fn broken(broken: &Broken, history: Option<&str>) -> String {
    let mut text = format!("seed {} breaks:", broken.seed);
    for violation in broken.violations.iter().take(VIOLATIONS_TOLD) {
        text.push_str("\n  ");
        text.push_str(violation);
    }
    if broken.violations.len() > VIOLATIONS_TOLD {
        text.push_str(&format!("\n  and {} more", broken.violations.len() - VIOLATIONS_TOLD));
    }
    if let Some(history) = history {
        text.push_str("\nshortest history that breaks it:\n");
        text.push_str(history.trim_end());
    }
    text.push_str(&format!("\nreplay: cargo sim --seed {}", broken.seed));
    text
}

/// The seeds' result as one object.
#[must_use]
pub fn tally_json(tally: &Tally, histories: &[(u64, String)]) -> Value {
    let history = |seed| histories.iter().find(|(of, _)| *of == seed).map(|(_, history)| history);
    let broken: Vec<Value> = tally
        .broken
        .iter()
        .map(|broken| {
            json!({"seed": broken.seed, "violations": broken.violations, "history": history(broken.seed)})
        })
        .collect();
    json!({
        "seeds": tally.seeds,
        "steps": tally.steps,
        "grants": tally.grants,
        "faults": tally.faults_total(),
        "faults_by_kind": tally.faults,
        "violations": tally.violations(),
        "broken": broken,
    })
}

/// One mutation's trial, in one line or two.
#[must_use]
pub fn trial(trial: &Trial) -> String {
    let mutation = trial.mutation;
    let verdict = match &trial.verdict {
        Verdict::Caught { seed: Some(seed), violation } => format!("caught by seed {seed}: {violation}"),
        Verdict::Caught { seed: None, violation } => format!("caught: {violation}"),
        Verdict::Survived { seeds, reached: true } => format!("SURVIVED {}", count(*seeds, "seed")),
        Verdict::Survived { seeds, reached: false } => {
            format!("SURVIVED {}, none of which came to the changed code", count(*seeds, "seed"))
        }
        Verdict::DoesNotApply(why) => format!("DOES NOT APPLY: {why}"),
    };
    let place = if mutation.stands_for_aws { " [the condition is shared/aws's]" } else { "" };
    format!("{} ({}): {}{place}\n    {verdict}", mutation.name, mutation.promise, mutation.what)
}

/// What the trials came to, in one line.
#[must_use]
pub fn trials_summary(trials: &[Trial]) -> String {
    let caught = trials.iter().filter(|trial| trial.is_caught()).count();
    format!("{caught} of {} caught", trials.len())
}

/// The trials' result as one object.
#[must_use]
pub fn trials_json(trials: &[Trial]) -> Value {
    let each: Vec<Value> = trials
        .iter()
        .map(|trial| {
            let mutation = trial.mutation;
            let (verdict, seed, detail) = match &trial.verdict {
                Verdict::Caught { seed, violation } => ("caught", *seed, Some(violation.clone())),
                Verdict::Survived { .. } => ("survived", None, None),
                Verdict::DoesNotApply(why) => ("does not apply", None, Some(why.to_string())),
            };
            json!({
                "name": mutation.name,
                "what": mutation.what,
                "promise": mutation.promise,
                "files": mutation.edits.iter().map(|edit| edit.file).collect::<Vec<_>>(),
                "verdict": verdict,
                "seed": seed,
                "detail": detail,
            })
        })
        .collect();
    let caught = trials.iter().filter(|trial| trial.is_caught()).count();
    json!({"mutations": trials.len(), "caught": caught, "trials": each})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally {
            seeds: 1,
            steps: 900,
            grants: 3,
            faults: [("crash".to_owned(), 2), ("lost answer".to_owned(), 5)].into(),
            broken: vec![Broken { seed: 7, violations: vec!["P2: late".to_owned(); 5], hung: false }],
        }
    }

    #[test]
    fn the_last_line_has_seeds_steps_faults_and_violations() {
        assert_eq!(summary(&tally()), "1 seed, 900 steps, 7 faults injected, 5 violations");
        assert_eq!(summary(&Tally::default()), "0 seeds, 0 steps, 0 faults injected, 0 violations",);
        assert_eq!(pace(&tally(), Duration::from_secs(30)), "1800 steps a minute");
    }

    #[test]
    fn a_broken_seed_is_told_with_its_history_and_how_to_see_it_again() {
        let told = broken(&tally().broken[0], Some("10:00 open\n10:01 crash\n"));
        assert_eq!(
            told,
            "seed 7 breaks:\n  P2: late\n  P2: late\n  P2: late\n  and 2 more\nshortest history that breaks it:\n\
             10:00 open\n10:01 crash\nreplay: cargo sim --seed 7"
        );
    }

    #[test]
    fn a_program_gets_the_faults_by_kind() {
        let json = tally_json(&tally(), &[(7, "10:00 open".to_owned())]);
        assert_eq!(json["faults"], 7);
        assert_eq!(json["faults_by_kind"]["crash"], 2);
        assert_eq!(json["broken"][0]["history"], "10:00 open");
    }
}
