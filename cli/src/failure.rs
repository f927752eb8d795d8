//! Why the local stack could not be had: each with its cause and what to do, in one message.
//!
//! Must not know: how messages are shown. [`chain`] renders one for whoever does.

use std::io;
use std::path::{Path, PathBuf};

use crate::aws::AwsError;
use crate::http::HttpError;

/// What kept the local stack from doing what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No interpreter under any of the usual names.
    #[error("no `python3` found: install Python 3.10 or newer and put it on the PATH")]
    PythonMissing,
    /// There is one, but the emulator needs a newer one.
    #[error("python `{found}` is too old: the local stack needs 3.10 or newer")]
    PythonTooOld {
        /// Its version.
        found: String,
    },
    /// Some distributions ship Python without its `venv` and `ensurepip`.
    #[error(
        "python cannot make a virtual environment: install its `venv` package (Debian, Ubuntu: `apt install python3-venv`): {detail}"
    )]
    VenvUnavailable {
        /// The last words of `python -m venv`.
        detail: String,
    },
    /// The packages could not be fetched.
    #[error(
        "no network: the local stack's packages could not be fetched (once; they are kept in `target/local`): see `{log}`"
    )]
    NoNetwork {
        /// The installer's whole output.
        log: PathBuf,
    },
    /// A package is not the one that was pinned.
    #[error("a fetched package is not the pinned one (hash mismatch), nothing of it was run: see `{log}`")]
    HashMismatch {
        /// The installer's whole output.
        log: PathBuf,
    },
    /// The installer failed otherwise.
    #[error("installing the local stack failed: {detail}: see `{log}`")]
    InstallFailed {
        /// Its last words.
        detail: String,
        /// Its whole output.
        log: PathBuf,
    },
    /// The disk is full.
    #[error("no space left on the disk of `{path}`: the local stack and its build need about 8 GB")]
    NoSpace {
        /// What was written when it happened.
        path: PathBuf,
    },
    /// Somebody else listens on the port that was asked for.
    #[error("port {port} of 127.0.0.1 is in use: stop what listens there or pass another `--port`")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The emulator ended before it was ready.
    #[error("the local stack ended while starting: {detail}: see `{log}`")]
    StackEnded {
        /// Its last words.
        detail: String,
        /// Its whole output.
        log: PathBuf,
    },
    /// The emulator did not become ready.
    #[error("the local stack did not answer within {seconds} s: see `{log}`")]
    StackSilent {
        /// How long was waited.
        seconds: u64,
        /// Its whole output.
        log: PathBuf,
    },
    /// The compiler has said why.
    #[error("building the functions failed: see the compiler's messages above")]
    BuildFailed,
    /// The build went well but made no such program.
    #[error("the build made no binary `{function}`: is it still a member of the workspace?")]
    NoBinary {
        /// The function.
        function: &'static str,
    },
    /// CloudFormation refused the stack.
    #[error("deploying `{stack}` failed: {reason}")]
    DeployFailed {
        /// The stack's name.
        stack: String,
        /// The first resource that failed, and why.
        reason: String,
    },
    /// The template has no such output.
    #[error("the template has no output `{output}`: it and the cli have grown apart")]
    NoOutput {
        /// The output's name.
        output: String,
    },
    /// A program that is part of the tool chain could not be run, or failed.
    #[error("`{program}` failed: {detail}")]
    Program {
        /// Which.
        program: String,
        /// Its last words, or why it did not start.
        detail: String,
    },
    /// AWS answered something else than its API says.
    #[error("the local stack's answer has no `{member}`")]
    NoAnswer {
        /// What was looked for.
        member: String,
    },
    /// An AWS call that must succeed did not.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The local HTTP endpoint could not be reached.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A webhook could not be signed.
    #[error("the webhook cannot be signed: {0}")]
    Signing(#[from] standardwebhooks::WebhookError),
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was done to it.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Makes an I/O error name the file and what was done to it. A full disk gets its own message.
pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull => Failure::NoSpace { path },
        _ => Failure::Io { action, path, source },
    }
}

/// An error with all its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// The last lines a program wrote, in one, for a message. Its whole output is in a log.
#[must_use]
pub fn last_words(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let skip = lines.len().saturating_sub(3);
    lines.into_iter().skip(skip).collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_its_own_message() {
        let error = at("write", Path::new("x"))(io::ErrorKind::StorageFull.into());
        assert!(matches!(error, Failure::NoSpace { .. }), "{error}");
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = at("read", Path::new("x"))(io::Error::other("broken"));
        assert_eq!(chain(&error), "cannot read `x`: broken");
    }

    #[test]
    fn last_words_are_the_last_three_lines() {
        assert_eq!(last_words("a\n\nb\n c \nd\n"), "b / c / d");
        assert_eq!(last_words(""), "");
    }
}
