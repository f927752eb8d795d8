//! Words of people, made harmless for whoever reads them: marks that turn the direction of writing and control characters are
//! shown by their numbers.

use curfew_domain::request::deceptive_character;

/// `text` without what could deceive. Line breaks and tabs stay.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut one = [0; 4];
        if deceptive_character(c.encode_utf8(&mut one)).is_some() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// `yes` or `no`.
pub(super) fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// What is there as text; nothing, if there is nothing.
pub(super) fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
