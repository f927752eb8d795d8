//! The archive's two ends: does it begin at its beginning, and end where it should?

use jiff::Timestamp;

use super::checkpoints::Walked;
use super::finding::{Code, Finding, Findings};
use super::listing::Listing;
use super::{CHECKPOINT_GRACE, CLOCKS_DIFFER, Expectations};
use crate::archive::{checkpoint_key, milliseconds};

/// Where an archive begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the stack's first checkpoint.
    AtFirst,
    /// Later, as it may.
    Later { checkpoint: Option<u64>, from: Timestamp },
    /// Later, and it may not. That was told.
    Told,
}

/// Whether the archive begins at its beginning; `expired`: when the last object was written that is missing and may be.
pub(super) fn beginning(
    expected: &Expectations,
    listing: &Listing,
    walked: &Walked,
    expired: Option<Timestamp>,
    findings: &mut Findings,
) -> Begins {
    let oldest = listing.checkpoints.keys().next().copied();
    let Some(number) = oldest.filter(|number| *number > 1) else {
        return match expired {
            Some(from) => Begins::Later { checkpoint: oldest, from },
            None => Begins::AtFirst,
        };
    };
    let from = walked.oldest.as_ref().map(|link| link.from);
    match (from, expected.expired_until) {
        (Some(from), Some(until)) if from <= until => Begins::Later {
            checkpoint: Some(number),
            from: expired.map_or(from, |expired| expired.max(from)),
        },
        (from, _) => {
            let since = from.map_or_else(String::new, |from| format!(", from {}", milliseconds(from)));
            let words = format!(
                "the oldest checkpoint that is there is number {number}{since}: the archive's beginning is not there. \
                 If its retention is over, say until when what was written may be gone"
            );
            let finding = Finding::at(Code::BeginsLater, checkpoint_key(1), words);
            findings.add(Timestamp::MIN, finding);
            Begins::Told
        }
    }
}

/// Whether the archive ends where it should: with a checkpoint that is not too old, and not before the anchor.
pub(super) fn end(expected: &Expectations, listing: &Listing, walked: &Walked, findings: &mut Findings) {
    if let Some((number, digest)) = &expected.anchor
        && !walked.anchored
    {
        let words = format!("no checkpoint of this number is there whose digest is {digest}");
        findings.add(Timestamp::MAX, Finding::at(Code::AnchorMissing, checkpoint_key(*number), words));
    }
    let age_max = expected.checkpoint_every.saturating_add(CHECKPOINT_GRACE);
    let is_old = |time: Timestamp, as_of: Timestamp| as_of.duration_since(time) > age_max;
    let Some(newest) = &walked.newest else {
        // However young the archive seems: its objects' names are anybody's word. Checkpoints that do not hold were told of.
        let (time, words) = if listing.checkpoints.is_empty() {
            (Timestamp::MIN, "there is no checkpoint: whatever was in this archive, nothing proves it")
        } else {
            (Timestamp::MAX, "no checkpoint holds: whatever was in this archive, nothing proves it")
        };
        findings.add(time, Finding::new(Code::NeverSealed, words));
        return;
    };
    let latest = latest(listing, expected.as_of);
    if let Some(as_of) = expected.as_of.max(latest).filter(|as_of| is_old(newest.until, *as_of)) {
        let words = format!(
            "the newest checkpoint that holds seals until {}, and at {} there must be a later one: the archive's end \
             is not there, or nothing was sealed",
            milliseconds(newest.until),
            milliseconds(as_of)
        );
        let key = checkpoint_key(newest.number.saturating_add(1));
        // Later checkpoints that do not hold were told of. They come first: they are there, and this one is not.
        let is_last = listing.checkpoints.keys().next_back() == Some(&newest.number);
        let time = if is_last { newest.until } else { Timestamp::MAX };
        findings.add(time, Finding::at(Code::ArchiveCutOff, key, words));
    }
}

/// When the last object was written, of those that can have been.
fn latest(listing: &Listing, as_of: Option<Timestamp>) -> Option<Timestamp> {
    let limit = as_of.and_then(|as_of| as_of.checked_add(CLOCKS_DIFFER).ok());
    let can_be = |time: &Timestamp| limit.is_none_or(|limit| *time <= limit);
    listing.objects.iter().rev().map(|(time, _)| *time).find(can_be)
}
