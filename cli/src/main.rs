//! `curfew`: the command line for developers and operators.
//!
//! Must not know: how anything is done. It reads arguments, calls the library, and turns the outcome into an
//! exit code: 0 done, 1 not done (one line says why), 2 wrong usage, 130 stopped by a signal. Of the commands that judge
//! rules: 0 good, 1 not good (denied, failed, found something), 2 nothing to judge (unreadable, unusable).

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use curfew_cli::failure::chain;
use curfew_cli::progress::say;

/// Just-in-time access to production on AWS that always ends on time.
#[derive(Debug, Parser)]
#[command(name = "curfew", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the main job once, in a local stack of its own: refused, approved, allowed, expired, refused.
    Demo(commands::demo::Arguments),
    /// Keep a local stack with Curfew in it running, to play with.
    Local(commands::local::Arguments),
    /// Check catalog, guardrails, senders and template against each other.
    Check(commands::check::Arguments),
    /// Say what would become of a request, and why.
    Simulate(commands::simulate::Arguments),
    /// Run a folder of cases: requests with the decision that is expected of each.
    Test(commands::test::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let judged = |outcome: commands::Judged| {
        outcome.unwrap_or_else(|error| {
            say(format_args!("{}", chain(error.as_ref())));
            ExitCode::from(2)
        })
    };
    let work = async {
        match command {
            Command::Demo(arguments) => commands::demo::run(arguments).await.map(|()| ExitCode::SUCCESS),
            Command::Local(arguments) => commands::local::run(arguments).await.map(|()| ExitCode::SUCCESS),
            Command::Check(arguments) => Ok(judged(commands::check::run(arguments))),
            Command::Simulate(arguments) => Ok(judged(commands::simulate::run(arguments))),
            Command::Test(arguments) => Ok(judged(commands::test::run(arguments))),
        }
    };
    // Dropping the work stops all it has started.
    let outcome = tokio::select! {
        outcome = work => outcome,
        signal = commands::interrupted() => {
            say(format_args!("stopped by {signal}"));
            return ExitCode::from(130);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("{}", chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}
