//! `cargo sim`: plays Curfew's real code against an AWS in memory, with every fault that a seed says, and checks
//! after every step that its promises hold.
//!
//! Must not know: how anything is done. It reads arguments, calls the library, and turns the outcome into an exit
//! code: 0 clean, 1 a broken promise (or a mutation that got away, or no result), 2 wrong usage.

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use curfew_sim::failure::Failure;
use curfew_sim::fleet::{self, Orders, Tally};
use curfew_sim::{edge, judge, tell, trials};

/// How many seeds are run if nobody says.
const SEEDS: u64 = 500;

/// How many seeds a mutation has to survive to count as not caught, if nobody says.
const SEEDS_A_MUTATION: u64 = 6_000;

/// For how many broken seeds a minimal history is looked for: each takes a while.
const HISTORIES: usize = 3;

/// Play Curfew's real code against an AWS in memory: many grants at once, a clock that jumps, and faults at every
/// call: crashes, lost and late requests, throttling, outages, doubled and reordered deliveries, skewed clocks.
///
/// Each seed is one history, the same whenever and wherever it is run. After every step the promises are checked
/// against what AWS would allow at that instant, and at the end that nothing is left.
///
/// Exit code: 0 if every promise held, 1 if one was broken (or a mutation got away), 2 for wrong usage.
#[derive(Debug, Parser)]
#[command(name = "sim", bin_name = "cargo sim", version, max_term_width = 110)]
struct Arguments {
    /// How many seeds to run [default: 500; with --mutations at most 6000 for each mutation]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,

    /// The first seed; the others follow it [default: a fresh one, which is printed; with --mutations 1]
    #[arg(long, value_name = "S")]
    first: Option<u64>,

    /// Play this one seed. If it breaks a promise, print the shortest history that does
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "first", "minutes", "jobs", "keep_going"])]
    seed: Option<u64>,

    /// Run seeds until so many minutes are over, unless one breaks a promise before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000), conflicts_with = "seeds")]
    minutes: Option<u64>,

    /// On how many threads [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,

    /// Go on after a seed that broke a promise
    #[arg(long)]
    keep_going: bool,

    /// Do not look for the shortest history of what was found, which can take longer than finding it
    #[arg(long)]
    no_history: bool,

    /// Print the result as one JSON object, with the faults by kind
    #[arg(long)]
    json: bool,

    /// Break Curfew's code on purpose, in one way after the other, in a copy of it; and see that the simulation
    /// notices each. The last line is `K of K caught`
    #[arg(long, conflicts_with_all = ["seed", "minutes", "keep_going", "no_history"])]
    mutations: bool,

    /// Only this mutation (may be given more than once)
    #[arg(long, value_name = "NAME", requires = "mutations")]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clean = if arguments.mutations {
        mutations(&arguments)
    } else {
        judge::keep_panics();
        Ok(simulate(&arguments))
    };
    match clean {
        // Whatever hangs ends with the process.
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            tell::progress(format_args!("{failure}"));
            let is_usage = matches!(failure, Failure::NoSuchMutation { .. });
            if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Runs seeds. Whether every promise held.
fn simulate(arguments: &Arguments) -> bool {
    let one = arguments.seed.map(|seed| (seed, 1));
    let many = || (arguments.first.unwrap_or_else(edge::fresh_seed), arguments.seeds.unwrap_or(SEEDS));
    let (first, seeds) = one.unwrap_or_else(many);
    let began = edge::clock();
    let orders = Orders {
        first,
        seeds: arguments.minutes.is_none().then_some(seeds),
        until: arguments.minutes.map(|minutes| began + Duration::from_secs(60 * minutes)),
        jobs: if one.is_some() { NonZero::<usize>::MIN } else { arguments.jobs.unwrap_or_else(edge::cores) },
        keep_going: arguments.keep_going,
    };
    if !arguments.json {
        tell::line(format_args!("first seed {first}, {} at a time", orders.jobs));
    }
    let tally = fleet::run(orders, |tally| {
        tell::progress(format_args!("{}", tell::progress_of(tally, began.elapsed())));
    });
    let elapsed = began.elapsed();
    let histories = if arguments.no_history { Vec::new() } else { histories(&tally) };
    if arguments.json {
        tell::line(format_args!("{}", tell::tally_json(&tally, &histories)));
    } else {
        for broken in &tally.broken {
            let history = histories.iter().find(|(seed, _)| *seed == broken.seed);
            let history = history.map(|(_, history)| history.as_str());
            tell::line(format_args!("{}", tell::broken(broken, history)));
        }
        tell::line(format_args!("{}", tell::pace(&tally, elapsed)));
        tell::line(format_args!("{}", tell::summary(&tally)));
    }
    tally.broken.is_empty()
}

/// The shortest histories of the first broken seeds.
fn histories(tally: &Tally) -> Vec<(u64, String)> {
    let broken = tally.broken.iter().filter(|broken| !broken.hung).take(HISTORIES);
    broken
        .map(|broken| {
            tell::progress(format_args!(
                "seed {} broke a promise; looking for its shortest history",
                broken.seed
            ));
            (broken.seed, judge::history(broken.seed))
        })
        .collect()
}

/// Tries the mutations. Whether all of them were caught.
fn mutations(arguments: &Arguments) -> Result<bool, Failure> {
    let plan = trials::Plan {
        first: arguments.first.unwrap_or(1),
        seeds: arguments.seeds.unwrap_or(SEEDS_A_MUTATION),
        jobs: arguments.jobs.unwrap_or_else(edge::cores),
        only: arguments.only.clone(),
    };
    let trials = trials::run(&edge::workspace(), &plan, &mut |trial| {
        if !arguments.json {
            tell::line(format_args!("{}", tell::trial(trial)));
        }
    })?;
    if arguments.json {
        tell::line(format_args!("{}", tell::trials_json(&trials)));
    } else {
        if !trials.iter().all(trials::Trial::is_caught) {
            tell::line(format_args!(
                "what survived is a gap in the simulation; what does not apply has to follow the code \
                 (tests/sim/src/mutations/)"
            ));
        }
        tell::line(format_args!("{}", tell::trials_summary(&trials)));
    }
    Ok(trials.iter().all(trials::Trial::is_caught))
}
