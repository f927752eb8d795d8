//! How an object differs from what was sealed: the first line that is not as it was.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::finding::{Code, Finding};
use crate::checkpoint::{SealedLine, SealedObject};

/// What was done to an object first, by the digests of its lines. `found`: what is there, and which records it says
/// that it is.
pub(super) fn difference(sealed: &SealedObject, found: &[(String, Option<String>)]) -> Finding {
    let length = sealed.lines.len().max(found.len());
    let pairs = (0..length).map(|n| (sealed.lines.get(n), found.get(n)));
    let differs = |(was, is): &(Option<&SealedLine>, Option<&(String, Option<String>)>)| {
        was.map(|was| &was.sha256) != is.map(|(hash, _)| hash)
    };
    let first = (1..).zip(pairs).find(|(_, pair)| differs(pair));
    let Some((line, (was, is))) = first else {
        let words = "its lines are those that were sealed, but not all that is in it";
        return Finding::at(Code::ObjectChanged, &sealed.key, words);
    };
    let is_there: HashSet<&str> = found.iter().map(|(hash, _)| hash.as_str()).collect();
    let was_there: HashSet<&str> = sealed.lines.iter().map(|line| line.sha256.as_str()).collect();
    let is_lost = was.is_some_and(|was| !is_there.contains(was.sha256.as_str()));
    let is_new = is.is_some_and(|(hash, _)| !was_there.contains(hash.as_str()));
    let more = found.len().cmp(&sealed.lines.len());
    let (was, is) = (was.and_then(|was| was.id.clone()), is.and_then(|(_, id)| id.clone()));
    let (code, words, record) = match (is_lost, is_new, more) {
        (true, true, _) => (Code::RecordChanged, "this line is not what was sealed", was.or(is)),
        // Of what was there twice, the one is gone.
        (true, false, _) | (false, false, Ordering::Less) => {
            (Code::RecordRemoved, "the record that was sealed on this line is not there", was)
        }
        (false, true, _) | (false, false, Ordering::Greater) => {
            (Code::RecordInserted, "this line was not there when the object was sealed", is)
        }
        (false, false, Ordering::Equal) => {
            let words = "from this line on, the records are not in the order that was sealed";
            (Code::RecordsReordered, words, is.or(was))
        }
    };
    Finding::at(code, &sealed.key, words).line(line).record(record)
}
