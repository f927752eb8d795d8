//! The ITSM tool's part: signing a webhook by the Standard Webhooks scheme and posting it.
//!
//! Must not know: what a body says, and what Curfew makes of it.

use std::fmt;

use data_encoding::BASE64;
use http::Method;
use jiff::Timestamp;
use standardwebhooks::Webhook;

use crate::edge;
use crate::failure::{Failure, at};
use crate::http::{HttpError, Reply, send};

/// A source's signing secret, `whsec_` and base64. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// A secret nobody else has.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn generate() -> Result<Self, Failure> {
        let random = edge::random().map_err(at("read", "/dev/urandom".as_ref()))?;
        Ok(Self(format!("whsec_{}", BASE64.encode(&random))))
    }

    /// The secret as the sender and Secrets Manager hold it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Signs a delivery.
    ///
    /// # Errors
    /// The body is not UTF-8.
    pub fn sign(&self, id: &str, sent_at: Timestamp, body: &[u8]) -> Result<Delivery, Failure> {
        let signature = Webhook::new(&self.0)?.sign(id, sent_at.as_second(), body)?;
        Ok(Delivery { id: id.to_owned(), sent_at, signature, body: body.to_vec() })
    }
}

impl From<String> for SigningSecret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningSecret(…)")
    }
}

/// A signed webhook. Sending it twice is a replay, with the same id, as a sender that retries does.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `webhook-id`: the same on every try.
    pub id: String,
    /// `webhook-timestamp`. Receivers refuse what is older than five minutes.
    pub sent_at: Timestamp,
    /// `webhook-signature`.
    pub signature: String,
    /// What was signed.
    pub body: Vec<u8>,
}

impl Delivery {
    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", self.sent_at.as_second().to_string()),
            ("webhook-signature", self.signature.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Posts it.
    ///
    /// # Errors
    /// There was no answer. A refusal is an answer.
    pub async fn post(&self, url: &str) -> Result<Reply, HttpError> {
        send(Method::POST, url, &self.headers(), &self.body).await
    }

    /// The command that posts it from a shell.
    #[must_use]
    pub fn curl(&self, url: &str) -> String {
        let mut line = format!("curl -sS -X POST {}", quoted(url));
        for (name, value) in self.headers() {
            line.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
        }
        let body = String::from_utf8_lossy(&self.body);
        line.push_str(&format!(" \\\n  --data-binary {}", quoted(&body)));
        line
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    #[test]
    fn signs_as_the_scheme_says() {
        let secret = SigningSecret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let at = Timestamp::from_second(1_614_265_330).expect("a time");
        let delivery =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#).expect("signed");
        assert_eq!(delivery.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_curl_line_survives_quotes() {
        let secret = SigningSecret::generate().expect("a secret");
        let at = Timestamp::from_second(1).expect("a time");
        let line =
            secret.sign("m", at, br#"{"a":"it's"}"#).expect("signed").curl("http://x.localhost:1/webhooks/y");
        assert!(line.contains(r#"--data-binary '{"a":"it'\''s"}'"#), "{line}");
        assert!(line.contains("-H 'webhook-timestamp: 1'"), "{line}");
        assert!(!line.contains(secret.reveal()));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = SigningSecret::from("whsec_aGlkZGVu".to_owned());
        assert!(!format!("{secret:?}").contains("aGlkZGVu"));
    }
}
