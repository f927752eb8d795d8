//! Throttling: a source that sends faster than it should does not keep the function from the others.
//!
//! Counted in each instance of the function for itself, after verification (who has proven nothing can use up nobody's
//! share), for approvals alone (what ends access is never put off), and with nothing written: the refused delivery is as if
//! it had not been sent, so its next try is judged as the first. Must not know what a delivery says.

use std::collections::BTreeMap;
use std::sync::Mutex;

use curfew_domain::ids::Source;
use jiff::{SignedDuration, Timestamp};

/// Lets each source send so many deliveries a minute, and as many at once.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_minute: u32,
    /// For each source, until when its deliveries so far are paid for.
    paid_until: Mutex<BTreeMap<Source, Timestamp>>,
}

impl Throttle {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, paid_until: Mutex::new(BTreeMap::new()) }
    }

    /// Takes a delivery of `source` in.
    ///
    /// # Errors
    /// How many seconds the source should wait, at least one.
    pub(crate) fn admit(&self, source: &Source, now: Timestamp) -> Result<(), u32> {
        let cost = SignedDuration::from_secs(60) / i32::try_from(self.per_minute.max(1)).unwrap_or(i32::MAX);
        let mut sources = self.paid_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let paid_until = sources.get(source).copied().unwrap_or(now).max(now);
        let next = curfew_domain::window::plus(paid_until, cost);
        let debt = next.duration_since(now);
        // A minute's worth at once: a change window approves many tickets in the same second.
        if debt > SignedDuration::from_secs(60) {
            let wait = debt - SignedDuration::from_secs(60);
            return Err(u32::try_from(wait.as_secs()).unwrap_or(0).saturating_add(1));
        }
        sources.insert(source.clone(), next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_takes_none_of_another() {
        let throttle = Throttle::new(6);
        let (one, other) = (Source::new("one").unwrap(), Source::new("other").unwrap());
        let start: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let at = |seconds| curfew_domain::window::plus(start, SignedDuration::from_secs(seconds));
        let admitted = (0..20).filter(|_| throttle.admit(&one, at(0)).is_ok()).count();
        assert_eq!(admitted, 6);
        assert_eq!(throttle.admit(&other, at(0)), Ok(()));
        let wait = throttle.admit(&one, at(0)).unwrap_err();
        assert_eq!(wait, 11);
        assert!(throttle.admit(&one, at(9)).is_err());
        // Who waits as told is let in, and being refused cost nothing.
        assert_eq!(throttle.admit(&one, at(11)), Ok(()));
        assert!(throttle.admit(&one, at(11)).is_err());
    }
}
