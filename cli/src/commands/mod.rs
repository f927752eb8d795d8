//! The subcommands, and what they share.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod extend;
pub(crate) mod grants;
pub(crate) mod local;
pub(crate) mod report;
pub(crate) mod review;
pub(crate) mod revoke;
pub(crate) mod show;
pub(crate) mod simulate;
pub(crate) mod test;
pub(crate) mod verify;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use curfew_cli::operate::reply::good;
use curfew_cli::operate::words::json;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// How a subcommand ends.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// How a subcommand ends that judges something: with its exit code, or unable to judge.
pub(crate) type Judged = Result<ExitCode, Box<dyn std::error::Error>>;

/// Waits for Ctrl-C, or for being asked to go; which of them.
pub(crate) async fn interrupted() -> &'static str {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => signal.recv().await.map_or((), drop),
        // Without a handler the signal ends the process, and that ends the stack.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "Ctrl-C",
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::hangup()) => "SIGHUP",
    }
}

/// Writes a command's result on standard output.
///
/// # Errors
/// Nobody reads it any more.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a judgement on standard output. If nobody reads it any more (`| head`), the exit code still tells it.
///
/// # Errors
/// It could not be written for another reason.
pub(crate) fn tell(text: &str) -> std::io::Result<()> {
    match print(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Tells what a function answered: as it is, or in words. That it said no is no success.
///
/// # Errors
/// It said no and nobody asked for JSON, or the answer can't be read.
pub(crate) fn answered<T: DeserializeOwned>(
    function: &str,
    answer: &Value,
    as_json: bool,
    in_words: impl FnOnce(&T) -> String,
) -> Judged {
    let read = good::<T>(function, answer);
    if as_json && answer.get("ok").is_some_and(Value::is_boolean) {
        tell(&json(answer)?)?;
        return Ok(if read.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    tell(&in_words(&read?))?;
    Ok(ExitCode::SUCCESS)
}
