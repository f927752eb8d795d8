//! What is in an archive, by name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::finding::{Code, Finding, Findings};
use super::{Source, Unreadable};
use crate::archive::{CHECKPOINTS, EVENTS, KEYS, archived_at, checkpoint_number};

/// An archive's names.
#[derive(Debug)]
pub(super) struct Listing {
    /// Checkpoints, by number.
    pub(super) checkpoints: BTreeMap<u64, String>,
    /// Objects of records with the time of their names, in order.
    pub(super) objects: Vec<(Timestamp, String)>,
    /// What is where objects of records should be, under names that are none of theirs.
    pub(super) misnamed: Vec<String>,
    /// Keys.
    pub(super) keys: BTreeSet<String>,
}

impl Listing {
    /// Lists an archive. Objects of records last: if it is written to meanwhile, what a listed checkpoint seals is there.
    pub(super) fn read(source: &dyn Source, findings: &mut Findings) -> Result<Self, Unreadable> {
        let mut listing = Self {
            checkpoints: BTreeMap::new(),
            objects: Vec::new(),
            misnamed: Vec::new(),
            keys: list(source, KEYS)?,
        };
        for key in list(source, CHECKPOINTS)? {
            if let Some(number) = checkpoint_number(&key).filter(|number| *number > 0) {
                listing.checkpoints.insert(number, key);
            } else {
                let words = "no checkpoint has such a name";
                findings.add(Timestamp::MAX, Finding::at(Code::CheckpointInserted, key, words));
            }
        }
        for key in list(source, EVENTS)? {
            match archived_at(&key) {
                Some(time) => listing.objects.push((time, key)),
                None => listing.misnamed.push(key),
            }
        }
        listing.objects.sort_unstable();
        Ok(listing)
    }

    /// The objects that were written after `from` and until `until`.
    pub(super) fn written(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = usize> {
        let after = |limit: Timestamp| self.objects.partition_point(|(time, _)| *time <= limit);
        after(from)..after(until)
    }
}

fn list(source: &dyn Source, prefix: &str) -> Result<BTreeSet<String>, Unreadable> {
    Ok(source.list(prefix)?.into_iter().filter(|key| key.starts_with(prefix)).collect())
}
