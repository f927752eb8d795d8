//! One grant's story, for people.
//!
//! Must not know: how it was had.

use curfew_domain::event::{Chain, Event, verify_chain};
use jiff::Timestamp;
use serde_json::Value;

use super::reply::Shown;
use super::words::{count, relative, safe, utc, when};
use crate::story::{circumstances, in_words};

/// The grant and what happened to it, oldest first, and whether its events hang together. Times are told from that of the
/// answer.
#[must_use]
pub fn told(shown: &Shown) -> String {
    let now = shown.as_of;
    let read: Vec<Result<Event, &Value>> =
        shown.events.iter().map(|event| serde_json::from_value(event.clone()).map_err(|_| event)).collect();
    let events: Vec<Event> = read.iter().filter_map(|event| event.as_ref().ok()).cloned().collect();
    let mut lines = head(&shown.grant, now);
    for (name, what) in circumstances(&events) {
        lines.push(fact(name, &what));
    }
    lines.push(String::new());
    for event in &read {
        lines.push(match event {
            Ok(event) => {
                let ago = relative(event.at, now);
                let (at, name, words) = (utc(event.at), event.fact.name(), safe(&in_words(event)));
                format!("{at}  {ago:<11}  {name:<19}  {words}").trim_end().to_owned()
            }
            Err(unknown) => {
                format!("an event that this `curfew` does not know: {}", safe(&unknown.to_string()))
            }
        });
    }
    lines.push(String::new());
    lines.push(match chain(shown) {
        Ok(words) => words,
        Err(broken) => format!("BROKEN: {broken}; the events are not what was written"),
    });
    lines.join("\n")
}

/// What the function says of the grant itself. What is not there is not told.
fn head(grant: &Value, now: Timestamp) -> Vec<String> {
    let text = |name: &str| grant.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| text(name).and_then(|at| at.parse().ok()).map(|at| when(at, now));
    let and = |one: Option<String>, more: Option<String>| match (one, more) {
        (Some(one), Some(more)) if one != more => Some(format!("{one} ({more})")),
        (one, more) => one.or(more),
    };
    let review = grant.get("review").filter(|review| review.is_object()).map(|review| {
        let of = |name: &str| review.get(name).and_then(Value::as_str).unwrap_or_default();
        match of("name") {
            "done" => format!("done at {}", of("at")),
            "owed" => format!("OWED since {}", of("since")),
            other => other.to_owned(),
        }
    });
    let permitted = grant.get("permitted_by").and_then(Value::as_array).map(|all| {
        let names: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
        names.join(", ")
    });
    [
        ("grant", text("grant_id")),
        ("state", and(text("state"), text("outcome").or_else(|| text("standing")))),
        ("starts", time("starts_at")),
        ("ends", time("expires_at")),
        ("to", text("principal")),
        ("permitted", permitted.filter(|names| !names.is_empty())),
        ("review", review),
    ]
    .into_iter()
    .filter_map(|(name, what)| Some(fact(name, &what?)))
    .collect()
}

fn fact(name: &str, what: &str) -> String {
    format!("{name:<9}  {}", safe(what))
}

/// Whether the events hang together, and end where the grant says that they end; or what is wrong with them.
///
/// # Errors
/// In words.
pub fn chain(shown: &Shown) -> Result<String, String> {
    if let Some(problem) = &shown.chain_problem {
        return Err(safe(problem));
    }
    if shown.events_left_out > 0 {
        let left_out = shown.events_left_out;
        return Ok(format!(
            "{left_out} more events are not shown: the archive has them all (`curfew export`)"
        ));
    }
    let all = shown.events.len();
    let read = shown.events.iter().map(|event| serde_json::from_value(event.clone()));
    let events: Vec<Event> = read.filter_map(Result::ok).collect();
    if events.len() != all {
        let unknown = all - events.len();
        return Ok(format!(
            "of {all} events {unknown} are not known to this `curfew`: their chain was not checked"
        ));
    }
    let Some(last) = events.last() else {
        return Err("there is no event, and a grant has at least one".to_owned());
    };
    let said: Option<Chain> =
        shown.grant.get("chain").and_then(|chain| serde_json::from_value(chain.clone()).ok());
    let end = said.unwrap_or_else(|| Chain { seq: last.seq, head: last.digest() });
    match verify_chain(&events, &end) {
        Ok(()) => {
            Ok(format!("{}, each sealed with the digest of the one before it: unbroken", count(all, "event")))
        }
        Err(broken) => Err(broken.to_string()),
    }
}
