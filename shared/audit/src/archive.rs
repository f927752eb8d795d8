//! The archive's layout: which object holds what, by its name alone.
//!
//! A name is part of the evidence: it says when an object was written, and begins to say what is in it. Must not know
//! where the objects are kept.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use sha2::{Digest, Sha256};

/// Below it are the objects that hold records.
pub const EVENTS: &str = "events/";

/// Below it are the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints/";

/// Below it are the public keys that checkpoints were signed with.
pub const KEYS: &str = "keys/";

/// How many hex digits of an object's SHA-256 stand in its name.
const HASH_DIGITS: usize = 16;

/// The name of an object of records: when it was written (in milliseconds, the rest is cut off), and the first 64 bits
/// of the SHA-256 of what is in it.
///
/// ```text
/// events/day=2026-11-21/2026-11-21T10:28:19.123Z-0123456789abcdef.jsonl
/// ```
#[must_use]
pub fn events_key(archived_at: Timestamp, body: &[u8]) -> String {
    let time = milliseconds(archived_at);
    let day = day_of(&time);
    format!("{EVENTS}day={day}/{time}-{}.jsonl", name_hash(body))
}

/// The name that the hash in an object's name must have, if `body` is what was written.
#[must_use]
pub fn name_hash(body: &[u8]) -> String {
    let mut hash = sha256_hex(body);
    hash.truncate(HASH_DIGITS);
    hash
}

/// The name of a checkpoint.
#[must_use]
pub fn checkpoint_key(number: u64) -> String {
    format!("{CHECKPOINTS}{number:010}.json")
}

/// The name of a public key, by [`crate::checkpoint::PublicKey::id`].
#[must_use]
pub fn public_key_key(key_id: &str) -> String {
    format!("{KEYS}{key_id}.pem")
}

/// When an object of records was written, by its name; none, if that is no such name.
#[must_use]
pub fn archived_at(key: &str) -> Option<Timestamp> {
    EventsKey::parse(key).map(|key| key.archived_at)
}

/// A checkpoint's number, by its name; none, if that is no such name.
#[must_use]
pub fn checkpoint_number(key: &str) -> Option<u64> {
    let number = key.strip_prefix(CHECKPOINTS)?.strip_suffix(".json")?.parse().ok()?;
    (checkpoint_key(number) == key).then_some(number)
}

/// Sorts after every object of records that was written at `time` or before, and before every later one: where a
/// listing in the order of names goes on.
#[must_use]
pub fn events_after(time: Timestamp) -> String {
    let time = milliseconds(time);
    // A name goes on with `-`, which sorts before `~`.
    format!("{EVENTS}day={}/{time}~", day_of(&time))
}

/// What the name of an object of records says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsKey {
    /// When it was written, to the millisecond.
    pub archived_at: Timestamp,
    /// The first hex digits of the SHA-256 of what was written.
    pub hash: String,
}

impl EventsKey {
    /// Reads a name. None, if [`events_key`] would not have written it so.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (day, file) = key.strip_prefix(EVENTS)?.strip_prefix("day=")?.split_once('/')?;
        let stem = file.strip_suffix(".jsonl")?;
        let (time, hash) = stem.rsplit_once('-')?;
        let is_hash =
            hash.len() == HASH_DIGITS && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let archived_at: Timestamp = time.parse().ok()?;
        let written_so = milliseconds(archived_at) == time && day_of(time) == day;
        let is_possible = archived_at >= Timestamp::UNIX_EPOCH;
        (is_hash && written_so && is_possible).then(|| Self { archived_at, hash: hash.to_owned() })
    }
}

/// The lines of an object of records: what stands between line feeds. What stands after the last one is a line too, if
/// there is anything: it was cut off.
pub fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = body.strip_suffix(b"\n").unwrap_or(body);
    let nothing = body.is_empty();
    whole.split(|byte| *byte == b'\n').filter(move |_| !nothing)
}

/// A time as it stands in names and checkpoints: RFC 3339 in UTC with three digits of a second's fraction, so that the
/// order of texts is the order of times. What is finer is cut off.
#[must_use]
pub fn milliseconds(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&time)
}

/// Hex SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn day_of(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}
