//! What a cold start of each function costs: `cargo bench -p curfew-tests --bench cold_start`.
//!
//! Builds the functions as they are deployed (release profile), starts each real program again and again in the
//! environment that Lambda gives it, and lets it come to the point where Lambda would hand it its first event. Lambda
//! itself is a stub that hears the first request and never answers; AWS is the same stub, so a start that asks AWS for
//! anything is found out.
//!
//! Three things have a budget (`docs/budgets.md`). The size of a program is a fact: one that is over its budget fails
//! the bench. Time and memory depend on the machine and on what else it does: they are printed and fail nothing. To
//! mean something anywhere, times stand beside those of the same machine's barest process, a `main` that returns at
//! once, taken in the same round.
//!
//! Options, after `--`: `--json` prints the same as one JSON object; `--starts <n>` instead of 20.
//! Exit codes: 0, within the size budgets; 1, not; 2, could not be measured.

mod binaries;
mod budget;
mod environment;
mod report;
mod start;
mod stub;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use crate::binaries::Binary;
use crate::report::{Function, Report, Times};
use crate::start::Start;
use crate::stub::Stub;

/// Why something could not be measured, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The argument by which the bench starts itself as the barest process there is.
const BARE: &str = "--bare-process";

/// How often each program is started, if not said otherwise.
const STARTS_DEFAULT: u16 = 20;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == BARE) {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(code) => code,
        Err(failure) => {
            say(&format!("cold_start: {failure}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let options = Options::read(std::env::args_os().skip(1))?;
    if !options.asked {
        say("nothing is measured in a test run; use `cargo bench -p curfew-tests --bench cold_start`");
        return Ok(ExitCode::SUCCESS);
    }
    say("building the functions as they are deployed; the first time, this takes minutes");
    let binaries = binaries::build()?;
    let report = measure(&binaries, options.starts)?;
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{:#}", report.json())?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.sizes_are_within_budget() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Starts all programs in turn, round by round, so that whatever else the machine does meets all of them alike.
fn measure(binaries: &[Binary], starts: u16) -> Result<Report, Failure> {
    let stub = Stub::listen()?;
    let round = || -> Result<_, Failure> {
        let bare = start::bare()?;
        let starts = binaries.iter().map(|binary| start::first_poll(binary, &stub));
        Ok((bare, starts.collect::<Result<Vec<Start>, Failure>>()?))
    };
    say(&format!("starting each function {starts} times"));
    // Nobody's: brings the programs from disk into memory.
    round()?;
    let rounds = (0..starts).map(|_| round()).collect::<Result<Vec<_>, Failure>>()?;

    let functions = binaries.iter().enumerate().map(|(n, binary)| {
        let mine = || rounds.iter().filter_map(|(_, starts)| starts.get(n));
        let memory = || mine().filter_map(|start| start.memory);
        Function {
            name: binary.name,
            first_poll: Times::of(mine().map(|start| start.first_poll)),
            resident_bytes: memory().map(|memory| memory.resident_bytes).max(),
            resident_bytes_peak: memory().map(|memory| memory.resident_bytes_peak).max(),
            binary_bytes: binary.bytes,
        }
    });
    let functions = functions.collect();
    Ok(Report { starts, bare: Times::of(rounds.iter().map(|(bare, _)| *bare)), functions })
}

/// What the command line says.
struct Options {
    /// `cargo bench` asks, by `--bench`; `cargo test --benches` does not.
    asked: bool,
    json: bool,
    starts: u16,
}

impl Options {
    fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut options = Self { asked: false, json: false, starts: STARTS_DEFAULT };
        let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => options.asked = true,
                "--json" => options.json = true,
                "--starts" => {
                    let starts = arguments.next().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
                    options.starts = starts.ok_or("`--starts` needs a whole number from 1 to 65535")?;
                }
                other => return Err(format!("no option `{other}`; use `--json` or `--starts <n>`").into()),
            }
        }
        Ok(options)
    }
}

/// To standard error: standard output is the report's.
fn say(line: &str) {
    // Nobody is left to tell if standard error is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}
