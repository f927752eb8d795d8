//! Drafting a checkpoint: object by object, until it can be signed.

use std::collections::{BTreeMap, BTreeSet};

use curfew_domain::ids::GrantId;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::time::whole_millisecond;
use super::{Head, NO_PREVIOUS, SealedLine, SealedObject, Signed, Statement, VERSION, leaves};
use crate::archive::{archived_at, lines, sha256_hex};
use crate::merkle;
use crate::record::{NotARecord, ReadRecord, RecordId, read_line};

/// Why something can't be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// There is no period.
    #[error(
        "a checkpoint until {until} comes after the one until {from}: there is nothing in between to be sealed"
    )]
    NoPeriod {
        /// The end of the period before.
        from: Timestamp,
        /// The end that was asked for.
        until: Timestamp,
    },
    /// The period's end is later than the sealing.
    #[error("the period until {until} is not over at {sealed_at}; seal it later")]
    NotOver {
        /// The end that was asked for.
        until: Timestamp,
        /// When it was to be sealed.
        sealed_at: Timestamp,
    },
    /// The object's name is none of an object of records.
    #[error("`{0}` is not the name of an object of records; who else writes to the archive?")]
    Foreign(String),
    /// The object is of another period.
    #[error("`{key}` was not written after {from} and until {until}")]
    OtherPeriod {
        /// The object.
        key: String,
        /// The beginning of the draft's period.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
}

/// A checkpoint that is being made.
#[derive(Debug, Clone)]
pub struct Draft {
    statement: Statement,
    contents: Contents,
}

impl Draft {
    /// Begins a checkpoint that comes after `previous`; the stack's first, if there is none.
    ///
    /// # Errors
    /// [`Unsealable::NoPeriod`] and [`Unsealable::NotOver`].
    pub fn new(
        stack: &str,
        previous: Option<&Signed>,
        until: Timestamp,
        sealed_at: Timestamp,
    ) -> Result<Self, Unsealable> {
        let (until, sealed_at) = (whole_millisecond(until), whole_millisecond(sealed_at));
        let from = previous.map_or(Timestamp::UNIX_EPOCH, |signed| signed.statement.until);
        if until <= from {
            return Err(Unsealable::NoPeriod { from, until });
        }
        if sealed_at < until {
            return Err(Unsealable::NotOver { until, sealed_at });
        }
        let statement = Statement {
            version: VERSION.to_owned(),
            stack: stack.to_owned(),
            number: previous.map_or(1, |signed| signed.statement.number.saturating_add(1)),
            from,
            until,
            sealed_at,
            objects: Vec::new(),
            heads: Vec::new(),
            denials: 0,
            merkle_root: String::new(),
            previous: previous.map_or_else(|| NO_PREVIOUS.to_owned(), |signed| signed.statement.digest_hex()),
        };
        Ok(Self { statement, contents: Contents::default() })
    }

    /// The period: after the first, and until the second.
    #[must_use]
    pub fn period(&self) -> (Timestamp, Timestamp) {
        (self.statement.from, self.statement.until)
    }

    /// Adds an object of the period. What it holds may be anything: a line that is no record is sealed as it is.
    ///
    /// # Errors
    /// [`Unsealable::Foreign`] and [`Unsealable::OtherPeriod`]; the draft goes on without it.
    pub fn object(&mut self, key: &str, body: &[u8]) -> Result<(), Unsealable> {
        let (from, until) = self.period();
        let at = archived_at(key).ok_or_else(|| Unsealable::Foreign(key.to_owned()))?;
        if at <= from || until < at {
            return Err(Unsealable::OtherPeriod { key: key.to_owned(), from, until });
        }
        self.contents.add(key, body);
        Ok(())
    }

    /// The statement, ready to be signed.
    #[must_use]
    pub fn finish(self) -> Statement {
        let (objects, heads, denials) = self.contents.finish();
        let leaves = leaves(&heads, denials.iter().map(String::as_str));
        Statement {
            objects,
            denials: u64::try_from(denials.len()).unwrap_or(u64::MAX),
            merkle_root: HEXLOWER.encode(&merkle::root(&leaves)),
            heads,
            ..self.statement
        }
    }
}

/// A line of an object, read.
pub(crate) type Line = Result<ReadRecord, NotARecord>;

/// What the objects of a period hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    objects: BTreeMap<String, SealedObject>,
    heads: BTreeMap<GrantId, (u32, [u8; 32])>,
    denials: BTreeSet<String>,
}

impl Contents {
    /// Adds an object. What is sealed of it, and what its lines are.
    pub(crate) fn add(&mut self, key: &str, body: &[u8]) -> (SealedObject, Vec<Line>) {
        let mut sealed = SealedObject { key: key.to_owned(), sha256: sha256_hex(body), lines: Vec::new() };
        let read: Vec<Line> = lines(body).map(read_line).collect();
        for (line, read) in lines(body).zip(&read) {
            let id = read.as_ref().ok().map(|record| record.id.to_string());
            match read.as_ref().map(|record| (&record.id, record.digest)) {
                Ok((RecordId::Event { grant_id, seq }, digest)) => self.add_head(grant_id, *seq, digest),
                Ok((RecordId::Denial(_), _)) => self.denials.extend(id.clone()),
                Err(_) => {}
            }
            sealed.lines.push(SealedLine { id, sha256: sha256_hex(line) });
        }
        self.objects.insert(key.to_owned(), sealed.clone());
        (sealed, read)
    }

    /// Takes an event into the heads: the highest number is a grant's head. Should two events claim it, the one with
    /// the smaller digest is, so that the order of objects does not matter.
    fn add_head(&mut self, grant_id: &GrantId, seq: u32, digest: [u8; 32]) {
        let head = self.heads.entry(grant_id.clone()).or_insert((seq, digest));
        if seq > head.0 || (seq == head.0 && digest < head.1) {
            *head = (seq, digest);
        }
    }

    /// Objects by key, heads by grant, the ids of denials.
    pub(crate) fn finish(self) -> (Vec<SealedObject>, Vec<Head>, BTreeSet<String>) {
        let head = |(grant_id, (seq, digest)): (GrantId, (u32, [u8; 32]))| Head {
            grant_id,
            seq,
            digest: HEXLOWER.encode(&digest),
        };
        (self.objects.into_values().collect(), self.heads.into_iter().map(head).collect(), self.denials)
    }
}
