//! `curfew`: the command line for developers and operators.
//!
//! Must not know: how anything is done. It reads arguments, calls the library, and turns the outcome into an
//! exit code: 0 done, 1 not done (one line says why), 2 wrong usage, 130 stopped by a signal. Of the commands that judge
//! rules or an archive: 0 good, 1 not good (denied, failed, found something), 2 nothing to judge (unreadable, unusable).

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
    /// Say who has what now, in a deployed stack.
    Grants(commands::grants::Arguments),
    /// Tell one grant's story.
    Show(commands::show::Arguments),
    /// End access now: of one grant, a ticket, a person or a tenant.
    Revoke(commands::revoke::Arguments),
    /// Move a live grant's end back.
    Extend(commands::extend::Arguments),
    /// List the reviews that are owed, or record what you found in one.
    Review(commands::review::Arguments),
    /// Copy the archive into a folder.
    Export(commands::export::Arguments),
    /// Prove, offline, that a copy of the archive is whole; or name the first bad record.
    Verify(commands::verify::Arguments),
    /// Make the auditor's report of a period, and the access review, from a copy of the archive.
    Report(commands::report::Arguments),
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
            Command::Grants(arguments) => commands::grants::run(arguments).await,
            Command::Show(arguments) => commands::show::run(arguments).await,
            Command::Revoke(arguments) => commands::revoke::run(arguments).await,
            Command::Extend(arguments) => commands::extend::run(arguments).await,
            Command::Review(arguments) => commands::review::run(arguments).await,
            Command::Export(arguments) => commands::export::run(arguments).await,
            Command::Verify(arguments) => Ok(judged(commands::verify::run(arguments).await)),
            Command::Report(arguments) => Ok(judged(commands::report::run(arguments).await)),
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
