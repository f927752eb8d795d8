//! What holds of whatever is read, whoever sent what.
//!
//! The fuzz targets (`tests/fuzz`) use this file too, so it knows the crate from outside alone.

use std::fmt::Debug;

use curfew_domain::ids::Source;
use curfew_domain::request::{AccessRequest, Notice, TicketClosed};
use curfew_intake::{Malformed, Reading};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a justification or a reason is at most, in characters.
const WORDS: usize = 1_000;
/// How long anything is that is said about a delivery: it is logged, and part of a reply.
const MESSAGE: usize = 4_000;
/// More problems than this are counted and not listed; one entry says so.
const PROBLEMS: usize = 33;

/// What was read from a delivery of a kind of sender to a source.
pub(crate) fn of_reading(reading: &Result<Reading, Malformed>, kind: &str, source: &Source) {
    match reading {
        Ok(Reading::Notice(Notice::Approved(request))) => of_request(request, kind, source),
        Ok(Reading::Notice(Notice::TicketClosed(closed))) => of_closed(closed, source),
        Ok(Reading::Nothing { why }) => of_message(why),
        Ok(Reading::Lookup(lookup)) => assert_eq!(lookup.source(), source),
        Err(error) => {
            assert!(!error.problems.is_empty(), "an error without a cause");
            assert!(error.problems.len() <= PROBLEMS, "{} problems", error.problems.len());
            error.problems.iter().for_each(|problem| of_message(&problem.to_string()));
        }
    }
}

/// An address that somebody is asked or told at: nothing that a sender writes leads anywhere else.
pub(crate) fn of_address(url: &str, origins: &[&str]) {
    assert!(origins.iter().any(|origin| url.starts_with(origin)), "leads elsewhere: {url:?}");
    assert!(url.chars().all(|c| c.is_ascii_graphic()), "no address: {url:?}");
}

fn of_request(request: &AccessRequest, kind: &str, source: &Source) {
    assert_eq!(&request.source, source);
    assert_eq!(request.ticket_facts.sender, kind);
    for word in [&request.ticket_facts.kind, &request.ticket_facts.state] {
        assert!(word.len() <= 64 && !word.chars().any(|c| c.is_uppercase() || c.is_control()), "{word:?}");
    }
    of_words(&request.justification);
    assert!(request.ticket.as_str().len() <= 100);
    is_kept(request);
}

fn of_closed(closed: &TicketClosed, source: &Source) {
    assert_eq!(&closed.source, source);
    closed.reason.iter().for_each(|reason| of_words(reason));
    is_kept(closed);
}

/// Words of people, which are kept as evidence: bounded, and shown as they are written.
fn of_words(words: &str) {
    assert!(!words.trim().is_empty(), "no words: {words:?}");
    assert!(words.chars().count() <= WORDS, "{} characters", words.chars().count());
    let plain = words.replace("\r\n", "\n").replace(['\n', '\t'], " ");
    assert!(!plain.chars().any(deceives), "deceives: {words:?}");
}

/// What Curfew itself says: one line.
fn of_message(message: &str) {
    assert!(!message.is_empty(), "nothing is said");
    assert!(message.chars().count() <= MESSAGE, "{} characters", message.chars().count());
    assert!(!message.chars().any(deceives), "deceives: {message:?}");
}

fn deceives(c: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
    c.is_control()
        || turns.contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// What is written into the ledger is what is read from it.
fn is_kept<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
}
