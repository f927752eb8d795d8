//! The subcommands, and what they share.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod local;
pub(crate) mod simulate;
pub(crate) mod test;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

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
