//! Signatures of senders that do not use the Standard Webhooks scheme: HMAC-SHA256 in one header.
//!
//! Compared by the MAC itself, in constant time; every secret of the source is tried against every signature,
//! whichever matches, so that the time it takes tells neither.

use curfew_domain::ids::{DeliveryId, Source};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::body::Body;
use crate::secrets::Secrets;
use crate::verify::{Unverified, VerifiedDelivery, only};

/// A signature that a sender puts into a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme {
    /// The header.
    pub(crate) header: &'static str,
    /// What stands in front of the hexadecimal signature, for example `sha256=`.
    pub(crate) prefix: &'static str,
    /// Whether there may be several, separated by commas (during a rotation).
    pub(crate) several: bool,
}

/// Verifies that the body was signed with a secret of `source`; of a sender that signs a time beside it, `timed`: all that
/// it signs, and when.
///
/// The delivery's id is made from what was signed: a header that is not signed must not decide anything.
pub(crate) fn verify(
    scheme: Scheme,
    source: &str,
    headers: &HeaderMap,
    body: Body,
    secrets: &Secrets,
    timed: Option<(&[u8], Timestamp)>,
) -> Result<VerifiedDelivery, Unverified> {
    let text = only(headers, scheme.header)?;
    let signatures = read(scheme, text)?;
    let source = Source::new(source).map_err(|_| Unverified::UnknownSource)?;
    let signed = timed.map_or(body.as_str().as_bytes(), |(signed, _)| signed);
    let mut known = false;
    let mut matches = Choice::from(0);
    for key in secrets.keys_of(&source) {
        known = true;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { continue };
        mac.update(signed);
        let expected = mac.finalize().into_bytes();
        for signature in &signatures {
            matches |= signature.as_slice().ct_eq(&expected);
        }
    }
    if !bool::from(matches) {
        return Err(if known { Unverified::SignatureMismatch } else { Unverified::UnknownSource });
    }
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_str()));
    let id = DeliveryId::new(format!("sha256-{digest}"))
        .map_err(|error| Unverified::HeaderInvalid { name: scheme.header, rule: error.rule })?;
    Ok(VerifiedDelivery::new(source, id, timed.map(|(_, sent_at)| sent_at), body))
}

fn read(scheme: Scheme, text: &str) -> Result<Vec<Vec<u8>>, Unverified> {
    let invalid = || Unverified::HeaderInvalid {
        name: scheme.header,
        rule: "the scheme's prefix and 64 hexadecimal digits",
    };
    let parts = if scheme.several { text.split(',').collect() } else { vec![text] };
    let mut signatures = Vec::new();
    for part in parts {
        // Signatures of other versions may stand beside ours.
        let Some(hex) = part.trim().strip_prefix(scheme.prefix) else { continue };
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| invalid())?;
        if bytes.len() != 32 {
            return Err(invalid());
        }
        signatures.push(bytes);
    }
    if signatures.is_empty() { Err(invalid()) } else { Ok(signatures) }
}
