//! Texts and times for people: what others wrote can't deceive a terminal, and a time says how far it is.
//!
//! Must not know: what is told.

use curfew_domain::request::deceptive_character;
use jiff::Timestamp;

/// A text from outside in one line, without what could move a cursor, set a colour or turn the direction of writing: such
/// characters are shown by their numbers.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut one = [0; 4];
        if c.is_control() || deceptive_character(c.encode_utf8(&mut one)).is_some() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// JSON for a terminal or a program: as [`serde_json`] writes it, but for characters that a terminal could act on.
///
/// # Errors
/// As [`serde_json::to_string_pretty`].
pub fn json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        let mut one = [0; 4];
        // Such a character stands in a string, or the text would be no JSON; line breaks are the layout's.
        if c != '\n' && deceptive_character(c.encode_utf8(&mut one)).is_some() {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// A time as people in the same place compare it: UTC, whole seconds, like `2026-11-21 11:00:00Z`.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How far a time is from `now`, in its two largest units: `in 32m`, `2d 4h ago`.
#[must_use]
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let away = at.duration_since(now).as_secs();
    let length = length(away.unsigned_abs());
    match away {
        0 => "now".to_owned(),
        1.. => format!("in {length}"),
        _ => format!("{length} ago"),
    }
}

/// A time in UTC, and how far it is.
#[must_use]
pub fn when(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", utc(at), relative(at, now))
}

/// A number of seconds in its two largest units, like `2d 4h`, `1h 5m`, `59s`.
#[must_use]
pub fn length(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, name) in UNITS {
        let count = left / size;
        left %= size;
        if count > 0 {
            parts.push(format!("{count}{name}"));
        } else if !parts.is_empty() {
            // Two units that do not follow each other would look more exact than they are: `1d 3s`.
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// `1 grant`, `2 grants`.
#[must_use]
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_a_cursor_is_shown_by_its_number() {
        assert_eq!(safe("a\u{1b}[2Jb\n\u{202e}c\u{9b}d\tä"), "a\\u{1b}[2Jb\\n\\u{202e}c\\u{9b}d\\tä");
        let told = json(&serde_json::json!({ "note": "a\u{9b}b\u{202e}c\u{1b}\u{7f}ä" })).expect("JSON");
        assert!(told.contains("a\\u009bb\\u202ec\\u001b\\u007fä"), "{told}");
        let read: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(read["note"], "a\u{9b}b\u{202e}c\u{1b}\u{7f}ä");
    }

    #[test]
    fn a_time_says_how_far_it_is() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
        for (at, expected) in [
            ("2026-11-21T10:00:00Z", "2026-11-21 10:00:00Z (now)"),
            ("2026-11-21T10:00:59.9Z", "2026-11-21 10:00:59Z (in 59s)"),
            ("2026-11-21T10:32:00Z", "2026-11-21 10:32:00Z (in 32m)"),
            ("2026-11-21T11:00:05Z", "2026-11-21 11:00:05Z (in 1h)"),
            ("2026-11-21T11:05:05Z", "2026-11-21 11:05:05Z (in 1h 5m)"),
            ("2026-11-19T05:59:00Z", "2026-11-19 05:59:00Z (2d 4h ago)"),
            ("2025-11-21T10:00:00Z", "2025-11-21 10:00:00Z (365d ago)"),
        ] {
            assert_eq!(when(at.parse().expect("a time"), now), expected);
        }
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!((count(1, "grant"), count(0, "grant")), ("1 grant".to_owned(), "0 grants".to_owned()));
    }
}
