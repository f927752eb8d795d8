//! Reading records back, from a line of the archive.
//!
//! Reads what every version of Curfew writes alike, so that an older verifier can check what a newer Curfew wrote: of an
//! event its chain, and nothing of what happened.

use curfew_app::ports::DeniedRequest;
use curfew_domain::event::Event;
use curfew_domain::ids::{GrantId, shown};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{DENIED, RecordId, canonical};

/// A record, as the archive has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecord {
    /// What it is of.
    pub id: RecordId,
    /// The fact's name, or [`DENIED`].
    pub name: String,
    /// When it happened.
    pub at: Timestamp,
    /// The digest of the event before it, if it is an event.
    pub prev: Option<[u8; 32]>,
    /// SHA-256 of its evidence: an event's digest.
    pub digest: [u8; 32],
    /// Its evidence: the canonical bytes of the event or of the denied request.
    pub raw_data: String,
    /// All of it: the OCSF event.
    pub ocsf: Value,
}

impl ReadRecord {
    /// The event that it is the record of; none, if it is that of a denied request.
    ///
    /// # Errors
    /// The event is of a later version of Curfew, which knows other facts.
    pub fn event(&self) -> Result<Option<Event>, serde_json::Error> {
        match self.id {
            RecordId::Event { .. } => serde_json::from_str(&self.raw_data).map(Some),
            RecordId::Denial(_) => Ok(None),
        }
    }

    /// The denied request that it is the record of; none, if it is that of an event.
    ///
    /// # Errors
    /// The denied request is of a later version of Curfew.
    pub fn denied(&self) -> Result<Option<DeniedRequest>, serde_json::Error> {
        match self.id {
            RecordId::Denial(_) => serde_json::from_str(&self.raw_data).map(Some),
            RecordId::Event { .. } => Ok(None),
        }
    }
}

/// A line is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{defect}")]
pub struct NotARecord {
    /// Why not.
    pub defect: Defect,
    /// The record that it says it is, fit to be shown.
    pub claimed: Option<String>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is not canonical JSON.
    #[error("it is not canonical JSON")]
    NotCanonical,
    /// Something is missing that every record has.
    #[error("it has no `{0}`, or not one of the right form")]
    Missing(&'static str),
    /// `raw_data_hash` is not that of `raw_data`.
    #[error("its `raw_data_hash` is not the SHA-256 of its `raw_data`")]
    Hash,
    /// `raw_data` is not canonical evidence.
    #[error("its `raw_data` is not the canonical bytes of an event or a denied request")]
    Evidence,
    /// The record says something else than its evidence.
    #[error("its `{0}` is not what its `raw_data` says")]
    Disagrees(&'static str),
}

/// What every version of an event has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    grant_id: GrantId,
    seq: u32,
    at: String,
    #[serde(rename = "actor")]
    _actor: Value,
    fact: Value,
    prev: String,
}

/// Reads a line of the archive, without its line feed.
///
/// # Errors
/// [`NotARecord`]: whatever is wrong with it. That says nothing of who did that, or when.
pub fn read_line(line: &[u8]) -> Result<ReadRecord, NotARecord> {
    let Some(ocsf) = canonical::parse(line) else {
        return Err(NotARecord { defect: Defect::NotCanonical, claimed: claimed(line) });
    };
    let uid = at(&ocsf, "/metadata/uid").map(str::to_owned);
    read(ocsf).map_err(|defect| NotARecord { defect, claimed: uid.as_deref().and_then(plain_id) })
}

fn read(ocsf: Value) -> Result<ReadRecord, Defect> {
    let uid = at(&ocsf, "/metadata/uid").ok_or(Defect::Missing("metadata.uid"))?;
    let raw_data = at(&ocsf, "/raw_data").ok_or(Defect::Missing("raw_data"))?.to_owned();
    let hash = at(&ocsf, "/raw_data_hash/value").ok_or(Defect::Missing("raw_data_hash.value"))?;
    let digest: [u8; 32] = Sha256::digest(&raw_data).into();
    if hash != HEXLOWER.encode(&digest) {
        return Err(Defect::Hash);
    }
    let evidence = canonical::parse(raw_data.as_bytes()).ok_or(Defect::Evidence)?;
    let (id, name, time, prev) = if uid.starts_with("denied#") {
        let time = at(&evidence, "/at").and_then(time_of).ok_or(Defect::Evidence)?;
        (RecordId::Denial(digest), DENIED.to_owned(), time, None)
    } else {
        let event: RawEvent = serde_json::from_value(evidence).map_err(|_| Defect::Evidence)?;
        let name = at(&event.fact, "/type").ok_or(Defect::Evidence)?.to_owned();
        let prev = digest_of(&event.prev).ok_or(Defect::Evidence)?;
        let time = time_of(&event.at).ok_or(Defect::Evidence)?;
        if event.seq == 0 {
            return Err(Defect::Evidence);
        }
        (RecordId::Event { grant_id: event.grant_id, seq: event.seq }, name, time, Some(prev))
    };
    if uid != id.to_string() {
        return Err(Defect::Disagrees("metadata.uid"));
    }
    if at(&ocsf, "/metadata/event_code") != Some(&name) {
        return Err(Defect::Disagrees("metadata.event_code"));
    }
    if ocsf.get("time").and_then(Value::as_i64) != Some(time.as_millisecond()) {
        return Err(Defect::Disagrees("time"));
    }
    Ok(ReadRecord { id, name, at: time, prev, digest, raw_data, ocsf })
}

fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// A time, if it is written as Curfew writes times.
fn time_of(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    (time >= Timestamp::UNIX_EPOCH && time.to_string() == text).then_some(time)
}

/// A digest in hex, in lower case.
fn digest_of(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The id that a line claims which is JSON, but not as it should be.
fn claimed(line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    at(&value, "/metadata/uid").and_then(plain_id)
}

/// An id as it is, if it has the characters of one; otherwise fit to be shown.
fn plain_id(text: &str) -> Option<String> {
    let plain = text.len() <= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-#".contains(c));
    Some(if plain { text.to_owned() } else { shown(text) })
}
