//! Python programs in virtual environments below `target/local`: the emulator with the `aws` command line, and what
//! tests sign webhooks with.
//!
//! Pinned by version and hash (a `requirements.txt` each), installed once, shared by parallel processes.
//! Whatever was left half-made by an interrupted run is thrown away and made again.
//!
//! Must not know: what the packages do.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::failure::{Failure, at, last_words};
use crate::progress::say;
use crate::workspace::Workspace;

/// The oldest Python the pinned packages run on.
const OLDEST: (u32, u32) = (3, 10);

/// Where to look: a system's `python3` may be older than one installed beside it.
const NAMES: [&str; 7] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// Written last: a folder without it is not used.
const MARKER: &str = "installed";

/// A virtual environment with everything in it.
#[derive(Debug, Clone)]
pub struct Python {
    venv: PathBuf,
}

impl Python {
    /// Finds the local stack's environment, or makes it (a minute, once, needs the network).
    ///
    /// # Errors
    /// No Python, too old a Python, no network, no disk, a package that is not the pinned one: see [`Failure`].
    pub async fn provision(workspace: &Workspace) -> Result<Self, Failure> {
        let requirements = workspace.infra_local("requirements.txt");
        Self::provision_from(workspace, &requirements, "the local stack (once; about a minute)").await
    }

    /// Finds the environment of a `requirements.txt` with hashes, or makes it; `what` says what for.
    ///
    /// # Errors
    /// As [`Self::provision`].
    pub async fn provision_from(
        workspace: &Workspace,
        requirements: &Path,
        what: &str,
    ) -> Result<Self, Failure> {
        let pinned = std::fs::read_to_string(requirements).map_err(at("read", requirements))?;
        let base = Interpreter::find().await?;
        let digest = Sha256::digest(format!("{}\n{pinned}", base.version));
        let name: String = HEXLOWER.encode(&digest).chars().take(12).collect();
        let found = Self { venv: workspace.local().join(format!("venv-{name}")) };
        if found.is_complete() {
            return Ok(found);
        }
        let _alone = workspace.lock("python environment").await?;
        if !found.is_complete() {
            say(format_args!("installing {what}"));
            found.make(workspace, &base, requirements, &pinned).await?;
        }
        Ok(found)
    }

    /// Its interpreter.
    #[must_use]
    pub fn interpreter(&self) -> PathBuf {
        self.venv.join("bin").join("python")
    }

    /// Its `aws` command line.
    #[must_use]
    pub fn aws(&self) -> PathBuf {
        self.venv.join("bin").join("aws")
    }

    fn is_complete(&self) -> bool {
        self.venv.join(MARKER).exists()
    }

    async fn make(
        &self,
        workspace: &Workspace,
        base: &Interpreter,
        requirements: &Path,
        pinned: &str,
    ) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.venv) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(at("remove", &self.venv)(error));
            }
            _ => {}
        }
        let made = Command::new(&base.program)
            .args(["-m", "venv"])
            .arg(&self.venv)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(at("run", &base.program))?;
        if !made.status.success() {
            let said = [made.stdout, made.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            return Err(if is_out_of_space(&said) {
                Failure::NoSpace { path: self.venv.clone() }
            } else {
                Failure::VenvUnavailable { detail: last_words(&said) }
            });
        }
        let log = workspace.local().join("install.log");
        self.install(requirements, &log).await?;
        let marker = self.venv.join(MARKER);
        std::fs::write(&marker, pinned).map_err(at("write", &marker))
    }

    async fn install(&self, requirements: &Path, log: &Path) -> Result<(), Failure> {
        let program = self.interpreter();
        let mut installer = Command::new(&program)
            // Wheels only: nothing that is fetched runs before its hash was checked, and nothing is compiled.
            .args(["-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:"])
            .args(["--no-input", "--disable-pip-version-check", "--progress-bar=off"])
            .args(["--retries=2", "--timeout=20", "-r"])
            .arg(requirements)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(at("run", &program))?;
        let (stdout, stderr) = (installer.stdout.take(), installer.stderr.take());
        let out = async {
            let mut said = String::new();
            let Some(stdout) = stdout else {
                return Ok(said);
            };
            let mut lines = BufReader::new(stdout).lines();
            let mut fetched = 0;
            while let Some(line) = lines.next_line().await? {
                if let Some(package) = line.strip_prefix("Collecting ") {
                    fetched += 1;
                    let name = package.split(['=', ' ']).next().unwrap_or(package);
                    say(format_args!("  {fetched} {name}"));
                }
                said.push_str(&line);
                said.push('\n');
            }
            Ok::<_, std::io::Error>(said)
        };
        let err = async {
            let mut said = String::new();
            if let Some(mut stderr) = stderr {
                stderr.read_to_string(&mut said).await?;
            }
            Ok::<_, std::io::Error>(said)
        };
        let (out, err, ended) = tokio::join!(out, err, installer.wait());
        let mut said = out.map_err(at("read from", &program))?;
        said.push_str(&err.map_err(at("read from", &program))?);
        std::fs::write(log, &said).map_err(at("write", log))?;
        if ended.map_err(at("wait for", &program))?.success() {
            Ok(())
        } else {
            Err(why_not_installed(&said, log))
        }
    }
}

/// A Python that may be the environment's base.
#[derive(Debug)]
struct Interpreter {
    program: PathBuf,
    version: String,
}

impl Interpreter {
    async fn find() -> Result<Self, Failure> {
        let mut too_old = None;
        for name in NAMES {
            let Some(version) = version_of(name).await else {
                continue;
            };
            if is_recent(&version) {
                return Ok(Self { program: PathBuf::from(name), version });
            }
            too_old.get_or_insert_with(|| version.split(' ').next().unwrap_or_default().to_owned());
        }
        Err(too_old.map_or(Failure::PythonMissing, |found| Failure::PythonTooOld { found }))
    }
}

/// What an interpreter says it is (version and prefix), or None where there is none (or only a shim without one behind it).
async fn version_of(program: impl AsRef<OsStr>) -> Option<String> {
    let said = Command::new(program)
        .args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.base_prefix)"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    (said.status.success() && !version.is_empty()).then_some(version)
}

fn is_recent(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()) >= Some(OLDEST)
}

fn is_out_of_space(said: &str) -> bool {
    said.contains("No space left on device")
}

/// Tells the failures a person can do something about from each other, by what the installer wrote.
fn why_not_installed(said: &str, log: &Path) -> Failure {
    let log = log.to_owned();
    let any = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if is_out_of_space(said) {
        Failure::NoSpace { path: log }
    } else if any(&["DO NOT MATCH THE HASHES"]) {
        Failure::HashMismatch { log }
    } else if any(&[
        "NewConnectionError",
        "ConnectTimeoutError",
        "NameResolutionError",
        "Failed to establish a new connection",
        "Max retries exceeded",
        "ProxyError",
        "ReadTimeoutError",
        // What is pinned exists: who sees no version of it has not seen the registry.
        "(from versions: none)",
    ]) {
        Failure::NoNetwork { log }
    } else {
        Failure::InstallFailed { detail: last_words(said), log }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ten_is_the_oldest() {
        assert!(is_recent("3.10.0"));
        assert!(is_recent("3.14.2 /usr"));
        assert!(is_recent("4.0.0"));
        for old in ["3.9.18", "2.7.18", "", "three"] {
            assert!(!is_recent(old), "{old}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_no_python() {
        assert_eq!(version_of("no-such-python").await, None);
        assert_eq!(version_of("false").await, None);
    }

    #[test]
    fn what_the_installer_wrote_becomes_one_clear_message() {
        let told = |said: &str| why_not_installed(said, Path::new("log")).to_string();
        assert!(told("ERROR: Could not install: [Errno 28] No space left on device").contains("no space"));
        assert!(
            told("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.")
                .contains("hash mismatch")
        );
        let offline = "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: Could not find a version";
        assert!(told(offline).contains("no network"));
        assert!(
            told(
                "ERROR: Could not find a version that satisfies the requirement attrs (from versions: none)"
            )
            .contains("no network")
        );
        assert!(told("ERROR: something else").contains("something else"));
    }
}
