//! Checkpoints: signed statements of all that the archive held at the end of a period.
//!
//! A checkpoint seals every object of records whose name says that it was written in the period, and names the
//! checkpoint before it by digest, so that nothing sealed can be changed, dropped, added or moved without the key.
//! Must not know who signs, nor where the archive is.

mod draft;
mod key;
mod time;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curfew_domain::event::canonical_json;
use curfew_domain::ids::GrantId;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::event_id;

pub(crate) use draft::{Contents, Line};
pub use draft::{Draft, Unsealable};
pub use key::{BadKey, PublicKey};

/// What statements of this form say of themselves. What is signed can't be taken for anything else that the key signs.
pub const VERSION: &str = "curfew-checkpoint/1";

/// What the first checkpoint has as `previous`: 64 zeros.
pub const NO_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The only algorithm, as KMS calls it: ECDSA on P-256 over a SHA-256 digest
/// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>).
pub const ALGORITHM: &str = "ECDSA_SHA_256";

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`VERSION`].
    pub version: String,
    /// The stack whose archive it is.
    pub stack: String,
    /// Counts the stack's checkpoints, from 1, without gaps.
    pub number: u64,
    /// The end of the period before; 1970 for the first. Not in the period itself.
    #[serde(with = "time")]
    pub from: Timestamp,
    /// The end of the period. The last millisecond that is in it.
    #[serde(with = "time")]
    pub until: Timestamp,
    /// When the archive was looked at.
    #[serde(with = "time")]
    pub sealed_at: Timestamp,
    /// The objects of records of the period, by key.
    pub objects: Vec<SealedObject>,
    /// The last event in these objects of each grant that has one there, by grant.
    pub heads: Vec<Head>,
    /// How many different denials are in these objects.
    pub denials: u64,
    /// The root of the Merkle tree over heads and denials: see [`leaves`].
    pub merkle_root: String,
    /// The digest of the statement before it; [`NO_PREVIOUS`] for the first.
    pub previous: String,
}

/// One object of records, as it was when it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedObject {
    /// Its name.
    pub key: String,
    /// Hex SHA-256 of all that is in it.
    pub sha256: String,
    /// Its lines, in order.
    pub lines: Vec<SealedLine>,
}

/// One line of an object of records, so that what was done to an object can be told line by line, and a line be
/// proven without its object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedLine {
    /// The record's id; none, if the line was no record when it was sealed.
    pub id: Option<String>,
    /// Hex SHA-256 of the line, without its line feed.
    pub sha256: String,
}

/// The end of a grant's chain, as far as it is in a period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The grant.
    pub grant_id: GrantId,
    /// The number of its last event there.
    pub seq: u32,
    /// That event's digest, in hex.
    pub digest: String,
}

/// The leaves of a checkpoint's Merkle tree, in order: `<record id> <digest>` for each head, the record id for each
/// denial (which is made of its digest), sorted by their bytes.
#[must_use]
pub fn leaves<'a>(heads: &[Head], denials: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let heads = heads.iter().map(|head| format!("{} {}", event_id(&head.grant_id, head.seq), head.digest));
    let mut leaves: Vec<String> = heads.chain(denials.into_iter().map(str::to_owned)).collect();
    leaves.sort_unstable();
    leaves.dedup();
    leaves
}

impl Statement {
    /// The bytes that are signed: canonical JSON.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical_of(self)
    }

    /// What the signature is made of: SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    /// The digest in hex: what the next checkpoint has as `previous`, and what is worth keeping elsewhere.
    #[must_use]
    pub fn digest_hex(&self) -> String {
        HEXLOWER.encode(&self.digest())
    }

    /// How many records the period's objects hold, duplicates included.
    #[must_use]
    pub fn records(&self) -> usize {
        self.objects.iter().flat_map(|object| &object.lines).filter(|line| line.id.is_some()).count()
    }

    /// How many lines of the period's objects were no records.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.objects.iter().flat_map(|object| &object.lines).filter(|line| line.id.is_none()).count()
    }
}

/// A statement with its signature: what a checkpoint's object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The statement.
    pub statement: Statement,
    /// The signature of its digest.
    pub signature: Signature,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// [`ALGORITHM`].
    pub algorithm: String,
    /// Which key: [`PublicKey::id`].
    pub key_id: String,
    /// The signature in DER, in base64.
    pub value: String,
}

/// Why a checkpoint can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// It is not of the form of a checkpoint.
    #[error("it is not a checkpoint: {0}")]
    Form(String),
    /// It is of another version.
    #[error("it is of version `{0}`, which this verifier does not know; take one that does")]
    Version(String),
    /// It says the same as a checkpoint, but was not written so: nothing but canonical bytes counts.
    #[error("its bytes are not the canonical ones of what it says")]
    NotCanonical,
}

/// A signature does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature of checkpoint {number} is not one of its statement by key `{key_id}`")]
pub struct BadSignature {
    /// The checkpoint.
    pub number: u64,
    /// The key.
    pub key_id: String,
}

impl Signed {
    /// A statement with the signature (in DER) that was made of its digest.
    ///
    /// # Errors
    /// [`BadSignature`], if it was not made by `key`: what nobody could verify is not worth archiving.
    pub fn new(statement: Statement, key: &PublicKey, signature: &[u8]) -> Result<Self, BadSignature> {
        let signature = Signature {
            algorithm: ALGORITHM.to_owned(),
            key_id: key.id().to_owned(),
            value: STANDARD.encode(signature),
        };
        let signed = Self { statement, signature };
        signed.check(key)?;
        Ok(signed)
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`BadSignature`], if it was not made by `key`, or says that it was made by another one, or otherwise.
    pub fn check(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let bad = || BadSignature { number: self.statement.number, key_id: key.id().to_owned() };
        let value = STANDARD.decode(&self.signature.value).map_err(|_| bad())?;
        let as_said = self.signature.algorithm == ALGORITHM && self.signature.key_id == key.id();
        if as_said && key.has_signed(&self.statement.digest(), &value) { Ok(()) } else { Err(bad()) }
    }

    /// What the checkpoint's object holds: canonical JSON, no line feed at its end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_of(self).into_bytes()
    }

    /// Reads what a checkpoint's object holds. Its signature is not checked.
    ///
    /// # Errors
    /// [`BadCheckpoint`], if [`Self::to_bytes`] would not have written it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadCheckpoint> {
        // The version first: a later form has other fields.
        if let Some(version) = version_of(bytes).filter(|version| version != VERSION) {
            return Err(BadCheckpoint::Version(version));
        }
        let signed: Self =
            serde_json::from_slice(bytes).map_err(|error| BadCheckpoint::Form(error.to_string()))?;
        if signed.to_bytes() == bytes { Ok(signed) } else { Err(BadCheckpoint::NotCanonical) }
    }
}

fn version_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Versioned {
        statement: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    serde_json::from_slice(bytes).ok().map(|it: Versioned| it.statement.version)
}

fn canonical_of(value: &impl Serialize) -> String {
    // Made of strings, integers, maps and lists: serialising it can't fail.
    canonical_json(&serde_json::to_value(value).unwrap_or_default())
}
