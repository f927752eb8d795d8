//! The full load, printed: `cargo bench -p curfew-testkit --bench load`.
//!
//! 10,000 grants that end in the same minute, with IAM limited to a stated rate; then a lap with nothing due beside
//! 1,000 and beside 1,000,000 live grants. In memory and by virtual time; counts alone are printed, the same ones on
//! any machine. What they must be is asserted by `tests/load.rs`, on a smaller load.
//!
//! Options, after `--`: `--grants <n>`, `--live <n>`, `--timers <n>` (invocations of the revoke function at
//! once).

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use curfew_testkit::load::{Load, idle_lap, run};

fn main() -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            drop(writeln!(io::stderr(), "load: {error}"));
            ExitCode::from(2)
        }
    }
}

fn tell() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let (mut load, mut live, mut asked) = (Load::full(), 1_000_000, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<usize, Box<dyn Error>> {
            Ok(arguments.next().ok_or_else(|| format!("`{argument}` needs a number"))?.parse()?)
        };
        match argument.as_str() {
            "--bench" => asked = true,
            "--grants" => load.grants = number()?,
            "--live" => live = number()?,
            "--timers" => load.revoke_concurrency = number()?,
            other => return Err(format!("no option `{other}`").into()),
        }
    }
    if !asked {
        writeln!(out, "nothing is measured in a test run; use `cargo bench -p curfew-testkit --bench load`")?;
        return Ok(());
    }
    writeln!(
        out,
        "{} grants in {} accounts end in the same minute; IAM lets {} writes a second through in each account, {} at \
         once; {} invocations of timers at once",
        load.grants, load.accounts, load.writes_a_second, load.burst, load.revoke_concurrency
    )?;
    write!(out, "{}", run(load)?)?;
    writeln!(
        out,
        "\na lap of the sweep beside live grants\n{:>9} {:>4} {:>6} {:>14}",
        "live", "due", "calls", "index entries"
    )?;
    for due in [0, 10] {
        for live in [1_000, live] {
            let idle = idle_lap(live, due)?;
            let calls: usize = idle.calls.values().sum();
            writeln!(out, "{live:>9} {due:>4} {calls:>6} {:>14}", idle.entries)?;
        }
    }
    Ok(())
}
