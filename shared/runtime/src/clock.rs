//! The system's clock: the one place that reads it.

use curfew_app::ports::Clock;
use curfew_domain::window::whole_second;
use jiff::Timestamp;

/// The clock of the machine, which Lambda keeps in step with UTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// Now, without its fraction of a second. Cut towards the past, a removal never seems to have begun
    /// later than it did, so it can't count as proof too early.
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = Timestamp::now();
        whole_second(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_whole_seconds() {
        assert_eq!(SystemClock.now().subsec_nanosecond(), 0);
    }
}
