//! Times and spans in words, in UTC: the ledger's own time, and the same for everybody who looks.

use jiff::{SignedDuration, Timestamp};

/// A time; without its date, if that is the day of `now`.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.as_second().div_euclid(86_400);
    let format = if day(at) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M UTC" };
    at.strftime(format).to_string()
}

/// A time, whole.
pub(super) fn whole_moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long it is from one time to a later one, in its two largest units, cut off. Nothing is never less than nothing.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).max(SignedDuration::ZERO).as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A number and what it counts.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn spans_are_told_in_their_largest_units() {
        let from = at("2026-11-21T10:00:00Z");
        for (to, expected) in [
            ("2026-11-21T09:00:00Z", "less than a minute"),
            ("2026-11-21T10:00:59Z", "less than a minute"),
            ("2026-11-21T10:01:00Z", "1 min"),
            ("2026-11-21T10:59:59Z", "59 min"),
            ("2026-11-21T11:00:00Z", "1 h"),
            ("2026-11-21T11:05:00Z", "1 h 5 min"),
            ("2026-11-22T10:30:00Z", "1 d"),
            ("2026-11-23T12:30:00Z", "2 d 2 h"),
        ] {
            assert_eq!(span(from, at(to)), expected, "{to}");
        }
    }

    #[test]
    fn a_time_of_another_day_says_which() {
        let now = at("2026-11-21T10:00:00Z");
        assert_eq!(moment(at("2026-11-21T23:59:59Z"), now), "23:59:59 UTC");
        assert_eq!(moment(at("2026-11-22T00:00:00Z"), now), "2026-11-22 00:00 UTC");
        assert_eq!(whole_moment(now), "2026-11-21 10:00:00 UTC");
    }
}
