//! What happened under a load, in numbers, and as a table.

use std::collections::BTreeMap;
use std::fmt;

use crate::network::CallName;

/// What happened in one minute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minute {
    /// Grants that closed in it, by account: privileged, others.
    pub closed: BTreeMap<String, (usize, usize)>,
    /// How many of them a timer's invocation closed, and how many the sweep.
    pub closed_by: (usize, usize),
    /// How many are left after it, by account: privileged, others.
    pub left: BTreeMap<String, (usize, usize)>,
    /// Writes that IAM let through, by account.
    pub writes: BTreeMap<String, usize>,
    /// Tries that IAM throttled.
    pub throttled: usize,
    /// Calls of the lap that began in it, by name. Further tries are not counted.
    pub lap_calls: BTreeMap<CallName, usize>,
    /// Grants that the lap closed.
    pub lap_closed: usize,
    /// Grants that are not privileged and that the lap closed although it left a privileged one of the same account
    /// and of the same minute, or an earlier one.
    pub lap_inversions: usize,
    /// Whether Lambda had to end the lap.
    pub lap_killed: bool,
}

/// What happened under a load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The minutes after the end of the windows, until nothing was left.
    pub minutes: Vec<Minute>,
    /// Documents that allowed a second before their grant's end.
    pub allowed_before: usize,
    /// Documents that still allowed at their grant's end, before anything else had been done.
    pub allowed_at_end: usize,
    /// Documents of ended windows that allowed at the end of any minute.
    pub allowed_after: usize,
    /// Grants that are closed in the end, with AWS's word.
    pub closed: usize,
    /// `RevocationFailed` in the ledger.
    pub failures_recorded: usize,
    /// Events in the ledger.
    pub events: usize,
    /// Invocations of timers: begun, and those that Lambda gave up on.
    pub timer_invocations: usize,
    /// Invocations of timers that went to the queue of failed ones.
    pub dead_letters: usize,
    /// How often a timer's invocation found its account throttled.
    pub timers_throttled: usize,
    /// Grants of the load and those that were asked for meanwhile, failed openings included.
    pub grants: usize,
    /// Of each grant that was asked for meanwhile: milliseconds until it was active, further deliveries included.
    pub opened_after: Vec<u64>,
    /// Of each of them: milliseconds from its early revocation until AWS had confirmed its end.
    pub revoked_after: Vec<u64>,
    /// When the poison grant closed, in milliseconds after AWS let it.
    pub poison_after: Option<u64>,
    /// Broken promises at the end.
    pub violations: Vec<String>,
}

impl Minute {
    /// The calls of its lap.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lap_calls.values().sum()
    }

    /// How many of privileged grants and of others are left after it.
    #[must_use]
    pub fn left(&self) -> (usize, usize) {
        self.left.values().fold((0, 0), |sum, left| (sum.0 + left.0, sum.1 + left.1))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6}  {:>6} {:>6}  {:>10} {:>6}  {:>7} {:>9}  {:>9}",
            "minute", "timers", "sweep", "privileged", "others", "IAM did", "throttled", "lap calls"
        )?;
        writeln!(f, "{:>6}  {:^13}  {:^17}  {:^17}", "", "closed by", "left", "writes")?;
        for (n, minute) in self.minutes.iter().enumerate() {
            let (privileged, others) = minute.left();
            let (timers, sweep) = minute.closed_by;
            let writes: usize = minute.writes.values().sum();
            let (throttled, calls) = (minute.throttled, minute.calls());
            let killed = if minute.lap_killed { " killed" } else { "" };
            writeln!(
                f,
                "{n:>6}  {timers:>6} {sweep:>6}  {privileged:>10} {others:>6}  {writes:>7} {throttled:>9}  {calls:>9}{killed}"
            )?;
        }
        let most = |millis: &[u64]| millis.iter().max().copied().unwrap_or_default().div_ceil(1000);
        let Self { allowed_before, allowed_at_end, allowed_after, closed, grants, .. } = self;
        writeln!(
            f,
            "documents that allow: a second before their end {allowed_before}, at it {allowed_at_end}, later {allowed_after}"
        )?;
        writeln!(
            f,
            "closed, with AWS's word: {closed} of {grants}; RevocationFailed in the ledger: {}",
            self.failures_recorded
        )?;
        writeln!(
            f,
            "timers: {} invocations, {} throttled, {} given up by Lambda",
            self.timer_invocations, self.timers_throttled, self.dead_letters
        )?;
        writeln!(
            f,
            "asked for meanwhile: {}; active after at most {} s; revoked early and gone after at most {} s",
            self.opened_after.len(),
            most(&self.opened_after),
            most(&self.revoked_after)
        )?;
        writeln!(f, "broken promises: {}", self.violations.len())
    }
}
