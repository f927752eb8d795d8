//! The simulation bites: every deliberate mutation of Curfew's code is noticed, and every one still fits the code.

use curfew_sim::{edge, mutations, tell, trials, workshop};

#[test]
fn every_mutation_fits_the_code_exactly_once() {
    let mut files = workshop::sources(&edge::workspace()).unwrap();
    let misfits = workshop::mutate(&mut files, mutations::all());
    let told: Vec<String> = misfits.iter().map(|(name, misfit)| format!("{name}: {misfit}")).collect();
    assert!(told.is_empty(), "tests/sim/src/mutations/ has to follow the code:\n{}", told.join("\n"));
}

#[test]
fn every_mutation_is_caught() {
    // The seeds are the same in every run, so that what is caught stays caught.
    let jobs = edge::cores();
    let plan = trials::Plan { first: 1, seeds: 6_000, jobs, only: Vec::new() };
    let trials =
        trials::run(&edge::workspace(), &plan, &mut |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(trials.len(), mutations::all().len());
    let survivors: Vec<String> = trials.iter().filter(|trial| !trial.is_caught()).map(tell::trial).collect();
    assert!(survivors.is_empty(), "{}\n{}", survivors.join("\n"), tell::trials_summary(&trials));
}
