//! Verification by the Standard Webhooks scheme: a delivery comes from the source it names, unchanged and now.
//!
//! The scheme: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//! The `standardwebhooks` crate computes the signature. Its own `verify` is not used: it reads the
//! system's clock, takes the first of several equal headers, and compares without a promise about time.
//!
//! Nothing here is written down: an unverified caller must not be able to fill the ledger.

use curfew_domain::ids::{DeliveryId, Source};
use http::HeaderMap;
use jiff::Timestamp;
use subtle::{Choice, ConstantTimeEq as _};

use crate::body::Body;
use crate::secrets::Secrets;
use crate::{HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, TOLERANCE_SECONDS};

/// The only signature version that is looked at: a shared secret. `v1a` (public keys) is passed over.
const SIGNATURE_VERSION: &str = "v1";

/// A delivery whose signature, and age where it is signed, were checked. Only a sender's verification makes one.
#[derive(Debug, Clone)]
pub struct VerifiedDelivery {
    source: Source,
    id: DeliveryId,
    sent_at: Option<Timestamp>,
    body: Body,
}

impl VerifiedDelivery {
    pub(crate) fn new(source: Source, id: DeliveryId, sent_at: Option<Timestamp>, body: Body) -> Self {
        Self { source, id, sent_at, body }
    }

    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The sender's id of the delivery, as far as it is signed; else one made of what was signed.
    #[must_use]
    pub fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// When the sender sent it, if it signs that.
    #[must_use]
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.sent_at
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }
}

/// Why a delivery is not believed. The reply's problem type is `unverified`, its status 401.
///
/// As text it tells a sender what to repair and an attacker nothing that the request did not hold: an
/// unknown source and a wrong signature read the same. [`Unverified::reason`] tells them apart for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is not there.
    #[error("the header `{0}` is missing; sign the webhook as docs/senders.md says for this source")]
    HeaderMissing(&'static str),
    /// A header is there more than once, so what was signed is not clear.
    #[error("the header `{0}` is there more than once")]
    HeaderRepeated(&'static str),
    /// A header does not have its form.
    #[error("the header `{name}` is not valid: {rule}")]
    HeaderInvalid {
        /// Which header.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// Sent too long ago: held up on the way, the sender's clock is behind, or a replay.
    #[error(
        "the signed time is {seconds} s in the past, and at most {TOLERANCE_SECONDS} s are accepted; sign each attempt anew, and check the sender's clock"
    )]
    TooOld {
        /// How old it is.
        seconds: i64,
    },
    /// Sent in the future: the sender's clock is ahead.
    #[error(
        "the signed time is {seconds} s in the future, and at most {TOLERANCE_SECONDS} s are accepted; check the sender's clock"
    )]
    InFuture {
        /// How far ahead it is.
        seconds: i64,
    },
    /// No such source, or no secret for it.
    #[error("{NO_MATCH}")]
    UnknownSource,
    /// No signature matches: another secret, another body, or a forgery.
    #[error("{NO_MATCH}")]
    SignatureMismatch,
}

const NO_MATCH: &str = "no signature is valid for this source and what it signs; \
    check the source in the path, its signing secret, and that the body was signed byte for byte as sent";

impl Unverified {
    /// A stable word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::HeaderMissing(_) => "header-missing",
            Self::HeaderRepeated(_) => "header-repeated",
            Self::HeaderInvalid { .. } => "header-invalid",
            Self::TooOld { .. } => "too-old",
            Self::InFuture { .. } => "in-future",
            Self::UnknownSource => "unknown-source",
            Self::SignatureMismatch => "signature-mismatch",
        }
    }
}

/// Verifies a delivery to `/webhooks/<source>` against the secrets of that source, at the time `now`.
///
/// A delivery that is sent again is verified again: that it changes nothing more is the ledger's promise,
/// not the signature's.
///
/// # Errors
/// [`Unverified`], for the first check that fails: headers, age, signature.
pub(crate) fn verify(
    source: &str,
    headers: &HeaderMap,
    body: Body,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<VerifiedDelivery, Unverified> {
    let id = DeliveryId::new(only(headers, HEADER_ID)?)
        .map_err(|error| Unverified::HeaderInvalid { name: HEADER_ID, rule: error.rule })?;
    let sent_at = read_timestamp(only(headers, HEADER_TIMESTAMP)?)?;
    let signatures = read_signatures(only(headers, HEADER_SIGNATURE)?)?;
    check_age(sent_at, now)?;

    let source = Source::new(source).map_err(|_| Unverified::UnknownSource)?;
    let mut known = false;
    let mut matches = Choice::from(0);
    // Every secret is tried against every signature, whichever matches: the time it takes tells neither.
    for secret in secrets.of(&source) {
        known = true;
        let Ok(signed) = secret.sign(&id, sent_at, body.as_str()) else { continue };
        let Some((_, expected)) = signed.split_once(',') else { continue };
        for signature in &signatures {
            matches |= signature.as_bytes().ct_eq(expected.as_bytes());
        }
    }
    if bool::from(matches) {
        Ok(VerifiedDelivery::new(source, id, Some(sent_at), body))
    } else if known {
        Err(Unverified::SignatureMismatch)
    } else {
        Err(Unverified::UnknownSource)
    }
}

/// The one value of a header.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Unverified> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Unverified::HeaderMissing(name))?;
    if values.next().is_some() {
        return Err(Unverified::HeaderRepeated(name));
    }
    value.to_str().map_err(|_| Unverified::HeaderInvalid { name, rule: "ASCII without control characters" })
}

/// Seconds since 1970, in the one form that is signed: what is verified is what was read.
fn read_timestamp(text: &str) -> Result<Timestamp, Unverified> {
    text.parse()
        .ok()
        .filter(|seconds: &i64| *seconds >= 0 && seconds.to_string() == text)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(Unverified::HeaderInvalid {
            name: HEADER_TIMESTAMP,
            rule: "whole seconds since 1970, digits only",
        })
}

/// The signatures of our version, from `<version>,<base64>` parts separated by spaces.
///
/// API Gateway joins headers of one name with commas: a part with a second comma is a repeated header.
fn read_signatures(text: &str) -> Result<Vec<&str>, Unverified> {
    let invalid = |rule| Unverified::HeaderInvalid { name: HEADER_SIGNATURE, rule };
    let mut signatures = Vec::new();
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        match part.split_once(',') {
            Some((_, signature)) if signature.contains(',') => {
                return Err(Unverified::HeaderRepeated(HEADER_SIGNATURE));
            }
            Some((version, signature)) if !version.is_empty() && !signature.is_empty() => {
                if version == SIGNATURE_VERSION {
                    signatures.push(signature);
                }
            }
            _ => return Err(invalid("`v1,<base64>`, several separated by spaces")),
        }
    }
    if signatures.is_empty() {
        Err(invalid("at least one signature of version `v1`"))
    } else {
        Ok(signatures)
    }
}

pub(crate) fn check_age(sent_at: Timestamp, now: Timestamp) -> Result<(), Unverified> {
    let age = now.as_second() - sent_at.as_second();
    if age > TOLERANCE_SECONDS {
        Err(Unverified::TooOld { seconds: age })
    } else if -age > TOLERANCE_SECONDS {
        Err(Unverified::InFuture { seconds: -age })
    } else {
        Ok(())
    }
}
