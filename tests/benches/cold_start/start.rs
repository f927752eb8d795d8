//! One start of one program, observed from outside.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binaries::Binary;
use crate::stub::{POLL, Stub};
use crate::{BARE, Failure, environment};

/// How long a start may take before it is given up: far more than any machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a program that does not poll has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a start cost.
pub(crate) struct Start {
    /// From just before the process was made to its first poll.
    pub(crate) first_poll: Duration,
    /// At that time; only Linux tells.
    pub(crate) memory: Option<Memory>,
}

/// The memory of a process.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// What is resident: `VmRSS`.
    pub(crate) resident_bytes: u64,
    /// The most that was: `VmHWM`.
    pub(crate) resident_bytes_peak: u64,
}

/// The one clock of the bench.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measuring time is what the bench is for")]
    Instant::now()
}

/// How long the barest process takes on this machine, from just before it is made until it has ended.
pub(crate) fn bare() -> Result<Duration, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let begun = now();
    let status = command.arg(BARE).env_clear().stdin(Stdio::null()).status()?;
    let taken = begun.elapsed();
    if status.success() { Ok(taken) } else { Err(format!("the bare process ended with {status}").into()) }
}

/// Starts a function, waits for its first poll, and ends it.
pub(crate) fn first_poll(binary: &Binary, stub: &Stub) -> Result<Start, Failure> {
    let mut command = Command::new(&binary.path);
    environment::set(&mut command, stub.address());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = now();
    let child = command.spawn().map_err(|error| format!("`{}`: {error}", binary.path.display()))?;
    let mut running = Running(Some(child));
    let name = binary.name;
    let heard = loop {
        if let Some(heard) = stub.next(LOOK_EVERY) {
            break heard;
        }
        if running.has_ended()? {
            return Err(format!("`{name}` ended before it asked for an event:\n{}", running.end()?).into());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("`{name}` asked for no event in {PATIENCE:?}:\n{}", running.end()?).into());
        }
    };
    if !heard.line.starts_with(POLL) {
        return Err(
            format!("`{name}` asked for `{}` at its start, which must ask for nothing", heard.line).into()
        );
    }
    let memory = running.memory();
    running.end()?;
    Ok(Start { first_poll: heard.at.duration_since(begun), memory })
}

/// A process that does not outlive its measurement, whatever happens.
struct Running(Option<Child>);

impl Running {
    fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(match &mut self.0 {
            Some(child) => child.try_wait()?.is_some(),
            None => true,
        })
    }

    /// Reads the kernel's account of the process (proc_pid_status(5)).
    fn memory(&self) -> Option<Memory> {
        let id = self.0.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        Some(Memory { resident_bytes: bytes("VmRSS:")?, resident_bytes_peak: bytes("VmHWM:")? })
    }

    /// Ends the process. Returns what it wrote.
    fn end(&mut self) -> Result<String, Failure> {
        let Some(mut child) = self.0.take() else { return Ok(String::new()) };
        // Fails if it has ended by itself.
        drop(child.kill());
        let output = child.wait_with_output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(format!("{}, {}", out.trim_end(), err.trim_end()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever drops it without ending it has an error to tell already.
        drop(self.end());
    }
}
