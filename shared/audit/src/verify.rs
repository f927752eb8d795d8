//! The proof, offline: from the archive alone, that nothing in it was changed, removed, reordered or cut off; and where
//! not, the first bad record.
//!
//! Trusts nothing in the archive but what the key signed. Must not know where the archive is kept, nor what time it is.

mod bounds;
mod chains;
mod checkpoints;
mod difference;
mod finding;
mod listing;
mod objects;
mod trust;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use bounds::Begins;
use chains::Known;
use curfew_domain::ids::shown;
use finding::Findings;
use listing::Listing;
use objects::Objects;
use trust::Trust;

pub use finding::{Code, Finding};

/// An archive to be read.
pub trait Source {
    /// Every object's key that begins with `prefix`, in any order.
    ///
    /// # Errors
    /// [`Unreadable`], if the archive does not answer.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable>;

    /// What is in an object that is listed.
    ///
    /// # Errors
    /// [`Unreadable`], if the archive does not answer.
    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable>;
}

/// The archive could not be read: nothing is proven, and nothing refuted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` of the archive can't be read: {message}")]
pub struct Unreadable {
    /// The object, or the prefix that was to be listed.
    pub key: String,
    /// Why not.
    pub message: String,
}

/// How late a checkpoint may be: until five minutes before it is made it seals, and it may have to be tried again.
pub const CHECKPOINT_GRACE: SignedDuration = SignedDuration::from_mins(15);

/// How far clocks may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// What is known of the archive from elsewhere. The more, the more is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// The key that checkpoints must be signed with, in PEM; several, if it was ever replaced. Without it, the first
    /// key in the archive is believed, and whoever could write to the archive could have put it there.
    pub public_key_pem: Option<String>,
    /// A checkpoint that must be there: its number and its statement's digest in hex.
    pub anchor: Option<(u64, String)>,
    /// When the archive began to be read, or copied; or an earlier time, if only what was written before matters: it must
    /// be sealed until shortly before.
    pub as_of: Option<Timestamp>,
    /// When reading or copying it was over, at the latest: nothing in it can be of a later time.
    pub copied_by: Option<Timestamp>,
    /// How often checkpoints are made.
    pub checkpoint_every: SignedDuration,
    /// What was written until then may be gone, because its retention was over. None: everything must be there from
    /// the first checkpoint on.
    pub expired_until: Option<Timestamp>,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            public_key_pem: None,
            anchor: None,
            as_of: None,
            copied_by: None,
            checkpoint_every: SignedDuration::from_hours(1),
            expired_until: None,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is wrong, in the order of the archive; first the first bad record. Nothing, if it is whole.
    pub findings: Vec<Finding>,
    /// How many more there are than are listed.
    pub more_findings: usize,
    /// The stack whose archive it is, as the checkpoints say.
    pub stack: Option<String>,
    /// How many checkpoints are there.
    pub checkpoints: usize,
    /// How many objects of records are there.
    pub objects: usize,
    /// How many different records they hold.
    pub records: usize,
    /// How many records are there once more.
    pub duplicates: usize,
    /// How many grants the records are of.
    pub grants: usize,
    /// How many of the records are of denied requests.
    pub denials: usize,
    /// Until when the archive is sealed, by checkpoints that hold.
    pub sealed_until: Option<Timestamp>,
    /// How many of the records no checkpoint seals yet.
    pub unsealed_records: usize,
    /// Where the archive begins later than the stack's first checkpoint, because its beginning has expired.
    pub begins_later: Option<Beginning>,
    /// The newest checkpoint that holds: worth keeping elsewhere, as an anchor.
    pub newest: Option<Anchor>,
    /// By which key.
    pub key: KeyUsed,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether a key that is known from elsewhere has signed anything of it: without that, it may be anybody's.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.newest.is_some() && matches!(self.key, KeyUsed::Given { .. })
    }
}

/// The beginning of an archive whose first part has expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beginning {
    /// The oldest checkpoint that is left; none, if none is.
    pub checkpoint: Option<u64>,
    /// From when on all records are there.
    pub from: Timestamp,
    /// How many grants' first events are gone.
    pub grants: usize,
}

/// A checkpoint, known by number and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// Its number.
    pub number: u64,
    /// Its statement's digest, in hex.
    pub digest: String,
    /// Until when it seals.
    pub until: Timestamp,
}

/// The key that checkpoints were checked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum KeyUsed {
    /// What was given.
    Given {
        /// Their ids.
        ids: Vec<String>,
    },
    /// What is in the archive itself: it proves that the archive is in agreement with itself, not whose it is.
    Archive {
        /// Its id.
        id: String,
    },
    /// None was given, and none found.
    Nothing {},
}

/// Verifies an archive.
///
/// # Errors
/// [`Unverifiable`], if it can't be read, or if what is expected of it makes no sense. Whatever is wrong with the
/// archive itself is in the report.
pub fn verify(source: &dyn Source, expected: &Expectations) -> Result<Report, Unverifiable> {
    if let Some((_, digest)) = &expected.anchor
        && !(digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    {
        return Err(Unverifiable::Anchor(shown(digest)));
    }
    let mut findings = Findings::default();
    let listing = Listing::read(source, &mut findings)?;
    let trust = Trust::establish(source, expected, &listing, &mut findings)?;
    let mut objects = Objects::new(source, &listing, expected.expired_until);
    let walked = checkpoints::walk(source, expected, &listing, &trust, &mut objects, &mut findings)?;
    let compared = objects.finish(expected.copied_by, &mut findings)?;
    let beginning = bounds::beginning(expected, &listing, &walked, compared.expired, &mut findings);
    bounds::end(expected, &listing, &walked, &mut findings);
    let known = Known {
        listing: &listing,
        begins_later: !matches!(beginning, Begins::AtFirst),
        told: &compared.told,
        heads: &compared.heads,
    };
    let counts = compared.chains.check(&known, &mut findings);
    let (findings, more_findings) = findings.finish();
    let begins_later = match beginning {
        Begins::Later { checkpoint, from } => {
            Some(Beginning { checkpoint, from, grants: counts.begun_earlier })
        }
        Begins::AtFirst | Begins::Told => None,
    };
    Ok(Report {
        findings,
        more_findings,
        stack: walked.newest.as_ref().map(|newest| newest.stack.clone()),
        checkpoints: listing.checkpoints.len(),
        objects: listing.objects.len(),
        records: counts.records,
        duplicates: counts.duplicates,
        grants: counts.grants,
        denials: counts.denials,
        sealed_until: walked.newest.as_ref().map(|newest| newest.until),
        unsealed_records: counts.unsealed,
        begins_later,
        newest: walked.anchor(),
        key: trust.used(),
    })
}

/// Why nothing was verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverifiable {
    /// The archive could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The key that was given is none.
    #[error("the public key that was given can't be used: {0}")]
    Key(#[from] crate::checkpoint::BadKey),
    /// The anchor that was given is none.
    #[error("the anchor's digest {0} is not 64 hex digits in lower case")]
    Anchor(String),
}
