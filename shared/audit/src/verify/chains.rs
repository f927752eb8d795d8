//! Chains: of each grant, are all events there, each following from the one before it?

use std::collections::{BTreeMap, HashSet};

use curfew_domain::ids::GrantId;
use jiff::Timestamp;

use super::finding::{Code, Finding, Findings};
use super::listing::Listing;
use crate::record::{ReadRecord, RecordId, event_id};

/// How far it is looked for the first record of a gap that was not told of.
const GAP_LOOK_MAX: usize = 10_000;

/// What vouches for a record besides its chain; the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// A checkpoint that holds.
    Sealed,
    /// Nothing yet, and nothing speaks against it.
    Unsealed,
    /// Nothing, and it stands where something else was.
    Doubtful,
}

/// One event, as it stands somewhere in the archive.
#[derive(Debug, Clone, Copy)]
struct Link {
    seq: u32,
    proof: Proof,
    /// Its object's place in the listing.
    object: usize,
    line: usize,
    digest: [u8; 32],
    prev: [u8; 32],
}

/// All records of an archive, as far as their order matters.
#[derive(Debug, Default)]
pub(super) struct Chains {
    grants: BTreeMap<GrantId, Vec<Link>>,
    denials: BTreeMap<[u8; 32], Proof>,
    duplicates: usize,
}

/// How many records there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) records: usize,
    pub(super) duplicates: usize,
    pub(super) grants: usize,
    pub(super) denials: usize,
    pub(super) unsealed: usize,
    /// Grants whose first events are not there, as they may be.
    pub(super) begun_earlier: usize,
}

/// What may be missing, and what was told already.
pub(super) struct Known<'a> {
    pub(super) listing: &'a Listing,
    /// Whether the archive's beginning is missing, so that chains may begin later.
    pub(super) begins_later: bool,
    /// Ids of records that are known to be gone or changed.
    pub(super) told: &'a HashSet<String>,
    /// What was sealed last of each grant, and until when.
    pub(super) heads: &'a BTreeMap<GrantId, (u32, Timestamp)>,
}

impl Chains {
    pub(super) fn add(&mut self, record: &ReadRecord, object: usize, line: usize, proof: Proof) {
        match (&record.id, record.prev) {
            (RecordId::Event { grant_id, seq }, Some(prev)) => {
                let link = Link { seq: *seq, proof, object, line, digest: record.digest, prev };
                self.grants.entry(grant_id.clone()).or_default().push(link);
            }
            (RecordId::Event { .. } | RecordId::Denial(_), _) => {
                let known = self.denials.insert(record.digest, proof);
                if let Some(known) = known {
                    self.duplicates += 1;
                    self.denials.insert(record.digest, known.min(proof));
                }
            }
        }
    }

    /// Checks every chain.
    pub(super) fn check(self, known: &Known<'_>, findings: &mut Findings) -> Counts {
        let mut counts = Counts {
            records: self.denials.len(),
            duplicates: self.duplicates,
            grants: self.grants.len(),
            denials: self.denials.len(),
            unsealed: self.denials.values().filter(|proof| **proof != Proof::Sealed).count(),
            begun_earlier: 0,
        };
        for (grant_id, (seq, until)) in known.heads {
            let last = self.grants.get(grant_id).and_then(|links| links.iter().map(|link| link.seq).max());
            let last = last.unwrap_or(0);
            if last < *seq {
                let words = format!("the grant's events end at number {last}, and number {seq} was sealed");
                let id = event_id(grant_id, last.saturating_add(1));
                findings.add(*until, Finding::new(Code::GrantCutOff, words).record(Some(id)));
            }
        }
        for (grant_id, links) in self.grants {
            Chain { grant_id: &grant_id, known, findings: &mut *findings, counts: &mut counts }.check(links);
        }
        counts
    }
}

/// One grant's chain, while it is checked.
struct Chain<'a> {
    grant_id: &'a GrantId,
    known: &'a Known<'a>,
    findings: &'a mut Findings,
    counts: &'a mut Counts,
}

impl Chain<'_> {
    fn check(&mut self, links: Vec<Link>) {
        let chosen = self.one_of_each(links);
        self.counts.records += chosen.len();
        self.counts.unsealed += chosen.iter().filter(|link| link.proof != Proof::Sealed).count();
        let mut before: Option<&Link> = None;
        let mut blamed = 0;
        for (n, link) in chosen.iter().enumerate() {
            let expected = before.map_or(1, |before| before.seq.saturating_add(1));
            if link.seq != expected {
                self.gap(expected, link, before.is_none());
            } else if link.prev != before.map_or([0; 32], |before| before.digest) {
                let after = chosen.get(n + 1).filter(|after| after.seq == link.seq.saturating_add(1));
                let bad = before.filter(|before| is_before_to_blame(before, link, after));
                // Whoever does not fit to what is before it often does not fit to what is after it either.
                if before.is_none_or(|before| before.seq != blamed) {
                    blamed = self.broken(bad.unwrap_or(link), before.is_some());
                }
            }
            before = Some(link);
        }
    }

    /// One record of each number: the one that most speaks for. Others of the same number must be the same.
    fn one_of_each(&mut self, mut links: Vec<Link>) -> Vec<Link> {
        links.sort_unstable_by_key(|link| (link.seq, link.proof, link.object, link.line));
        let mut chosen: Vec<Link> = Vec::with_capacity(links.len());
        for link in links {
            match chosen.last().filter(|last| last.seq == link.seq) {
                None => chosen.push(link),
                Some(last) if last.digest == link.digest => self.counts.duplicates += 1,
                Some(_) => {
                    let words = "another record has the same id and says something else";
                    self.tell(Code::RecordInserted, &link, words.to_owned());
                }
            }
        }
        chosen
    }

    /// Numbers from `expected` on are missing before `link`.
    fn gap(&mut self, expected: u32, link: &Link, is_beginning: bool) {
        if is_beginning && self.known.begins_later {
            self.counts.begun_earlier += 1;
            return;
        }
        let missing = (expected..link.seq).take(GAP_LOOK_MAX).map(|seq| event_id(self.grant_id, seq));
        let Some(first) = missing.into_iter().find(|id| !self.known.told.contains(id)) else { return };
        let words = format!("no object holds this record; the next one of the grant is number {}", link.seq);
        let finding = Finding::new(Code::RecordRemoved, words).record(Some(first));
        self.findings.add(self.place(link).0, finding);
    }

    /// The chain breaks at `link`; its number.
    fn broken(&mut self, link: &Link, has_before: bool) -> u32 {
        let words = match (link.proof, has_before) {
            (_, false) => "it is the grant's first event, and says that another is before it",
            (Proof::Sealed, true) => {
                "it does not follow from the event before it, and was sealed so: the ledger itself was not whole"
            }
            (Proof::Unsealed | Proof::Doubtful, true) => {
                "it and the events beside it do not follow from each other: it or one of them was changed"
            }
        };
        if !self.known.told.contains(&event_id(self.grant_id, link.seq)) {
            self.tell(Code::RecordChanged, link, words.to_owned());
        }
        link.seq
    }

    fn tell(&mut self, code: Code, link: &Link, words: String) {
        let (time, key) = self.place(link);
        let finding = Finding::at(code, key, words).line(link.line);
        let id = event_id(self.grant_id, link.seq);
        self.findings.add(time, finding.record(Some(id)));
    }

    fn place(&self, link: &Link) -> (Timestamp, &str) {
        let object = self.known.listing.objects.get(link.object);
        object.map_or((Timestamp::MAX, ""), |(time, key)| (*time, key))
    }
}

/// Which of two neighbours that do not fit was changed: the one that less speaks for; of equals the first, if the
/// second one fits to the third.
fn is_before_to_blame(before: &Link, link: &Link, after: Option<&Link>) -> bool {
    if before.proof != link.proof {
        return before.proof > link.proof;
    }
    before.proof != Proof::Sealed && after.is_some_and(|after| after.prev == link.digest)
}
