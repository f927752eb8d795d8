//! Checkpoints: are they what was signed, all of them, one after the other?
//!
//! Read from the newest to the oldest, because a checkpoint that holds vouches for what the one before it said. Each is
//! forgotten as soon as what it seals is compared: a year of them need not fit into memory.

use jiff::Timestamp;

use super::finding::{Code, Finding, Findings};
use super::listing::Listing;
use super::objects::Objects;
use super::trust::Trust;
use super::{Anchor, Expectations, Source, Unreadable};
use crate::archive::checkpoint_key;
use crate::checkpoint::{BadCheckpoint, NO_PREVIOUS, Signed, Statement};

/// What is remembered of a checkpoint that holds.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) digest: String,
    pub(super) previous: String,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) stack: String,
}

impl Link {
    fn of(statement: &Statement, digest: String) -> Self {
        Self {
            number: statement.number,
            digest,
            previous: statement.previous.clone(),
            from: statement.from,
            until: statement.until,
            stack: statement.stack.clone(),
        }
    }
}

/// What the checkpoints come to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// The newest checkpoint that holds.
    pub(super) newest: Option<Link>,
    /// The oldest checkpoint that holds.
    pub(super) oldest: Option<Link>,
    /// Whether the anchor that is expected was found.
    pub(super) anchored: bool,
}

impl Walked {
    pub(super) fn anchor(&self) -> Option<Anchor> {
        let anchor =
            |link: &Link| Anchor { number: link.number, digest: link.digest.clone(), until: link.until };
        self.newest.as_ref().map(anchor)
    }
}

/// Reads all checkpoints, and compares with each that holds what it seals.
pub(super) fn walk(
    source: &dyn Source,
    expected: &Expectations,
    listing: &Listing,
    trust: &Trust,
    objects: &mut Objects<'_>,
    findings: &mut Findings,
) -> Result<Walked, Unreadable> {
    let mut walked = Walked::default();
    // The lowest number that was seen, above the one that is looked at.
    let mut above: Option<u64> = None;
    for (number, key) in listing.checkpoints.iter().rev() {
        if walked.oldest.is_some() {
            tell_gap(*number, above, walked.oldest.as_ref(), findings);
        }
        above = Some(*number);
        let next = walked.oldest.as_ref().filter(|next| next.number.checked_sub(1) == Some(*number));
        // What a checkpoint that does not hold says of its own time is worth nothing.
        let place = next.map_or(Timestamp::MAX, |next| next.from);
        let signed = match Signed::from_bytes(&source.read(key)?) {
            Ok(signed) if signed.statement.number == *number => signed,
            Ok(signed) => {
                let words = format!("it is checkpoint {} under another name", signed.statement.number);
                findings.add(place, Finding::at(Code::CheckpointInserted, key, words));
                continue;
            }
            Err(error) => {
                findings.add(place, Finding::at(code_of(&error), key, error.to_string()));
                continue;
            }
        };
        let digest = signed.statement.digest_hex();
        if expected.anchor.as_ref() == Some(&(*number, digest.clone())) {
            walked.anchored = true;
        }
        let vouched_for = next.is_some_and(|next| next.previous == digest);
        let doubt = doubt(&signed, trust, next.is_some() && !vouched_for);
        let is_signed = doubt.is_none();
        if let Some((code, words)) = doubt
            && !trust.is_nothing()
        {
            findings.add(place, Finding::at(code, key, words));
        }
        if !is_signed && !vouched_for {
            continue;
        }
        let link = Link::of(&signed.statement, digest);
        tell_break(&link, next, findings);
        if !tell_impossible(&signed.statement, findings) {
            objects.compare(&signed.statement, findings)?;
        }
        walked.newest.get_or_insert_with(|| link.clone());
        walked.oldest = Some(link);
    }
    Ok(walked)
}

fn code_of(error: &BadCheckpoint) -> Code {
    match error {
        BadCheckpoint::Form(_) | BadCheckpoint::Version(_) | BadCheckpoint::NotCanonical => {
            Code::CheckpointChanged
        }
    }
}

/// Why a checkpoint's own signature does not make it hold. `contradicted`: the next one, which holds, knows another.
fn doubt(signed: &Signed, trust: &Trust, contradicted: bool) -> Option<(Code, String)> {
    let Some(key) = trust.key(&signed.signature.key_id) else {
        let words =
            "it is not signed by the key that is trusted; if the key was replaced, give both".to_owned();
        return Some((Code::WrongKey, words));
    };
    let error = signed.check(key).err()?;
    let code = if contradicted { Code::CheckpointChanged } else { Code::SignatureForged };
    Some((code, error.to_string()))
}

/// Numbers that are missing between `number` and the one seen before.
fn tell_gap(number: u64, above: Option<u64>, next: Option<&Link>, findings: &mut Findings) {
    let (first, Some(last)) = (number.saturating_add(1), above.and_then(|above| above.checked_sub(1))) else {
        return;
    };
    if first > last {
        return;
    }
    let words = if first == last {
        "this checkpoint is not there".to_owned()
    } else {
        format!("this checkpoint and all up to number {last} are not there")
    };
    let time = next.map_or(Timestamp::MAX, |next| next.from);
    findings.add(time, Finding::at(Code::CheckpointRemoved, checkpoint_key(first), words));
}

/// Whether the next checkpoint follows from this one: both are signed.
fn tell_break(link: &Link, next: Option<&Link>, findings: &mut Findings) {
    let Some(next) = next else { return };
    let words = if next.previous != link.digest {
        "it follows from another checkpoint than the one that is before it"
    } else if next.from != link.until {
        "its period does not begin where the one before it ends"
    } else if next.stack != link.stack {
        "it is of another stack than the one before it"
    } else {
        return;
    };
    findings.add(next.until, Finding::at(Code::CheckpointsBroken, checkpoint_key(next.number), words));
}

/// What no checkpoint says that was made as checkpoints are. Whether there is such a thing.
fn tell_impossible(statement: &Statement, findings: &mut Findings) -> bool {
    let first = statement.number == 1;
    let is_first = statement.previous == NO_PREVIOUS && statement.from == Timestamp::UNIX_EPOCH;
    let words = if first && !is_first {
        "it is the first one, and says that another is before it"
    } else if !first && is_first {
        "it is not the first one, and says that none is before it"
    } else if statement.until <= statement.from || statement.sealed_at < statement.until {
        "its period ends before it begins, or after it was sealed"
    } else {
        return false;
    };
    findings
        .add(statement.until, Finding::at(Code::CheckpointsBroken, checkpoint_key(statement.number), words));
    true
}
