//! Reading the archive: its records become one row for each grant, and one for each denied request.
//!
//! Read twice: first to learn which grants the period is about, then to take in those alone. So what has to fit into memory are
//! the period's grants, however many years the archive has. Must not know what rows are for.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use curfew_domain::ids::GrantId;
use jiff::Timestamp;

use super::fold::Folding;
use super::{DenialRow, GrantRow, Period};
use crate::archive::{EVENTS, archived_at, lines};
use crate::record::{RecordId, read_line};
use crate::verify::{Source, Unreadable};

/// What the archive says of a period.
#[derive(Debug)]
pub(super) struct History {
    /// Grants that it is about, by when they were asked for.
    pub(super) grants: Vec<GrantRow>,
    /// Requests that were denied in it, by when.
    pub(super) denials: Vec<DenialRow>,
    /// Lines that are no records.
    pub(super) unreadable: usize,
    /// Records of facts that this version does not know.
    pub(super) unknown: usize,
}

impl History {
    pub(super) fn read(source: &dyn Source, period: Period) -> Result<Self, Unreadable> {
        let mut seen = Seen::default();
        let mut denials = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        let mut unreadable = 0;
        for_each_line(source, |line| match read_line(line) {
            Err(_) => unreadable += 1,
            Ok(record) => match &record.id {
                RecordId::Event { grant_id, .. } => seen.take(grant_id, &record.name, record.at, period),
                RecordId::Denial(_) => match record.denied() {
                    Ok(Some(denied)) if period.contains(denied.at) => {
                        let id = record.id.to_string();
                        denials.insert(id.clone(), DenialRow { record: id, denied });
                    }
                    Ok(_) => {}
                    Err(_) => drop(unknown.insert(record.id.to_string())),
                },
            },
        })?;
        let population = seen.population();
        let mut grants: BTreeMap<GrantId, Folding> = BTreeMap::new();
        for_each_line(source, |line| {
            let Ok(record) = read_line(line) else { return };
            let RecordId::Event { grant_id, .. } = &record.id else { return };
            if !population.contains(grant_id) {
                return;
            }
            let folding =
                grants.entry(grant_id.clone()).or_insert_with(|| Folding::new(grant_id, &record.ocsf));
            match record.event() {
                Ok(Some(event)) => folding.take(event),
                Ok(None) | Err(_) => drop(unknown.insert(record.id.to_string())),
            }
        })?;
        let mut grants: Vec<GrantRow> = grants.into_values().map(Folding::finish).collect();
        grants.sort_by(|a, b| (a.begins(), &a.grant_id).cmp(&(b.begins(), &b.grant_id)));
        let mut denials: Vec<DenialRow> = denials.into_values().collect();
        denials.sort_by(|a, b| (a.denied.at, &a.record).cmp(&(b.denied.at, &b.record)));
        Ok(Self { grants, denials, unreadable, unknown: unknown.len() })
    }
}

/// Reads all lines, in the order in which their objects were written.
fn for_each_line(source: &dyn Source, mut take: impl FnMut(&[u8])) -> Result<(), Unreadable> {
    let objects: BTreeSet<String> =
        source.list(EVENTS)?.into_iter().filter(|key| archived_at(key).is_some()).collect();
    for key in objects {
        lines(&source.read(&key)?).for_each(&mut take);
    }
    Ok(())
}

/// Which grants the period is about: those that something happened to in it, and those that were alive all through it.
#[derive(Default)]
struct Seen {
    /// Something happened to them in the period.
    inside: HashSet<GrantId>,
    /// Something happened to them before its end.
    before: HashSet<GrantId>,
    /// They were gone before it.
    gone: HashSet<GrantId>,
}

impl Seen {
    fn take(&mut self, id: &GrantId, name: &str, at: Timestamp, period: Period) {
        if period.contains(at) {
            self.inside.insert(id.clone());
        } else if at < period.from {
            let set = if name == GONE { &mut self.gone } else { &mut self.before };
            set.insert(id.clone());
        }
    }

    fn population(self) -> HashSet<GrantId> {
        let Self { mut inside, before, gone } = self;
        inside.extend(before.into_iter().filter(|id| !gone.contains(id)));
        inside
    }
}

/// The event that proves a grant to be gone.
const GONE: &str = "Revoked";
