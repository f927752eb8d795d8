//! EventBridge in memory: timers by name, fired when the test asks.

use std::collections::BTreeMap;

use curfew_app::ports::{EffectError, Failure};
use curfew_domain::effect::{Found, Timer, TimerKind};
use curfew_domain::ids::GrantId;
use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    grant_id: GrantId,
    timer: Timer,
    fired: bool,
}

/// The expiry timers that are set.
#[derive(Debug, Default)]
pub struct MemoryTimers {
    entries: BTreeMap<String, Entry>,
}

impl MemoryTimers {
    pub(crate) fn set(
        &mut self,
        grant_id: &GrantId,
        timer: &Timer,
        now: Timestamp,
    ) -> Result<Found, EffectError> {
        let refuse = |code: &str, message: String| {
            let operation = match timer.kind {
                TimerKind::Scheduler => "CreateSchedule",
                TimerKind::Rule => "PutRule",
            };
            Err(EffectError { failure: Failure::Refused, operation, code: code.to_owned(), message })
        };
        if let Some(entry) = self.entries.get(&timer.name) {
            if &entry.grant_id != grant_id {
                return refuse("ConflictException", format!("schedule {} is another grant's", timer.name));
            }
            if entry.timer == *timer {
                return Ok(Found::Applied);
            }
        }
        if timer.kind == TimerKind::Scheduler && timer.fires_at <= now {
            return refuse("ValidationException", format!("{} is in the past", timer.fires_at));
        }
        let entry = Entry { grant_id: grant_id.clone(), timer: timer.clone(), fired: false };
        self.entries.insert(timer.name.clone(), entry);
        Ok(Found::Applied)
    }

    pub(crate) fn clear(&mut self, timer: &Timer) -> Found {
        match self.entries.remove(&timer.name) {
            Some(_) => Found::Deleted,
            None => Found::Absent,
        }
    }

    /// The grants whose timers fire by `now`, and have not fired before. A schedule deletes itself as it
    /// fires; a rule stays until it is removed.
    pub fn fire(&mut self, now: Timestamp) -> Vec<GrantId> {
        let mut fired = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| !entry.fired && entry.timer.fires_at <= now) {
            entry.fired = true;
            fired.push(entry.grant_id.clone());
        }
        self.entries.retain(|_, entry| !(entry.fired && entry.timer.kind == TimerKind::Scheduler));
        fired
    }

    /// The grants that have a timer, and when it fires.
    pub fn set_timers(&self) -> impl Iterator<Item = (&GrantId, Timestamp)> {
        self.entries.values().map(|entry| (&entry.grant_id, entry.timer.fires_at))
    }

    /// The names of the timers that are there.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }
}
