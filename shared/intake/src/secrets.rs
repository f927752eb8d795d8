//! Signing secrets: one for each source, two during a rotation; and what its own API wants to be shown.
//!
//! Reads the text that is kept in Secrets Manager; does not know how it got here. Fails closed: one
//! secret that is not usable makes the whole set unusable, because a source that is left out in silence
//! looks like an attack to whoever reads the log. No error, no `Debug` and no log line holds a secret.
//!
//! The keys are not wiped from memory on drop: they live as long as the function instance does, and the
//! text that they came from has passed through an HTTP client's buffers before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curfew_domain::ids::{DeliveryId, Source};
use jiff::Timestamp;
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::json;
use crate::senders::{KeyForm, Senders};

/// What a secret begins with, so that it can be told from other secrets (and found by scanners).
const PREFIX: &str = "whsec_";
/// The shortest key that the Standard Webhooks specification allows: 192 bits.
const MIN_KEY_BYTES: usize = 24;
/// A random key of 24 bytes has fewer different bytes than this once in more than 10^20 times.
const MIN_DIFFERENT_BYTES: usize = 8;
/// Parts of what people and templates write where a secret is still to be filled in. By chance they
/// appear in less than one of a million random secrets.
const PLACEHOLDERS: [&str; 4] = ["change", "replace", "placeholder", "example"];

/// One signing secret: a key for HMAC-SHA256.
pub struct Secret(Webhook);

/// Why a text is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing, or nothing after the prefix.
    #[error("is empty")]
    Empty,
    /// Written where the secret still has to be filled in.
    #[error("is a placeholder")]
    Placeholder,
    /// Something else than a signing secret, for example an API key.
    #[error("does not begin with `whsec_`")]
    NoPrefix,
    /// The part after the prefix does not decode.
    #[error("is not base64 after `whsec_` (standard alphabet, padded)")]
    NotBase64,
    /// Guessable.
    #[error("has fewer than {MIN_KEY_BYTES} bytes")]
    TooShort,
    /// Long enough, but a pattern.
    #[error("is not random")]
    NotRandom,
}

/// A text that cannot be signed. Does not happen for text that is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be signed")]
pub struct Unsignable;

impl Secret {
    /// Reads `whsec_` and the base64 of at least 24 random bytes.
    ///
    /// # Errors
    /// [`SecretError`], which never holds the text.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        Self::parse_with_key(text).map(|(secret, _)| secret)
    }

    fn parse_with_key(text: &str) -> Result<(Self, Vec<u8>), SecretError> {
        let encoded = text.strip_prefix(PREFIX);
        if encoded.unwrap_or(text).trim().is_empty() {
            return Err(SecretError::Empty);
        }
        let lower_case = text.to_ascii_lowercase();
        if PLACEHOLDERS.iter().any(|word| lower_case.contains(word)) {
            return Err(SecretError::Placeholder);
        }
        let encoded = encoded.ok_or(SecretError::NoPrefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
        if key.len() < MIN_KEY_BYTES {
            return Err(SecretError::TooShort);
        }
        if key.iter().collect::<BTreeSet<_>>().len() < MIN_DIFFERENT_BYTES {
            return Err(SecretError::NotRandom);
        }
        let webhook = Webhook::from_bytes(key.clone()).map_err(|_| SecretError::NotBase64)?;
        Ok((Self(webhook), key))
    }

    /// Signs a delivery: the value of the header `webhook-signature`, `v1,` and base64. What senders do;
    /// Curfew does it to compare.
    ///
    /// # Errors
    /// [`Unsignable`] never for text; callers must treat it as "no signature".
    pub fn sign(&self, id: &DeliveryId, sent_at: Timestamp, body: &str) -> Result<String, Unsignable> {
        self.0.sign(id.as_str(), sent_at.as_second(), body.as_bytes()).map_err(|_| Unsignable)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The signing secrets of every source.
pub struct Secrets(BTreeMap<Source, Keys>);

struct Keys {
    current: Key,
    previous: Option<Key>,
    api: Option<ApiCredential>,
}

/// A signing secret, in the form of its source's kind of sender.
enum Key {
    Standard(Secret),
    Text(Vec<u8>),
}

/// What a source's own API wants to be shown. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum ApiCredential {
    /// A user (in Jira Cloud: an address) and a token, as HTTP basic authentication.
    Basic {
        /// The user.
        user: String,
        /// The token.
        token: String,
    },
    /// A token, as HTTP bearer authentication.
    Bearer {
        /// The token.
        token: String,
    },
}

impl fmt::Debug for ApiCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiCredential(…)")
    }
}

/// Why the signing secrets are not usable. Names the source, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Not JSON, or a field twice.
    #[error("the webhook secrets are not JSON without repeated keys: wrong at line {line} column {column}")]
    NotJson {
        /// Where it goes wrong, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
    },
    /// Not an object of sources, or without any.
    #[error(r#"the webhook secrets must be an object with at least one source: {{"<source>":{{"current":"whsec_…"}}}}"#)]
    NoSources,
    /// A name that no source can have. Not quoted, for it might be a secret in the wrong place.
    #[error("source number {position} of the webhook secrets has a name that no source can have: {rule}")]
    BadSource {
        /// Which, in alphabetical order, from 1.
        position: usize,
        /// What a name must be like.
        rule: &'static str,
    },
    /// A source's entry has another form.
    #[error(r#"the webhook secrets of source `{name}` must be {{"current":"whsec_…","previous":"whsec_…"}} (`previous` only during a rotation): {cause}"#)]
    BadEntry {
        /// The source.
        name: Source,
        /// What is wrong with the entry.
        cause: &'static str,
    },
    /// A secret is not usable.
    #[error(
        "the `{which}` webhook secret of source `{name}` {cause}; make a new one: `whsec_` and the base64 of 32 random bytes"
    )]
    BadSecret {
        /// The source.
        name: Source,
        /// `current` or `previous`.
        which: &'static str,
        /// What is wrong with it.
        cause: SecretError,
    },
    /// Two sources have one secret, so each could speak for the other.
    #[error("the sources `{first}` and `{second}` share a webhook secret; give each its own")]
    Shared {
        /// One of them.
        first: Source,
        /// The other.
        second: Source,
    },
}

impl Secrets {
    /// Reads `{"<source>":{"current":"…","previous":"…","api":{"user":"…","token":"…"}},…}`; `previous` and `api`
    /// are optional, and so is `user`. The secrets have the form of the source's kind of sender.
    ///
    /// # Errors
    /// [`SecretsError`] for the first thing that is not as it must be: unknown keys, repeated keys, empty,
    /// short, guessable or shared secrets.
    pub fn parse(text: &str, senders: &Senders) -> Result<Self, SecretsError> {
        let document = json::parse(text)
            .map_err(|error| SecretsError::NotJson { line: error.line(), column: error.column() })?;
        let entries = document.as_object().filter(|map| !map.is_empty()).ok_or(SecretsError::NoSources)?;
        let mut owners: Vec<(Vec<u8>, Source)> = Vec::new();
        let mut sources = BTreeMap::new();
        // Whether a map is sorted depends on what else is built (serde_json's `preserve_order`).
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by_key(|(name, _)| *name);
        for (position, (name, entry)) in (1..).zip(entries) {
            let name = Source::new(name.as_str())
                .map_err(|error| SecretsError::BadSource { position, rule: error.rule })?;
            let form = senders.of(name.as_str()).key_form();
            let (keys, raw) = read_entry(&name, entry, form)?;
            for key in raw {
                if let Some((_, first)) = owners.iter().find(|(other, owner)| *other == key && *owner != name)
                {
                    return Err(SecretsError::Shared { first: first.clone(), second: name });
                }
                owners.push((key, name.clone()));
            }
            sources.insert(name, keys);
        }
        Ok(Self(sources))
    }

    /// The sources that have a secret.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.keys()
    }

    /// The secrets of a source, newest first; none, if there is no such source.
    pub(crate) fn of(&self, source: &Source) -> impl Iterator<Item = &Secret> {
        self.all(source).filter_map(|key| match key {
            Key::Standard(secret) => Some(secret),
            Key::Text(_) => None,
        })
    }

    /// The secrets of a source whose bytes are the key, newest first; none, if there is no such source.
    pub(crate) fn keys_of(&self, source: &Source) -> impl Iterator<Item = &[u8]> {
        self.all(source).filter_map(|key| match key {
            Key::Standard(_) => None,
            Key::Text(bytes) => Some(bytes.as_slice()),
        })
    }

    fn all(&self, source: &Source) -> impl Iterator<Item = &Key> {
        self.0.get(source).into_iter().flat_map(|keys| std::iter::once(&keys.current).chain(&keys.previous))
    }

    /// What the source's own API wants to be shown, if that is configured.
    #[must_use]
    pub fn api(&self, source: &Source) -> Option<&ApiCredential> {
        self.0.get(source)?.api.as_ref()
    }
}

/// Names of sources only.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(Source::as_str)).finish()
    }
}

fn read_entry(name: &Source, entry: &Value, form: KeyForm) -> Result<(Keys, Vec<Vec<u8>>), SecretsError> {
    let bad_entry = |cause| SecretsError::BadEntry { name: name.clone(), cause };
    let fields = entry.as_object().ok_or_else(|| bad_entry("it is not an object"))?;
    if fields.keys().any(|key| !matches!(key.as_str(), "current" | "previous" | "api")) {
        return Err(bad_entry("it has another key"));
    }
    let mut raw = Vec::new();
    let mut secret = |which: &'static str| match fields.get(which) {
        None => Ok(None),
        Some(Value::String(text)) => {
            let bad = |cause| SecretsError::BadSecret { name: name.clone(), which, cause };
            Ok(Some(match form {
                KeyForm::Standard => {
                    let (secret, key) = Secret::parse_with_key(text).map_err(bad)?;
                    raw.push(key);
                    Key::Standard(secret)
                }
                KeyForm::Text => {
                    let key = text_key(text).map_err(bad)?;
                    raw.push(key.clone());
                    Key::Text(key)
                }
            }))
        }
        Some(_) => Err(bad_entry("a secret is not a string")),
    };
    let current = secret("current")?.ok_or_else(|| bad_entry("`current` is missing"))?;
    let previous = secret("previous")?;
    let api = fields.get("api").map(|api| api_credential(api).map_err(bad_entry)).transpose()?;
    Ok((Keys { current, previous, api }, raw))
}

fn api_credential(api: &Value) -> Result<ApiCredential, &'static str> {
    const FORM: &str = "`api` is not an object of a `token` and, if it needs one, a `user`";
    let fields = api.as_object().ok_or(FORM)?;
    let text = |name: &str| match fields.get(name) {
        None => Ok(None),
        // A line break would begin another header.
        Some(Value::String(text)) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err("`api` has a `user` or `token` that is not printable ASCII text"),
    };
    if fields.keys().any(|key| !matches!(key.as_str(), "user" | "token")) {
        return Err(FORM);
    }
    match (text("user")?, text("token")?) {
        (Some(user), Some(_)) if user.contains(':') => Err("the `user` of `api` holds a colon"),
        (Some(user), Some(token)) => Ok(ApiCredential::Basic { user, token }),
        (None, Some(token)) => Ok(ApiCredential::Bearer { token }),
        (_, None) => Err(FORM),
    }
}

/// A secret whose bytes are the key. Senders make them (Slack, PagerDuty) or take any text (GitHub, Jira).
fn text_key(text: &str) -> Result<Vec<u8>, SecretError> {
    if text.trim().is_empty() {
        return Err(SecretError::Empty);
    }
    let lower_case = text.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|word| lower_case.contains(word)) {
        return Err(SecretError::Placeholder);
    }
    if text.len() < MIN_KEY_BYTES {
        return Err(SecretError::TooShort);
    }
    if text.bytes().collect::<BTreeSet<_>>().len() < MIN_DIFFERENT_BYTES {
        return Err(SecretError::NotRandom);
    }
    Ok(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn error_of(text: &str) -> SecretsError {
        let error = Secrets::parse(text, &Senders::default()).unwrap_err();
        let told = format!("{error} {error:?}");
        for secret in [GOOD, OTHER, "C2FVsBQ", "MfKQ9r8"] {
            assert!(!told.contains(secret), "an error tells a secret: {told}");
        }
        error
    }

    #[test]
    fn a_source_has_one_secret_or_two() {
        let text = format!(
            r#"{{"jira":{{"current":"{GOOD}"}},"snow":{{"current":"{OTHER}","previous":"{OTHER}"}}}}"#
        );
        let secrets = Secrets::parse(&text, &Senders::default()).unwrap();
        assert_eq!(secrets.sources().map(Source::as_str).collect::<Vec<_>>(), ["jira", "snow"]);
        assert_eq!(secrets.of(&Source::new("jira").unwrap()).count(), 1);
        assert_eq!(secrets.of(&Source::new("snow").unwrap()).count(), 2);
        assert_eq!(secrets.of(&Source::new("else").unwrap()).count(), 0);
        assert_eq!(format!("{secrets:?}"), r#"{"jira", "snow"}"#);
        assert_eq!(format!("{:?}", Secret::parse(GOOD).unwrap()), "Secret(…)");
    }

    #[test]
    fn a_secret_that_is_not_one_is_refused_with_its_source() {
        for (secret, cause) in [
            ("", SecretError::Empty),
            ("whsec_", SecretError::Empty),
            ("whsec_  ", SecretError::Empty),
            ("whsec_REPLACE_ME", SecretError::Placeholder),
            ("changeme", SecretError::Placeholder),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::NoPrefix),
            ("WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::NoPrefix),
            ("whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD", SecretError::NotBase64),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\\n", SecretError::NotBase64),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o", SecretError::NotBase64),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o=", SecretError::TooShort),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SecretError::NotRandom),
        ] {
            for which in ["current", "previous"] {
                let other = if which == "current" { "previous" } else { "current" };
                let text = format!(r#"{{"snow":{{"{which}":"{secret}","{other}":"{OTHER}"}}}}"#);
                let error = error_of(&text);
                let name = Source::new("snow").unwrap();
                assert_eq!(error, SecretsError::BadSecret { name, which, cause }, "{secret:?}");
                assert!(error.to_string().contains("`snow`"), "{error}");
            }
        }
    }

    #[test]
    fn another_form_is_refused() {
        for text in ["", "{", GOOD, r#"{"a":{"current":"x"},"a":{"current":"y"}}"#] {
            assert!(matches!(error_of(text), SecretsError::NotJson { .. }), "{text}");
        }
        for text in ["{}", "[]", "null", r#""whsec_x""#] {
            assert_eq!(error_of(text), SecretsError::NoSources);
        }
        let misplaced = format!(r#"{{"{GOOD}":{{"current":"{OTHER}"}}}}"#);
        assert!(matches!(error_of(&misplaced), SecretsError::BadSource { position: 1, .. }));
        for entry in [
            format!(r#""{GOOD}""#),
            "{}".to_owned(),
            "null".to_owned(),
            format!(r#"{{"previous":"{GOOD}"}}"#),
            format!(r#"{{"current":"{GOOD}","next":"{OTHER}"}}"#),
            format!(r#"{{"current":["{GOOD}"]}}"#),
            format!(r#"{{"current":"{GOOD}","previous":null}}"#),
        ] {
            let error = error_of(&format!(r#"{{"snow":{entry}}}"#));
            assert!(
                matches!(&error, SecretsError::BadEntry { name, .. } if name.as_str() == "snow"),
                "{entry}: {error}"
            );
        }
    }

    #[test]
    fn no_two_sources_share_a_secret() {
        let text = format!(
            r#"{{"jira":{{"current":"{OTHER}","previous":"{GOOD}"}},"snow":{{"current":"{GOOD}"}}}}"#
        );
        let error = error_of(&text).to_string();
        assert!(error.contains("`jira` and `snow` share"), "{error}");
    }

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The vector of the Standard Webhooks libraries, and computed apart from them by
        //   python3 -c 'import hmac,base64; print(base64.b64encode(hmac.digest(base64.b64decode(
        //     "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), b"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553."
        //     b"{\"email\":\"test@example.com\",\"username\":\"test_user\"}", "sha256")).decode())'
        let id = DeliveryId::new("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk").unwrap();
        let at = Timestamp::from_second(1_649_367_553).unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            Secret::parse(GOOD).unwrap().sign(&id, at, body).as_deref(),
            Ok("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")
        );
    }
}
