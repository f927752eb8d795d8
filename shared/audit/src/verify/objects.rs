//! Objects of records: are they what was sealed, all of them, nothing else?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use curfew_domain::ids::GrantId;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::chains::{Chains, Proof};
use super::difference::difference;
use super::finding::{Code, Finding, Findings};
use super::listing::Listing;
use super::{CLOCKS_DIFFER, Source, Unreadable};
use crate::archive::{EventsKey, checkpoint_key, lines, name_hash, sha256_hex};
use crate::checkpoint::{Contents, Head, Line, SealedObject, Statement, leaves};
use crate::merkle;
use crate::record::read_line;

/// An object that is not what was sealed under its name, or was not sealed.
#[derive(Debug)]
struct Strange {
    time: Timestamp,
    sha256: String,
    finding: Finding,
}

/// All objects of an archive, as far as they were looked at.
pub(super) struct Objects<'a> {
    source: &'a dyn Source,
    listing: &'a Listing,
    expired_until: Option<Timestamp>,
    /// Which of the listing's objects were compared with a checkpoint.
    compared: HashSet<usize>,
    /// Sealed objects that are not there, or not as they were: by digest, under which name.
    wanted: HashMap<String, String>,
    /// Sealed objects that are not there.
    gone: Vec<Strange>,
    /// Objects that are not what was sealed, or were not sealed.
    strange: Vec<Strange>,
    /// Ids of records that are known to be gone or changed, by what was sealed.
    told: HashSet<String>,
    /// The highest number that was sealed of each grant, and until when the checkpoint seals that did so last.
    heads: BTreeMap<GrantId, (u32, Timestamp)>,
    chains: Chains,
    /// When the last of the objects was written that have expired.
    expired: Option<Timestamp>,
}

/// What all objects come to.
pub(super) struct Compared {
    pub(super) chains: Chains,
    pub(super) told: HashSet<String>,
    pub(super) heads: BTreeMap<GrantId, (u32, Timestamp)>,
    pub(super) expired: Option<Timestamp>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        listing: &'a Listing,
        expired_until: Option<Timestamp>,
    ) -> Self {
        Self {
            source,
            listing,
            expired_until,
            compared: HashSet::new(),
            wanted: HashMap::new(),
            gone: Vec::new(),
            strange: Vec::new(),
            told: HashSet::new(),
            heads: BTreeMap::new(),
            chains: Chains::default(),
            expired: None,
        }
    }

    /// Compares the objects of a period with what a checkpoint that holds says of them.
    pub(super) fn compare(
        &mut self,
        statement: &Statement,
        findings: &mut Findings,
    ) -> Result<(), Unreadable> {
        let present: Vec<usize> = self.listing.written(statement.from, statement.until).collect();
        let mut unlisted: BTreeMap<&str, usize> =
            present.iter().filter_map(|n| Some((self.listing.objects.get(*n)?.1.as_str(), *n))).collect();
        let mut contents = Contents::default();
        let (mut is_complete, mut has_expired, mut is_told) = (true, false, false);
        for sealed in &statement.objects {
            let time = EventsKey::parse(&sealed.key).map(|key| key.archived_at);
            let Some(time) = time.filter(|time| statement.from < *time && *time <= statement.until) else {
                is_told |= tell_wrong(statement, findings, "it seals what was not written in its period");
                continue;
            };
            let Some(n) = unlisted.remove(sealed.key.as_str()) else {
                is_complete = false;
                has_expired |= self.is_gone(sealed, time);
                continue;
            };
            self.compared.insert(n);
            let body = self.source.read(&sealed.key)?;
            let sha256 = sha256_hex(&body);
            if sha256 == sealed.sha256 {
                let (seen, lines) = contents.add(&sealed.key, &body);
                if seen != *sealed {
                    is_told |=
                        tell_wrong(statement, findings, "it seals other lines than those of its objects");
                }
                self.intact(n, time, lines, findings);
            } else {
                is_complete = false;
                self.is_changed(n, time, sealed, &body, sha256);
            }
        }
        for (key, n) in unlisted {
            if self.compared.insert(n) {
                let time = self.listing.objects.get(n).map_or(statement.until, |(time, _)| *time);
                let body = self.source.read(key)?;
                self.is_inserted(n, time, key, &body);
            }
        }
        if !has_expired {
            for head in &statement.heads {
                let known = self.heads.entry(head.grant_id.clone()).or_insert((head.seq, statement.until));
                known.0 = known.0.max(head.seq);
            }
        }
        if is_complete && !is_told && !agrees(statement, contents) {
            tell_wrong(
                statement,
                findings,
                "its heads, denials or Merkle root are not those of what it seals",
            );
        }
        Ok(())
    }

    /// An object that is as it was sealed.
    fn intact(&mut self, n: usize, time: Timestamp, lines: Vec<Line>, findings: &mut Findings) {
        for (number, line) in (1..).zip(lines) {
            match line {
                Ok(record) => self.chains.add(&record, n, number, Proof::Sealed),
                Err(error) => {
                    let key = self.listing.objects.get(n).map_or("", |(_, key)| key);
                    let words = format!("this line was no record when it was sealed, and is none: {error}");
                    let finding = Finding::at(Code::RecordUnreadable, key, words);
                    findings.add(time, finding.line(number).record(error.claimed));
                }
            }
        }
    }

    /// A sealed object is not there. Whether it may be gone.
    fn is_gone(&mut self, sealed: &SealedObject, time: Timestamp) -> bool {
        if self.expired_until.is_some_and(|until| time <= until) {
            self.expired = self.expired.max(Some(time));
            return true;
        }
        let ids = sealed.lines.iter().filter_map(|line| line.id.clone());
        self.told.extend(ids.clone());
        self.wanted.insert(sealed.sha256.clone(), sealed.key.clone());
        let words = format!("this object of {} lines is not there", sealed.lines.len());
        let finding = Finding::at(Code::ObjectRemoved, &sealed.key, words).record(ids.clone().next());
        self.gone.push(Strange { time, sha256: sealed.sha256.clone(), finding });
        false
    }

    /// A sealed object is there, and something else is in it.
    fn is_changed(&mut self, n: usize, time: Timestamp, sealed: &SealedObject, body: &[u8], sha256: String) {
        self.wanted.insert(sealed.sha256.clone(), sealed.key.clone());
        let hashes: Vec<String> = lines(body).map(sha256_hex).collect();
        let there: HashSet<&str> = hashes.iter().map(String::as_str).collect();
        let lost = sealed.lines.iter().filter(|line| !there.contains(line.sha256.as_str()));
        self.told.extend(lost.filter_map(|line| line.id.clone()));
        // A line that is as it was sealed is proven, whatever is around it.
        let was: HashSet<&str> = sealed.lines.iter().map(|line| line.sha256.as_str()).collect();
        let mut ids = Vec::new();
        for ((number, line), hash) in (1..).zip(lines(body)).zip(&hashes) {
            let record = read_line(line);
            ids.push(match &record {
                Ok(record) => Some(record.id.to_string()),
                Err(error) => error.claimed.clone(),
            });
            if let Ok(record) = record {
                let proof = if was.contains(hash.as_str()) { Proof::Sealed } else { Proof::Doubtful };
                self.chains.add(&record, n, number, proof);
            }
        }
        let found: Vec<(String, Option<String>)> = hashes.into_iter().zip(ids).collect();
        self.strange.push(Strange { time, sha256, finding: difference(sealed, &found) });
    }

    /// An object is there in a period that was sealed without it.
    fn is_inserted(&mut self, n: usize, time: Timestamp, key: &str, body: &[u8]) {
        let mut first = None;
        for (number, line) in (1..).zip(lines(body)) {
            match read_line(line) {
                Ok(record) => {
                    first.get_or_insert_with(|| record.id.to_string());
                    self.chains.add(&record, n, number, Proof::Doubtful);
                }
                Err(error) => first = first.or(error.claimed),
            }
        }
        let words = "this object was not there when its period was sealed";
        let finding = Finding::at(Code::ObjectInserted, key, words).record(first);
        self.strange.push(Strange { time, sha256: sha256_hex(body), finding });
    }

    /// Looks at all that no checkpoint has said anything about, and tells what was found.
    pub(super) fn finish(
        mut self,
        copied_by: Option<Timestamp>,
        findings: &mut Findings,
    ) -> Result<Compared, Unreadable> {
        let listing = self.listing;
        for (n, (time, key)) in listing.objects.iter().enumerate() {
            if !self.compared.contains(&n) {
                let body = self.source.read(key)?;
                self.unsealed(n, *time, key, &body, copied_by, findings);
            }
        }
        for key in &listing.misnamed {
            let body = self.source.read(key)?;
            let first = lines(&body).find_map(|line| read_line(line).ok());
            let finding = Finding::at(Code::ObjectInserted, key, "no object of records has such a name");
            let finding = finding.record(first.map(|record| record.id.to_string()));
            self.strange.push(Strange { time: Timestamp::MAX, sha256: sha256_hex(&body), finding });
        }
        self.tell_strange(findings);
        let Self { chains, told, heads, expired, .. } = self;
        Ok(Compared { chains, told, heads, expired })
    }

    /// An object that no checkpoint that holds has in its period.
    fn unsealed(
        &mut self,
        n: usize,
        time: Timestamp,
        key: &str,
        body: &[u8],
        copied_by: Option<Timestamp>,
        findings: &mut Findings,
    ) {
        let sha256 = sha256_hex(body);
        if self.wanted.contains_key(&sha256) {
            self.is_inserted(n, time, key, body);
            return;
        }
        if copied_by.is_some_and(|by| by.saturating_add(CLOCKS_DIFFER).is_ok_and(|limit| time > limit)) {
            let words = "this object says that it was written after the archive was read";
            findings.add(time, Finding::at(Code::ObjectInserted, key, words));
        }
        let is_as_named = EventsKey::parse(key).is_some_and(|named| named.hash == name_hash(body));
        if !is_as_named {
            let words = "what is in it is not what its name says";
            findings.add(time, Finding::at(Code::ObjectChanged, key, words));
        }
        for (number, line) in (1..).zip(lines(body)) {
            match read_line(line) {
                Ok(record) => {
                    let proof = if is_as_named { Proof::Unsealed } else { Proof::Doubtful };
                    self.chains.add(&record, n, number, proof);
                }
                Err(error) => {
                    let code = if is_as_named { Code::RecordUnreadable } else { Code::RecordChanged };
                    let finding = Finding::at(code, key, format!("this line is no record: {error}"));
                    findings.add(time, finding.line(number).record(error.claimed));
                }
            }
        }
    }

    /// Tells of what is not as it was sealed. What was only moved is told so.
    fn tell_strange(&mut self, findings: &mut Findings) {
        let now: HashMap<&str, String> = self
            .strange
            .iter()
            .filter_map(|strange| Some((strange.sha256.as_str(), strange.finding.object.clone()?)))
            .collect();
        for gone in &self.gone {
            let finding = match now.get(gone.sha256.as_str()) {
                Some(key) => {
                    moved(&gone.finding, format!("what was sealed under this name stands under `{key}`"))
                }
                None => gone.finding.clone(),
            };
            findings.add(gone.time, finding);
        }
        for strange in &self.strange {
            let was = self.wanted.get(&strange.sha256);
            let finding = match was.filter(|was| Some(*was) != strange.finding.object.as_ref()) {
                Some(key) => {
                    moved(&strange.finding, format!("it holds what was sealed under the name `{key}`"))
                }
                None => strange.finding.clone(),
            };
            findings.add(strange.time, finding);
        }
    }
}

fn moved(finding: &Finding, words: String) -> Finding {
    Finding { code: Code::ObjectMoved, line: None, words, ..finding.clone() }
}

fn tell_wrong(statement: &Statement, findings: &mut Findings, words: &str) -> bool {
    let key = checkpoint_key(statement.number);
    findings.add(statement.until, Finding::at(Code::CheckpointsBroken, key, words));
    true
}

/// Whether a statement says of its objects what they hold.
fn agrees(statement: &Statement, contents: Contents) -> bool {
    let (objects, heads, denials): (Vec<SealedObject>, Vec<Head>, BTreeSet<String>) = contents.finish();
    let root = merkle::root(&leaves(&heads, denials.iter().map(String::as_str)));
    statement.objects == objects
        && statement.heads == heads
        && usize::try_from(statement.denials) == Ok(denials.len())
        && statement.merkle_root == HEXLOWER.encode(&root)
}
