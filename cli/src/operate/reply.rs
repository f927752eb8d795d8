//! What the functions answer, as far as a terminal needs it.
//!
//! Lenient on purpose: what is not known here is passed over, what is missing is empty. A name of a state or a result that this
//! version does not know is shown as it is. But `ok` must be there: an answer that does not say how it went is none.
//!
//! Must not know: how it is shown.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::trouble::Trouble;

/// Who has what now.
#[derive(Debug, Clone, Deserialize)]
pub struct Overview {
    /// As of when.
    pub as_of: Timestamp,
    /// Live grants, the urgent ones first.
    pub grants: Vec<LiveGrant>,
    /// Reviews that are owed, those first that are owed longest.
    #[serde(default)]
    pub reviews_owed: Vec<ReviewOwed>,
    /// What could not be read, each as a sentence.
    #[serde(default)]
    pub unreadable: Vec<String>,
    /// Whether there are more live grants than were read.
    #[serde(default)]
    pub truncated: bool,
    /// Whether there are more owed reviews than were read.
    #[serde(default)]
    pub reviews_truncated: bool,
}

/// A grant that has not ended.
#[derive(Debug, Clone, Deserialize)]
pub struct LiveGrant {
    /// Which.
    pub grant_id: String,
    /// What there is to say of it: `active`, `overdue`, …
    #[serde(default)]
    pub standing: String,
    /// Who has it.
    #[serde(default)]
    pub person: String,
    /// Where.
    #[serde(default)]
    pub tenant: String,
    /// What.
    #[serde(default)]
    pub role: String,
    /// Its ticket.
    #[serde(default)]
    pub ticket: String,
    /// From when.
    pub starts_at: Option<Timestamp>,
    /// Until when at most.
    pub expires_at: Option<Timestamp>,
}

/// A grant that somebody owes a review.
#[derive(Debug, Clone, Deserialize)]
pub struct ReviewOwed {
    /// Which.
    pub grant_id: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Who had it.
    #[serde(default)]
    pub person: String,
    /// Where.
    #[serde(default)]
    pub tenant: String,
    /// What.
    #[serde(default)]
    pub role: String,
    /// Its ticket.
    #[serde(default)]
    pub ticket: String,
    /// How it ended; none, if it has not.
    pub outcome: Option<String>,
}

/// One grant and its events.
#[derive(Debug, Clone, Deserialize)]
pub struct Shown {
    /// As of when.
    pub as_of: Timestamp,
    /// What it is.
    pub grant: Value,
    /// What happened, oldest first.
    pub events: Vec<Value>,
    /// How many more there are than an answer holds.
    #[serde(default)]
    pub events_left_out: u64,
    /// Why the events are not what was written, if the function found so.
    pub chain_problem: Option<String>,
}

/// What became of an order to end access, or of a review.
#[derive(Debug, Clone, Deserialize)]
pub struct Revoked {
    /// Whether all of it is proven.
    pub ok: bool,
    /// The whole in words.
    #[serde(default)]
    pub message: String,
    /// Each grant.
    #[serde(default)]
    pub grants: Vec<Ended>,
    /// What is wrong with the order.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// What became of one grant, or would.
#[derive(Debug, Clone, Deserialize)]
pub struct Ended {
    /// Which.
    pub grant_id: String,
    /// In a word: `removed`, `would-end`, …
    #[serde(default)]
    pub result: String,
    /// In a sentence.
    #[serde(default)]
    pub message: String,
    /// Where it is in its life.
    #[serde(default)]
    pub state: String,
    /// Who has it.
    #[serde(default)]
    pub person: String,
    /// Where.
    #[serde(default)]
    pub tenant: String,
    /// What.
    #[serde(default)]
    pub role: String,
    /// Its ticket.
    #[serde(default)]
    pub ticket: String,
    /// Until when at most.
    pub expires_at: Option<Timestamp>,
}

/// What became of an extension, or would.
#[derive(Debug, Clone, Deserialize)]
pub struct Extended {
    /// Whether it is done; of a dry run, whether it would be.
    pub ok: bool,
    /// The same in words.
    #[serde(default)]
    pub message: String,
    /// The end from then on.
    pub expires_at: Option<Timestamp>,
    /// What is wrong with the order.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// Reads an answer that is only there if it went well: `{"ok": false, "message": …}` is an error.
///
/// # Errors
/// The function's own words, or that it can't be read.
pub fn good<T: DeserializeOwned>(function: &str, answer: &Value) -> Result<T, Trouble> {
    match answer.get("ok").and_then(Value::as_bool) {
        Some(true) => read(function, answer),
        Some(false) => {
            let told: Revoked = read(function, answer)?;
            Err(Trouble::Refused(refusal(&told.message, &told.problems)))
        }
        None => Err(Trouble::unreadable(function, "it does not say `ok`")),
    }
}

/// Reads an answer, good or bad.
///
/// # Errors
/// It can't be read.
pub fn read<T: DeserializeOwned>(function: &str, answer: &Value) -> Result<T, Trouble> {
    T::deserialize(answer).map_err(|error| Trouble::unreadable(function, error))
}

/// A refusal with everything that is wrong, in one line each.
#[must_use]
pub fn refusal(message: &str, problems: &[String]) -> String {
    let mut told = super::words::safe(message);
    for problem in problems {
        told.push_str("\n  ");
        told.push_str(&super::words::safe(problem));
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_missing_is_empty() {
        let answer = json!({
            "ok": true, "as_of": "2026-11-21T10:00:00Z", "colour": "red",
            "grants": [{ "grant_id": "g-1", "standing": "dancing", "mood": {} }],
        });
        let overview: Overview = good("console", &answer).expect("an overview");
        assert_eq!(overview.grants[0].standing, "dancing");
        assert!(!overview.truncated && overview.reviews_owed.is_empty());
    }

    #[test]
    fn an_answer_that_does_not_say_how_it_went_is_none() {
        for answer in
            [json!({}), json!("<html>"), json!({ "ok": "true", "as_of": "x", "grants": [] }), json!(null)]
        {
            let refused = good::<Overview>("console", &answer);
            assert!(matches!(refused, Err(Trouble::Unreadable { .. })), "{answer}: {refused:?}");
        }
        let half = json!({ "ok": true, "grants": [] });
        assert!(matches!(good::<Overview>("console", &half), Err(Trouble::Unreadable { .. })));
        assert!(matches!(
            read::<Revoked>("revoke", &json!({ "grants": [] })),
            Err(Trouble::Unreadable { .. })
        ));
    }

    #[test]
    fn a_refusal_is_told_with_everything_that_is_wrong() {
        let answer = json!({ "ok": false, "message": "nothing was changed", "problems": ["say\u{1b} why", "say who"] });
        let refused = good::<Overview>("console", &answer).expect_err("a refusal");
        assert_eq!(refused.to_string(), "nothing was changed\n  say\\u{1b} why\n  say who");
    }
}
