//! The running emulator: a child process on 127.0.0.1 that cannot outlive this one.
//!
//! It leads a process group of its own and holds the reading end of a pipe. When the pipe closes, because the
//! value was dropped or this process died in whatever way, `infra/local/stack.py` kills the group, and with it
//! the functions' processes. So nothing is left behind by Ctrl-C, a panic or SIGKILL, and no `unsafe` is needed.
//!
//! Its environment is made here from nothing, because the functions inherit it.
//!
//! Must not know: Curfew's template.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::Method;

use crate::aws::{Aws, Credentials};
use crate::edge;
use crate::failure::{Failure, at, last_words};
use crate::http::send;
use crate::progress::say;
use crate::python::Python;
use crate::workspace::Workspace;

/// The emulator's own account.
pub const ACCOUNT: &str = "000000000000";

/// The region of everything here.
pub const REGION: &str = "us-east-1";

const POLL: Duration = Duration::from_millis(50);
const PATIENCE_SECONDS: u32 = 60;
const POLLS_A_SECOND: u32 = 20;

/// Whoever asked for no port gets a free one; another process may take it before the emulator does.
const TRIES: usize = 3;

/// A running local stack. Dropping it stops everything it started.
#[derive(Debug)]
pub struct LocalStack {
    python: Python,
    port: u16,
    run: RunFolder,
    child: Child,
}

impl LocalStack {
    /// Starts the emulator and waits until it answers (one to three seconds).
    ///
    /// # Errors
    /// The port is in use, or the emulator ended or stayed silent (its log is named).
    pub async fn start(workspace: &Workspace, python: &Python, port: Option<u16>) -> Result<Self, Failure> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let chosen = free_port(port)?;
            let outcome = Self::start_on(workspace, python, chosen).await;
            match outcome {
                Err(Failure::StackEnded { .. })
                    if tries > 0 && port.is_none() && free_port(Some(chosen)).is_err() => {}
                outcome => return outcome,
            }
        }
    }

    async fn start_on(workspace: &Workspace, python: &Python, port: u16) -> Result<Self, Failure> {
        let run = RunFolder::make(&workspace.local().join("run"), port)?;
        let log = File::create(run.log()).map_err(at("create", &run.log()))?;
        let errors = log.try_clone().map_err(at("create", &run.log()))?;
        let program = python.interpreter();
        let child = Command::new(&program)
            .arg("-B")
            .arg(workspace.infra_local("stack.py"))
            .env_clear()
            .envs(environment(port, &run.path))
            .current_dir(&run.path)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(at("run", &program))?;
        let mut stack = Self { python: python.clone(), port, run, child };
        stack.wait_until_ready().await?;
        Ok(stack)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let health = format!("{}/_ministack/health", self.endpoint());
        for poll in 0..PATIENCE_SECONDS * POLLS_A_SECOND {
            if let Some(status) = self.child.try_wait().map_err(at("wait for", &self.run.path))? {
                let log = self.run.keep_log()?;
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::StackEnded { detail: format!("{status}: {}", last_words(&said)), log });
            }
            match send(Method::GET, &health, &[], b"").await {
                Ok(reply) if reply.status == 200 => return Ok(()),
                // Not listening yet.
                _ => {}
            }
            if poll == 2 * POLLS_A_SECOND {
                say(format_args!("waiting for the local stack to answer"));
            }
            edge::pause(POLL).await;
        }
        Err(Failure::StackSilent { seconds: PATIENCE_SECONDS.into(), log: self.run.keep_log()? })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The endpoint of every AWS service, for clients on this machine.
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// What it and every request wrote so far.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.run.log()
    }

    /// Copies its log to where it outlives the stack.
    ///
    /// # Errors
    /// The copy cannot be written.
    pub fn keep_log(&self) -> Result<PathBuf, Failure> {
        self.run.keep_log()
    }

    /// A folder of its own, gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.run.path
    }

    /// The environment it was made with.
    #[must_use]
    pub fn python(&self) -> &Python {
        &self.python
    }

    /// The `aws` command line with these credentials.
    #[must_use]
    pub fn aws(&self, credentials: Credentials) -> Aws {
        Aws::new(self.python.aws(), self.endpoint(), REGION, credentials)
    }

    /// The `aws` command line of the emulator's account root, who may do everything.
    #[must_use]
    pub fn root(&self) -> Aws {
        self.aws(Credentials::emulator_root("test"))
    }

    /// The `aws` command line of another account's root. The account exists as soon as it is used.
    #[must_use]
    pub fn root_of(&self, account: &str) -> Aws {
        self.aws(Credentials::emulator_root(account))
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // Closing the pipe is what stops it and its functions; an error means that it has ended already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Everything the emulator and the functions get to see. Nothing of the caller's: no credentials, no profile.
fn environment(port: u16, folder: &Path) -> Vec<(&'static str, String)> {
    let below = |name: &str| folder.join(name).display().to_string();
    vec![
        ("AUTH", "true".into()),
        ("BIND_HOST", "127.0.0.1".into()),
        // The name its URLs are made with; see the module `http`.
        ("MINISTACK_HOST", "localhost".into()),
        ("MINISTACK_ACCOUNT_ID", ACCOUNT.into()),
        ("MINISTACK_REGION", REGION.into()),
        ("GATEWAY_PORT", port.to_string()),
        // It gives it to every function as well, or their clients would look for AWS.
        ("AWS_ENDPOINT_URL", endpoint(port)),
        // A second listener on a fixed port of all interfaces, for a service nobody uses here.
        ("IOT_MTLS_ENABLED", "0".into()),
        ("STATE_DIR", below("state")),
        ("S3_DATA_DIR", below("s3")),
        // Where it unpacks the functions.
        ("TMPDIR", below("tmp")),
        ("HOME", folder.display().to_string()),
        ("PYTHONUNBUFFERED", "1".into()),
    ]
}

/// The port asked for, if it is free, or a free one.
fn free_port(asked: Option<u16>) -> Result<u16, Failure> {
    let wanted = asked.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|_| Failure::PortInUse { port: wanted })
}

/// A run's own folder below `target/local/run`, removed with it. What runs that were killed left behind is
/// removed by the next one: their lock is gone.
#[derive(Debug)]
struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    fn make(runs: &Path, port: u16) -> Result<Self, Failure> {
        std::fs::create_dir_all(runs).map_err(at("create", runs))?;
        // Between making a lock file and locking it, another run would take it for an abandoned one.
        let guard = runs.join("making.lock");
        let _one_at_a_time =
            File::create(&guard).and_then(|file| file.lock().map(|()| file)).map_err(at("lock", &guard))?;
        remove_abandoned(runs);
        let path = runs.join(format!("{port}-{}", std::process::id()));
        for folder in ["state", "s3", "tmp"] {
            let folder = path.join(folder);
            std::fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        }
        let lock = lock_of(&path);
        let held = File::create(&lock).map_err(at("create", &lock))?;
        held.try_lock().map_err(|error| at("lock", &lock)(error.into()))?;
        Ok(Self { path, _lock: held })
    }

    fn log(&self) -> PathBuf {
        self.path.join("stack.log")
    }

    /// Copies the log to where it outlives the folder.
    fn keep_log(&self) -> Result<PathBuf, Failure> {
        let kept = self.path.with_extension("log");
        std::fs::copy(self.log(), &kept).map_err(at("copy to", &kept))?;
        Ok(kept)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        let _ = std::fs::remove_file(lock_of(&self.path));
    }
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

fn remove_abandoned(runs: &Path) {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return;
    };
    for entry in entries.flatten() {
        let lock = entry.path();
        if lock.extension().is_none_or(|kind| kind != "lock") {
            continue;
        }
        let Ok(file) = File::open(&lock) else {
            continue;
        };
        if file.try_lock().is_ok() {
            let _ = std::fs::remove_dir_all(lock.with_extension(""));
            let _ = std::fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_and_a_free_one_found() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = taken.local_addr().expect("its address").port();
        let refused = free_port(Some(port)).expect_err("the port is taken");
        assert!(refused.to_string().contains(&port.to_string()), "{refused}");
        assert_ne!(free_port(None).expect("a free port"), 0);
    }

    #[test]
    fn the_emulator_is_bound_to_this_machine_and_sees_nothing_of_the_caller() {
        let seen = environment(4601, Path::new("/x"));
        let get = |name: &str| {
            let found = seen.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(get("BIND_HOST"), Some("127.0.0.1"));
        assert_eq!(get("AUTH"), Some("true"));
        assert_eq!(get("IOT_MTLS_ENABLED"), Some("0"));
        assert_eq!(get("PATH"), None);
        assert_eq!(get("AWS_ACCESS_KEY_ID"), None);
    }

    #[test]
    fn a_run_removes_what_killed_runs_left_and_no_living_one() {
        let runs = std::env::temp_dir().join(format!("curfew-runs-{}", std::process::id()));
        let living = RunFolder::make(&runs, 1).expect("a folder");
        let dead = runs.join("2-1");
        std::fs::create_dir_all(&dead).expect("a folder");
        std::fs::write(lock_of(&dead), "").expect("a lock nobody holds");
        let other = RunFolder::make(&runs, 3).expect("a folder");
        assert!(living.path.exists());
        assert!(!dead.exists());
        let path = other.path.clone();
        drop(other);
        assert!(!path.exists());
        drop(living);
        std::fs::remove_dir_all(&runs).expect("an empty folder");
    }
}
