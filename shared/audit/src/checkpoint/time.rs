//! Times in checkpoints: RFC 3339 with three digits of a second's fraction, always, so that a verifier can compare
//! them as texts.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

use crate::archive::milliseconds;

pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&milliseconds(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time: Timestamp = text.parse().map_err(D::Error::custom)?;
    if time < Timestamp::UNIX_EPOCH {
        return Err(D::Error::custom("a time before 1970"));
    }
    Ok(time)
}

/// A time as a checkpoint can say it: fractions of a millisecond are cut off.
pub(super) fn whole_millisecond(time: Timestamp) -> Timestamp {
    milliseconds(time).parse().unwrap_or(time)
}
