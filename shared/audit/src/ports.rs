//! Ports: what delivering and sealing need from the outside, as traits. `shared/aws` implements them for AWS.
//!
//! Whoever calls tries nothing again by itself: what failed is told to whoever invoked, who comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use curfew_app::ports::{Clock, DeniedRequest, EffectError, LedgerError};
use curfew_domain::event::{Event, canonical_json};
use curfew_domain::ids::{GrantId, Source, TicketId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::{checkpoint_key, milliseconds};
use crate::checkpoint::Signed;
use crate::record::{Record, Subject};

/// Everything that delivering and sealing act through.
pub trait AuditPorts: Send + Sync {
    /// The ledger's grants.
    type Grants: Grants;
    /// The archive.
    type Archive: ArchiveStore;
    /// The bus.
    type Bus: Bus;
    /// The key that signs checkpoints.
    type Signer: Signer;
    /// The queue of what can't be delivered.
    type DeadLetters: DeadLetters;
    /// The time.
    type Clock: Clock;

    /// The ledger's grants.
    fn grants(&self) -> &Self::Grants;
    /// The archive.
    fn archive(&self) -> &Self::Archive;
    /// The bus.
    fn bus(&self) -> &Self::Bus;
    /// The key that signs checkpoints.
    fn signer(&self) -> &Self::Signer;
    /// The queue of what can't be delivered.
    fn dead_letters(&self) -> &Self::DeadLetters;
    /// The time.
    fn clock(&self) -> &Self::Clock;
}

impl<P: AuditPorts> AuditPorts for Arc<P> {
    type Grants = P::Grants;
    type Archive = P::Archive;
    type Bus = P::Bus;
    type Signer = P::Signer;
    type DeadLetters = P::DeadLetters;
    type Clock = P::Clock;

    fn grants(&self) -> &Self::Grants {
        (**self).grants()
    }

    fn archive(&self) -> &Self::Archive {
        (**self).archive()
    }

    fn bus(&self) -> &Self::Bus {
        (**self).bus()
    }

    fn signer(&self) -> &Self::Signer {
        (**self).signer()
    }

    fn dead_letters(&self) -> &Self::DeadLetters {
        (**self).dead_letters()
    }

    fn clock(&self) -> &Self::Clock {
        (**self).clock()
    }
}

/// The ledger, as far as records need it. Every read sees all that was written before it.
pub trait Grants: Send + Sync {
    /// A grant, and of its events those of these numbers; none, if there is no such grant. It costs no more with the
    /// length of the grant's story.
    fn written(
        &self,
        id: &GrantId,
        seqs: &BTreeSet<u32>,
    ) -> impl Future<Output = Result<Option<Written>, ReadError>> + Send;

    /// What stands where this denial would; none, if nothing does.
    fn denial(
        &self,
        denied: &DeniedRequest,
    ) -> impl Future<Output = Result<Option<DeniedRequest>, ReadError>> + Send;

    /// A grant's whole story; none, if there is no such grant.
    fn story(&self, id: &GrantId) -> impl Future<Output = Result<Option<Story>, ReadError>> + Send;

    /// All requests of a source that were denied on a ticket.
    fn denials(
        &self,
        source: &Source,
        ticket: &TicketId,
    ) -> impl Future<Output = Result<Vec<DeniedRequest>, ReadError>> + Send;

    /// The newest checkpoint that the ledger remembers; none, before the first.
    fn last_sealed(&self) -> impl Future<Output = Result<Option<LastSealed>, ReadError>> + Send;

    /// Remembers a checkpoint, if it is newer than what is remembered.
    fn remember_sealed(&self, newest: &LastSealed) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// What is remembered of a checkpoint outside the archive, where whoever can hide objects of the archive can't change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSealed {
    /// Its number.
    pub number: u64,
    /// Its digest, in hex.
    pub digest: String,
}

impl From<&Signed> for LastSealed {
    fn from(signed: &Signed) -> Self {
        Self { number: signed.statement.number, digest: signed.statement.digest_hex() }
    }
}

/// A grant, as far as a batch is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What its records say of it besides its events.
    pub subject: Subject,
    /// The events' bytes, by number, of those that are there and have any.
    pub bodies: BTreeMap<u32, String>,
}

/// A grant's story, as it stands in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Whose events they are.
    pub subject: Subject,
    /// All that are written, in order. What a claim will still write is not among them: it comes by itself.
    pub events: Vec<Event>,
}

/// Why nothing was read from the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What is there can't be read, now or later: it was edited by hand, or a later version wrote it.
    #[error("{0}")]
    Unreadable(String),
    /// The ledger did not answer, or refused.
    #[error(transparent)]
    Failed(#[from] LedgerError),
}

/// The archive: objects under keys that sort by their bytes. What is written stays.
pub trait ArchiveStore: Send + Sync {
    /// Writes an object under a key that nothing is under yet. After an error it may be written, or may still be.
    fn put_new(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<Put, EffectError>> + Send;

    /// Reads an object; none, if there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, EffectError>> + Send;

    /// The keys that begin with `prefix` and come after `after`, in order: one page of them. Sees whatever was
    /// written before it was asked.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Page, EffectError>> + Send;
}

/// What came of writing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Written,
    /// Something is under that key, and was left as it is.
    Exists,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Keys, in order.
    pub keys: Vec<String>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// How many notices one call may carry
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
pub const NOTICES_MAX: usize = 10;

/// How many bytes one call may carry, and so each notice. EventBridge takes 1 MB since 2026, but not all that listens
/// to it does: queues and functions in partitions that are behind take 256 KB.
pub const NOTICES_BYTES_MAX: usize = 256 * 1024;

/// The bus that tells whoever wants to hear.
pub trait Bus: Send + Sync {
    /// Puts notices on the bus, at most [`NOTICES_MAX`] of [`NOTICES_BYTES_MAX`]. Answers for each of them, in their
    /// order. After an error any of them may be on it.
    fn publish(
        &self,
        notices: &[Notice],
    ) -> impl Future<Output = Result<Vec<Publication>, EffectError>> + Send;
}

/// What became of one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// It is on the bus.
    Published,
    /// The bus does not take this notice, now or later.
    Refused(String),
    /// The bus did not take it this time.
    Failed(EffectError),
}

/// One thing to tell on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When it happened.
    pub at: Timestamp,
    /// The event's name, which rules match on: `Activated`, `Denied`, `Checkpoint`.
    pub name: String,
    /// The ARN of whose access it is about.
    pub principal: Option<String>,
    /// The event itself: JSON.
    pub detail: String,
}

impl Notice {
    /// What this notice counts for against [`NOTICES_BYTES_MAX`], and a little more: EventBridge counts a time as 14
    /// bytes, and names, resources and detail by their length
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>).
    #[must_use]
    pub fn bytes(&self) -> usize {
        const TIME_AND_SOURCE: usize = 64;
        let principal = self.principal.as_ref().map_or(0, String::len);
        [self.name.len(), principal, self.detail.len()]
            .iter()
            .fold(TIME_AND_SOURCE, |sum, n| sum.saturating_add(*n))
    }
}

impl From<&Record> for Notice {
    fn from(record: &Record) -> Self {
        Self {
            at: record.at,
            name: record.name.clone(),
            principal: record.principal.clone(),
            detail: record.detail(),
        }
    }
}

/// What checkpoints are called.
pub const CHECKPOINT: &str = "Checkpoint";

impl From<&Signed> for Notice {
    /// A checkpoint as an OCSF event of the base class: what is worth keeping elsewhere is its number and digest.
    fn from(signed: &Signed) -> Self {
        let statement = &signed.statement;
        let (number, digest) = (statement.number, statement.digest_hex());
        let detail = json!({
            "activity_id": 99,
            "activity_name": CHECKPOINT,
            "category_uid": 0,
            "class_uid": 0,
            "message": format!(
                "checkpoint {number} seals {} record(s), until {}",
                statement.records(),
                milliseconds(statement.until)
            ),
            "metadata": {
                "event_code": CHECKPOINT,
                "product": { "name": "Curfew", "vendor_name": "Curfew" },
                "uid": format!("checkpoint#{number:010}"),
                "version": "1.8.0",
            },
            "severity_id": 1,
            "time": statement.sealed_at.as_millisecond(),
            "type_uid": 99,
            "unmapped": {
                "curfew": {
                    "digest": digest,
                    "from": milliseconds(statement.from),
                    "key": checkpoint_key(number),
                    "key_id": signed.signature.key_id,
                    "number": number,
                    "objects": statement.objects.len(),
                    "origin": { "stack": statement.stack },
                    "previous": statement.previous,
                    "records": statement.records(),
                    "until": milliseconds(statement.until),
                },
            },
        });
        Self {
            at: statement.sealed_at,
            name: CHECKPOINT.to_owned(),
            principal: None,
            detail: canonical_json(&detail),
        }
    }
}

/// The key that signs checkpoints.
pub trait Signer: Send + Sync {
    /// Signs a SHA-256 digest by ECDSA on P-256; the signature in DER.
    fn sign(&self, digest: &[u8; 32]) -> impl Future<Output = Result<Vec<u8>, EffectError>> + Send;

    /// The key's public half: `SubjectPublicKeyInfo` in DER.
    fn public_key(&self) -> impl Future<Output = Result<Vec<u8>, EffectError>> + Send;
}

/// The queue of what can't be delivered, for people.
pub trait DeadLetters: Send + Sync {
    /// Puts a letter into the queue.
    fn put(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), EffectError>> + Send;
}

/// Something that can't be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Why not, with a remedy.
    pub reason: String,
    /// Its number in the stream.
    pub sequence: String,
    /// All of it, as the stream had it.
    pub raw: Value,
    /// What the ledger has in its place, if that is something else.
    pub in_ledger: Option<String>,
}
