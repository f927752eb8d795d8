//! The functions as packages: built for this machine, zipped, kept until the binary changes.
//!
//! One `cargo build` for all of them in the developer's own profile, so that most of it is what `cargo test` and
//! `cargo run` have compiled already.
//!
//! Must not know: the template and what is decided by. That goes into the package at deployment ([`crate::deploy`]).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::edge;
use crate::failure::{Failure, at, last_words};
use crate::progress::say;
use crate::python::Python;
use crate::workspace::Workspace;

/// A Lambda function of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Takes the webhooks.
    Grant,
    /// Ends grants.
    Revoke,
    /// Finishes what is overdue.
    Sweep,
    /// Carries events to the bus and the archive.
    Audit,
    /// Shows who has what now.
    Console,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Grant, Self::Revoke, Self::Sweep, Self::Audit, Self::Console];

    /// Its binary, and its artifact's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Sweep => "sweep",
            Self::Audit => "audit",
            Self::Console => "console",
        }
    }

    /// Its resource in the template.
    #[must_use]
    pub fn logical_id(self) -> &'static str {
        match self {
            Self::Grant => "GrantFunction",
            Self::Revoke => "RevokeFunction",
            Self::Sweep => "SweepFunction",
            Self::Audit => "AuditFunction",
            Self::Console => "ConsoleFunction",
        }
    }

    /// The folders of [`Contents`](crate::deploy::Contents) that its package holds.
    #[must_use]
    pub fn reads(self) -> &'static [&'static str] {
        match self {
            Self::Grant => &["catalog", "guardrails", "senders"],
            Self::Revoke | Self::Audit | Self::Console => &[],
            Self::Sweep => &["catalog"],
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Grant => "curfew-fn-grant",
            Self::Revoke => "curfew-fn-revoke",
            Self::Sweep => "curfew-fn-sweep",
            Self::Audit => "curfew-fn-audit",
            Self::Console => "curfew-fn-console",
        }
    }
}

/// The built packages, each with nothing but its `bootstrap`.
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

impl Artifacts {
    /// Builds the functions and packs what has changed. The first build takes minutes; cargo shows its progress.
    ///
    /// # Errors
    /// The build failed (the compiler has said why), or a package could not be written.
    pub async fn build(workspace: &Workspace, python: &Python) -> Result<Self, Failure> {
        let _alone = workspace.lock("functions").await?;
        let folder = workspace.local().join("artifacts");
        std::fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        say(format_args!("building the functions (the first time takes some minutes)"));
        let built = cargo_build(workspace).await?;
        let artifacts = Self { folder };
        for function in Function::ALL {
            let binary = built
                .iter()
                .find(|(name, _)| name == function.name())
                .map(|(_, binary)| binary)
                .ok_or(Failure::NoBinary { function: function.name() })?;
            artifacts.pack(workspace, python, function, binary).await?;
        }
        Ok(artifacts)
    }

    /// The package of one function.
    #[must_use]
    pub fn package(&self, function: Function) -> PathBuf {
        self.folder.join(format!("{}.zip", function.name()))
    }

    async fn pack(
        &self,
        workspace: &Workspace,
        python: &Python,
        function: Function,
        binary: &Path,
    ) -> Result<(), Failure> {
        let package = self.package(function);
        let stamp = package.with_extension("packed");
        let state = state_of(binary)?;
        if package.exists() && std::fs::read_to_string(&stamp).is_ok_and(|packed| packed == state) {
            return Ok(());
        }
        let stripped = strip(binary, &self.folder.join(function.name())).await;
        let script = workspace.infra_local("package.py");
        let mut command = Command::new(python.interpreter());
        command
            .args(["-B".as_ref(), script.as_os_str(), "zip".as_ref()])
            .arg(stripped.as_deref().unwrap_or(binary))
            .arg(&package);
        run(command, "package.py zip").await?;
        std::fs::write(&stamp, state).map_err(at("write", &stamp))
    }
}

/// Runs a helper program to its end; what it wrote on standard output.
pub(crate) async fn run(mut command: Command, name: &str) -> Result<String, Failure> {
    let failed = |detail: String| Failure::Program { program: name.to_owned(), detail };
    let said = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if said.status.success() {
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    } else {
        Err(failed(last_words(&String::from_utf8_lossy(&said.stderr))))
    }
}

/// Builds all functions; the binaries by name.
async fn cargo_build(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>, Failure> {
    let cargo = PathBuf::from(edge::variable("CARGO").unwrap_or_else(|| "cargo".into()));
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--bins", "--message-format=json-render-diagnostics"])
        // With the cli in the same invocation its features are those of `cargo run --package curfew-cli`.
        .args(["--package", "curfew-cli"]);
    for function in Function::ALL {
        command.args(["--package", function.package()]);
    }
    let mut build = command
        .current_dir(workspace.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(at("run", &cargo))?;
    let mut built = Vec::new();
    if let Some(stdout) = build.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.map_err(at("read from", &cargo))? {
            built.extend(executable(&line));
        }
    }
    let ended = build.wait().await.map_err(at("wait for", &cargo))?;
    if ended.success() { Ok(built) } else { Err(Failure::BuildFailed) }
}

/// The executable a line of cargo's messages speaks of.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

/// Changes when the binary does.
fn state_of(binary: &Path) -> Result<String, Failure> {
    let state = std::fs::metadata(binary).map_err(at("look at", binary))?;
    let changed =
        state.modified().map_err(at("look at", binary))?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} {}", state.len(), changed.as_nanos()))
}

/// A copy without debug information, where the platform's `strip` is at hand: the emulator unpacks and keeps
/// every package, and refuses one over 250 MB.
async fn strip(binary: &Path, output: &Path) -> Option<PathBuf> {
    let mut command = Command::new("strip");
    command.arg("-o").arg(output).arg(binary);
    run(command, "strip").await.ok()?;
    Some(output.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executables_are_read_from_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"grant"},"executable":"/t/grant"}"#;
        assert_eq!(executable(line), Some(("grant".to_owned(), PathBuf::from("/t/grant"))));
        for other in [
            r#"{"reason":"compiler-artifact","target":{"name":"curfew_fn_grant"},"executable":null}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "not json",
        ] {
            assert_eq!(executable(other), None, "{other}");
        }
    }
}
