//! What an operator asks of the grant function: that a live grant end later than it would, or earlier.
//!
//! Typed by a person, or made by a widget's button and what stands in its form.

use curfew_app::extend::NewEnd;
use curfew_domain::ids::{Email, GrantId};
use curfew_runtime::typed::Fields;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The longest span that is read, in minutes: 30 days. What a role may be had for is a matter of the catalog.
const MINUTES_MAX: i64 = 30 * 24 * 60;

const KNOWN: [&str; 6] = ["extend", "minutes", "until", "reason", "operator", "dry_run"];

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which grant.
    pub grant_id: GrantId,
    /// Which end.
    pub to: NewEnd,
    /// Why.
    pub reason: String,
    /// Who, as they named themselves.
    pub operator: Email,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// Reads an input.
///
/// # Errors
/// Everything that is wrong with it, in words.
pub fn parse(input: &Value) -> Result<Order, Vec<String>> {
    let Some(fields) = input.as_object() else {
        return Err(vec!["the input is not a JSON object".to_owned()]);
    };
    let mut read = Fields::new(fields, &KNOWN);
    let grant_id = if read.has("extend") {
        read.id("extend", GrantId::new)
    } else {
        read.problem("say which grant to extend: its id in `extend`")
    };
    let to = new_end(&mut read);
    let reason = read.words("reason", &["reason"], "say why in `reason`: it is kept in the grant's record");
    let operator = read.operator(|text| Email::new(&text));
    let dry_run = read.dry_run();
    match (grant_id, to, reason, operator, dry_run, read.into_problems()) {
        (Some(grant_id), Some(to), Some(reason), Some(operator), Some(dry_run), problems)
            if problems.is_empty() =>
        {
            Ok(Order { grant_id, to, reason, operator, dry_run })
        }
        (.., problems) => Err(problems),
    }
}

fn new_end(read: &mut Fields<'_>) -> Option<NewEnd> {
    match (read.value("minutes"), read.value("until")) {
        (Some(minutes), None) => match minutes.as_i64().filter(|minutes| (1..=MINUTES_MAX).contains(minutes))
        {
            Some(minutes) => Some(NewEnd::Later(SignedDuration::from_mins(minutes))),
            None => read
                .problem(format!("`minutes` must be a whole number from 1 to {MINUTES_MAX}, without quotes")),
        },
        (None, Some(_)) => match read.text("until")?.parse::<Timestamp>() {
            Ok(until) => Some(NewEnd::At(until)),
            Err(_) => read.problem("`until` must be a time with its zone, like \"2026-11-21T04:00:00Z\""),
        },
        (None, None) => read.problem("say until when: `minutes` more than it has, or a time in `until`"),
        (Some(_), Some(_)) => read.problem("say until when by `minutes` or by `until`, not by both"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";

    fn with(more: Value) -> Result<Order, Vec<String>> {
        let mut input = json!({ "extend": ID, "reason": "not over", "operator": "Olga@example.com" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&input)
    }

    fn order(to: NewEnd, dry_run: bool) -> Result<Order, Vec<String>> {
        Ok(Order {
            grant_id: GrantId::new(ID).unwrap(),
            to,
            reason: "not over".to_owned(),
            operator: Email::new("olga@example.com").unwrap(),
            dry_run,
        })
    }

    #[test]
    fn an_end_is_so_many_minutes_later_or_a_time() {
        let hour = NewEnd::Later(SignedDuration::from_hours(1));
        assert_eq!(with(json!({ "minutes": 60 })), order(hour, false));
        assert_eq!(with(json!({ "minutes": 60, "dry_run": true })), order(hour, true));
        let at = NewEnd::At("2026-11-21T04:00:00Z".parse().unwrap());
        for until in ["2026-11-21T04:00:00Z", " 2026-11-21T05:00:00+01:00 "] {
            assert_eq!(with(json!({ "until": until })), order(at, false), "{until}");
        }
    }

    #[test]
    fn a_widgets_button_names_the_grant_and_its_form_the_rest() {
        let forms =
            json!({ "all": { "operator": ["olga@example.com"], "reason": " not over", "minutes": "90" } });
        let input =
            json!({ "extend": ID, "minutes": 60, "widgetContext": { "theme": "light", "forms": forms } });
        assert_eq!(parse(&input), order(NewEnd::Later(SignedDuration::from_hours(1)), false));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        for (input, expected) in [
            (json!("extend"), &["not a JSON object"][..]),
            (json!({}), &["say which grant", "say until when", "say why", "say who you are"]),
            (
                json!({ "grant_id": ID, "extend": 7, "minutes": "60", "reason": "", "operator": "olga", "dry_run": 1 }),
                &[
                    "`grant_id` is not known here",
                    "`extend` must",
                    "`minutes` must",
                    "say why",
                    "`olga`",
                    "`dry_run` must",
                ],
            ),
            (
                json!({ "extend": "g-1", "until": "tomorrow", "reason": "a\u{202e}b", "operator": "аna@example.com" }),
                &["grant id `g-1`", "`until` must be a time", "U+202E", "person"],
            ),
        ] {
            let problems = parse(&input).unwrap_err();
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, part) in problems.iter().zip(expected) {
                assert!(problem.contains(part), "`{problem}` does not say `{part}`");
            }
        }
        for (more, said) in [
            (json!({ "minutes": 60, "until": "2026-11-21T04:00:00Z" }), "not by both"),
            (json!({ "minutes": 0 }), "from 1 to"),
            (json!({ "minutes": -60 }), "from 1 to"),
            (json!({ "minutes": 1.5 }), "whole number"),
            (json!({ "minutes": 43_201 }), "from 1 to 43200"),
            (json!({ "minutes": null }), "`minutes` must"),
            (json!({ "until": 1_795_255_200 }), "`until` must be a text"),
            (json!({ "until": "2026-11-21T04:00:00" }), "with its zone"),
        ] {
            let problems = with(more.clone()).unwrap_err();
            assert!(matches!(problems.as_slice(), [one] if one.contains(said)), "{more}: {problems:?}");
        }
    }
}
