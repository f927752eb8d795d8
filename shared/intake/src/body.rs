//! Bodies: text within the limit, before anybody looks at what it says.
//!
//! The first step of intake, done for callers who have proven nothing yet: its cost is bounded by
//! the kind of sender, whatever is sent.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::MAX_BODY_BYTES;

/// The body of a webhook: UTF-8 text of bounded size.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(String);

/// Why a body is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Larger than its source's kind of sender may send.
    #[error(
        "the body is larger than {limit} bytes; send one approval a webhook, and link to long texts instead of quoting them"
    )]
    TooLarge {
        /// How many bytes it may have.
        limit: usize,
    },
    /// The event says that the body is base64, and it is not.
    #[error("the body is marked as base64 and is not: standard alphabet, padded, no line breaks")]
    NotBase64,
    /// JSON is UTF-8 text (RFC 8259 §8.1).
    #[error("the body is not UTF-8 text; send JSON as `application/json`")]
    NotUtf8,
}

impl BodyError {
    /// The problem type that the reply names: `too-large` (413) or `malformed` (400).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::NotBase64 | Self::NotUtf8 => "malformed",
        }
    }
}

impl Body {
    /// Takes the body of an HTTP event: `body` and `isBase64Encoded` of API Gateway and function URLs.
    ///
    /// # Errors
    /// [`BodyError`]. The size is judged first, for base64 from the length of its text, so that nothing
    /// is decoded that would be refused afterwards.
    pub fn decode(body: &str, is_base64: bool) -> Result<Self, BodyError> {
        Self::decode_within(MAX_BODY_BYTES, body, is_base64)
    }

    /// Takes the body of an HTTP event of at most `limit` bytes: [`Sender::max_body_bytes`](crate::Sender).
    ///
    /// # Errors
    /// As [`Body::decode`].
    pub fn decode_within(limit: usize, body: &str, is_base64: bool) -> Result<Self, BodyError> {
        if !is_base64 {
            return if body.len() > limit {
                Err(BodyError::TooLarge { limit })
            } else {
                Ok(Self(body.to_owned()))
            };
        }
        // Four characters carry three bytes, up to two of which are padding.
        if body.len() / 4 * 3 > limit + 2 {
            return Err(BodyError::TooLarge { limit });
        }
        let bytes = STANDARD.decode(body).map_err(|_| BodyError::NotBase64)?;
        if bytes.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        String::from_utf8(bytes).map(Self).map_err(|_| BodyError::NotUtf8)
    }

    /// The text, byte for byte as it was sent: what the signature covers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Only the size: a body holds people's words, which belong in the ledger and not in a log.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_base64_bodies_are_the_same_text() {
        let text = r#"{"a":"ü"}"#;
        assert_eq!(Body::decode(text, false).unwrap().as_str(), text);
        assert_eq!(Body::decode(&STANDARD.encode(text), true), Body::decode(text, false));
        assert_eq!(Body::decode("", true), Body::decode("", false));
    }

    #[test]
    fn the_limit_is_exact_in_both_forms() {
        for (length, fits) in [
            (MAX_BODY_BYTES, true),
            (MAX_BODY_BYTES + 1, false),
            (MAX_BODY_BYTES + 2, false),
            (1 << 20, false),
        ] {
            let text = "a".repeat(length);
            assert_eq!(Body::decode(&text, false).is_ok(), fits, "{length}");
            let base64 = Body::decode(&STANDARD.encode(&text), true);
            assert_eq!(base64.is_ok(), fits, "{length}");
            if !fits {
                assert_eq!(base64, Err(BodyError::TooLarge { limit: MAX_BODY_BYTES }));
            }
        }
        // Too large counts before "not base64": nothing of it was decoded.
        assert_eq!(
            Body::decode(&"!".repeat(1 << 20), true),
            Err(BodyError::TooLarge { limit: MAX_BODY_BYTES })
        );
    }

    #[test]
    fn base64_is_strict() {
        for bad in ["e30", "e30==", "e3 0=", "e30=\n", "e30-", "e31=", "=", "{}"] {
            assert_eq!(Body::decode(bad, true), Err(BodyError::NotBase64), "{bad:?}");
        }
        assert_eq!(Body::decode(&STANDARD.encode([b'{', 0xff, b'}']), true), Err(BodyError::NotUtf8));
    }

    #[test]
    fn errors_have_the_documented_codes() {
        assert_eq!(BodyError::TooLarge { limit: 1 }.code(), "too-large");
        assert_eq!(BodyError::NotBase64.code(), "malformed");
        assert_eq!(BodyError::NotUtf8.code(), "malformed");
        assert!(BodyError::TooLarge { limit: 65536 }.to_string().contains("65536"));
    }

    #[test]
    fn debug_does_not_quote() {
        assert_eq!(format!("{:?}", Body::decode("words", false).unwrap()), "Body(5 bytes)");
    }
}
