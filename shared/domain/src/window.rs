//! Windows: the span of time over which access holds.
//!
//! Whole seconds in UTC, because that is the grain of IAM's date conditions and of Curfew's records.
//! Knows nothing of limits (a role's) or of the clock (a port's).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Why two times are no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the window ends at {expires_at}, which is not after its start at {starts_at}")]
pub struct WindowError {
    /// The start that was asked for.
    pub starts_at: Timestamp,
    /// The end that was asked for.
    pub expires_at: Timestamp,
}

/// The half-open span `[starts_at, expires_at)`, in whole seconds, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawWindow")]
pub struct Window {
    starts_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct RawWindow {
    starts_at: Timestamp,
    expires_at: Timestamp,
}

impl TryFrom<RawWindow> for Window {
    type Error = WindowError;

    fn try_from(raw: RawWindow) -> Result<Self, WindowError> {
        Self::new(raw.starts_at, raw.expires_at)
    }
}

impl Window {
    /// A window between two times; fractions of a second are cut off both, so it never grows at its end.
    ///
    /// # Errors
    /// [`WindowError`] if nothing lies between them.
    pub fn new(starts_at: Timestamp, expires_at: Timestamp) -> Result<Self, WindowError> {
        let (starts_at, expires_at) = (whole_second(starts_at), whole_second(expires_at));
        if starts_at < expires_at {
            Ok(Self { starts_at, expires_at })
        } else {
            Err(WindowError { starts_at, expires_at })
        }
    }

    /// The first second of access.
    #[must_use]
    pub fn starts_at(self) -> Timestamp {
        self.starts_at
    }

    /// The first second without access.
    #[must_use]
    pub fn expires_at(self) -> Timestamp {
        self.expires_at
    }

    /// How long the window is.
    #[must_use]
    pub fn length(self) -> SignedDuration {
        self.expires_at.duration_since(self.starts_at)
    }

    /// Whether `time` lies in the window.
    #[must_use]
    pub fn contains(self, time: Timestamp) -> bool {
        self.starts_at <= time && time < self.expires_at
    }

    /// Whether this is `before` without its end: no second that is not in it, and an earlier end.
    #[must_use]
    pub fn shortens(self, before: Self) -> bool {
        self.starts_at >= before.starts_at && self.expires_at < before.expires_at
    }

    /// Whether the window is over at `time`.
    #[must_use]
    pub fn is_over_at(self, time: Timestamp) -> bool {
        self.expires_at <= time
    }
}

/// `time` without its fraction of a second (towards the past).
#[must_use]
pub fn whole_second(time: Timestamp) -> Timestamp {
    let floor = if time.subsec_nanosecond() < 0 { time.as_second() - 1 } else { time.as_second() };
    Timestamp::from_second(floor).unwrap_or(Timestamp::MIN)
}

/// `time` moved up to a whole minute (unchanged if it is one).
///
/// EventBridge fires anywhere inside the minute that a schedule names
/// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>): rounded up, a timer
/// never comes before the end that it announces.
#[must_use]
pub fn whole_minute_up(time: Timestamp) -> Timestamp {
    let second = whole_second(time).as_second();
    let past = second.rem_euclid(60);
    let up = if past == 0 { second } else { second.saturating_add(60 - past) };
    Timestamp::from_second(up).unwrap_or(Timestamp::MAX)
}

/// `time` moved by `by`, stopping at the ends of representable time instead of overflowing.
#[must_use]
pub fn plus(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_half_open() {
        let window = Window::new(at("2026-01-01T10:00:00Z"), at("2026-01-01T11:00:00Z")).unwrap();
        assert!(!window.contains(at("2026-01-01T09:59:59Z")));
        assert!(window.contains(at("2026-01-01T10:00:00Z")));
        assert!(window.contains(at("2026-01-01T10:59:59Z")));
        assert!(!window.contains(at("2026-01-01T11:00:00Z")));
        assert!(window.is_over_at(at("2026-01-01T11:00:00Z")));
        assert_eq!(window.length(), SignedDuration::from_hours(1));
    }

    #[test]
    fn an_empty_or_backward_window_is_refused() {
        let start = at("2026-01-01T10:00:00Z");
        assert!(Window::new(start, start).is_err());
        assert!(Window::new(start, at("2026-01-01T09:00:00Z")).is_err());
        assert!(Window::new(start, at("2026-01-01T10:00:00.9Z")).is_err());
        let json = r#"{"starts_at":"2026-01-01T10:00:00Z","expires_at":"2026-01-01T10:00:00Z"}"#;
        assert!(serde_json::from_str::<Window>(json).is_err());
    }

    #[test]
    fn fractions_are_cut_towards_the_past() {
        assert_eq!(whole_second(at("2026-01-01T10:00:00.999Z")), at("2026-01-01T10:00:00Z"));
        assert_eq!(whole_second(at("1969-12-31T23:59:58.5Z")), at("1969-12-31T23:59:58Z"));
    }

    #[test]
    fn a_timer_is_never_early_and_less_than_a_minute_late() {
        for (end, minute) in [
            ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
            ("2026-01-01T10:00:01Z", "2026-01-01T10:01:00Z"),
            ("2026-01-01T10:59:59Z", "2026-01-01T11:00:00Z"),
        ] {
            assert_eq!(whole_minute_up(at(end)), at(minute));
        }
    }
}
