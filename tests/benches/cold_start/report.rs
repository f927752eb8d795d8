//! What was measured, each value beside its budget: as a table, or as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::budget::{FIRST_POLL_MAX, RESIDENT_BYTES_MAX, binary_bytes_max};

/// Median and 95th percentile.
pub(crate) struct Times {
    median: Duration,
    p95: Duration,
}

impl Times {
    /// By nearest rank; zero, if there are none.
    pub(crate) fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let rank = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { median: rank(50), p95: rank(95) }
    }

    fn json(&self) -> Value {
        json!({ "median": milliseconds(self.median), "p95": milliseconds(self.p95) })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} / {:.1} ms", milliseconds(self.median), milliseconds(self.p95))
    }
}

/// What a function's starts cost.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) first_poll: Times,
    /// The most of all starts; nothing where it can't be read.
    pub(crate) resident_bytes: Option<u64>,
    /// As above, for each start's highest value.
    pub(crate) resident_bytes_peak: Option<u64>,
    pub(crate) binary_bytes: u64,
}

/// Everything that was measured.
pub(crate) struct Report {
    /// How often each program was started.
    pub(crate) starts: u16,
    /// The barest process of this machine.
    pub(crate) bare: Times,
    pub(crate) functions: Vec<Function>,
}

impl Report {
    /// Whether every program is as small as it must be.
    pub(crate) fn sizes_are_within_budget(&self) -> bool {
        self.functions.iter().all(|function| function.binary_bytes <= binary_bytes_max(function.name))
    }

    /// How many bare processes start in the time of one of this function.
    fn times_bare(&self, function: &Function) -> f64 {
        function.first_poll.median.as_secs_f64() / self.bare.median.as_secs_f64().max(f64::EPSILON)
    }

    /// The report for programs. Times in milliseconds, sizes in bytes.
    pub(crate) fn json(&self) -> Value {
        let functions = self.functions.iter().map(|function| {
            json!({
                "name": function.name,
                "first_poll_ms": function.first_poll.json(),
                "first_poll_times_bare": self.times_bare(function),
                "resident_bytes": function.resident_bytes,
                "resident_bytes_peak": function.resident_bytes_peak,
                "binary_bytes": function.binary_bytes,
                "binary_bytes_budget": binary_bytes_max(function.name),
            })
        });
        json!({
            "machine": machine(),
            "starts": self.starts,
            "bare_process_ms": self.bare.json(),
            "budgets": {
                "first_poll_ms": milliseconds(FIRST_POLL_MAX),
                "resident_bytes": RESIDENT_BYTES_MAX,
            },
            "functions": functions.collect::<Vec<_>>(),
            "sizes_are_within_budget": self.sizes_are_within_budget(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (starts, machine) = (self.starts, machine());
        writeln!(f, "cold start, {starts} starts each, {machine}; times are median / 95th percentile")?;
        writeln!(f, "a bare process: {}", self.bare)?;
        writeln!(f)?;
        row(f, ["function", "start to first poll", "x bare", "resident (peak)", "program"])?;
        row(
            f,
            [
                "budget",
                &format!("{:.1} ms", milliseconds(FIRST_POLL_MAX)),
                "",
                &megabytes(RESIDENT_BYTES_MAX),
                "as named",
            ],
        )?;
        for function in &self.functions {
            let resident = match (function.resident_bytes, function.resident_bytes_peak) {
                (Some(bytes), Some(peak)) => format!("{} ({})", megabytes(bytes), megabytes(peak)),
                _ => "only on Linux".to_owned(),
            };
            let budget = binary_bytes_max(function.name);
            let over = if function.binary_bytes > budget { " OVER BUDGET" } else { "" };
            row(
                f,
                [
                    function.name,
                    &function.first_poll.to_string(),
                    &format!("{:.1}", self.times_bare(function)),
                    &resident,
                    &format!("{} of {}{over}", megabytes(function.binary_bytes), megabytes(budget)),
                ],
            )?;
        }
        Ok(())
    }
}

/// One line of the table.
fn row(f: &mut fmt::Formatter<'_>, [name, time, ratio, memory, size]: [&str; 5]) -> fmt::Result {
    writeln!(f, "{name:<10}{time:>22}{ratio:>9}{memory:>22}  {size:>9}")
}

/// The processor and system that it was measured on.
fn machine() -> String {
    format!("{} {}", std::env::consts::ARCH, std::env::consts::OS)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// To the nearest tenth, upwards: what is over a budget must not look as if it were within.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
