//! The webhook secret, from Secrets Manager, kept for a while.
//!
//! Returns the secret's text as it is; what it means is intake's business. While Secrets Manager does not
//! answer, the last text is served on, but not for ever: a secret that was taken out because it leaked
//! must stop being accepted within [`SERVED_FOR`], whatever else is down. If Secrets Manager *refuses* it
//! (deleted, or no permission any more), it is not served on at all. Without a secret, deliveries fail.

use std::fmt;
use std::sync::Arc;

use curfew_app::ports::{Clock, Failure};
use curfew_domain::retry::SECRET_RETRY_AFTER as RETRY_AFTER;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::clients::Aws;
use crate::errors::Failed;

/// How long a fetched secret is used without asking again.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);

pub use curfew_domain::retry::SECRET_SERVED_FOR as SERVED_FOR;

/// The webhook secret.
#[derive(Debug)]
pub struct WebhookSecret<C> {
    aws: Arc<Aws>,
    secret_id: String,
    clock: Arc<C>,
    /// Held while fetching, so that of many callers one fetches and the others wait for it.
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    text: SecretText,
    fetched_at: Timestamp,
    try_again_at: Timestamp,
}

/// A secret's text. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<str>);

impl SecretText {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(<hidden>)")
    }
}

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not give it.
    #[error("secret `{secret_id}` can't be read: GetSecretValue failed: {reason}")]
    Unavailable {
        /// Its name or ARN.
        secret_id: String,
        /// What Secrets Manager said.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// It is binary.
    #[error("secret `{secret_id}` holds no text; store the JSON as `SecretString`")]
    NotText {
        /// Its name or ARN.
        secret_id: String,
    },
}

impl SecretError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { retryable, .. } => *retryable,
            Self::NotText { .. } => false,
        }
    }
}

impl<C: Clock> WebhookSecret<C> {
    /// A secret by its name or ARN. Fetched when it is first asked for.
    #[must_use]
    pub fn new(aws: Arc<Aws>, secret_id: String, clock: Arc<C>) -> Self {
        Self { aws, secret_id, clock, cached: Mutex::new(None) }
    }

    /// The secret's current text.
    ///
    /// # Errors
    /// [`SecretError`], if it could not be fetched and no text young enough is at hand.
    pub async fn fetch(&self) -> Result<SecretText, SecretError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        let age = |cached: &Cached| now.duration_since(cached.fetched_at);
        if let Some(cached) = cached.as_ref() {
            let fresh = age(cached) < FRESH_FOR;
            let servable = age(cached) < SERVED_FOR && now < cached.try_again_at;
            if fresh || servable {
                return Ok(cached.text.clone());
            }
        }
        match self.get().await {
            Ok(text) => {
                *cached = Some(Cached { text: text.clone(), fetched_at: now, try_again_at: now });
                Ok(text)
            }
            Err(error) => {
                match cached.as_mut().filter(|cached| error.is_retryable() && age(cached) < SERVED_FOR) {
                    Some(cached) => {
                        tracing::warn!(%error, "the webhook secret could not be fetched again; the last one is served on");
                        cached.try_again_at = now.saturating_add(RETRY_AFTER).unwrap_or(now);
                        Ok(cached.text.clone())
                    }
                    None => {
                        *cached = None;
                        Err(error)
                    }
                }
            }
        }
    }

    async fn get(&self) -> Result<SecretText, SecretError> {
        let output = self.aws.secretsmanager().get_secret_value().secret_id(&self.secret_id).send().await;
        match output {
            Ok(output) => match output.secret_string {
                Some(text) => Ok(SecretText(text.into())),
                None => Err(SecretError::NotText { secret_id: self.secret_id.clone() }),
            },
            Err(error) => {
                let failed = Failed::of(&error);
                let reason = format!("{}: {}", failed.code, failed.message);
                let retryable = matches!(failed.failure, Failure::Retryable | Failure::Throttled);
                Err(SecretError::Unavailable { secret_id: self.secret_id.clone(), reason, retryable })
            }
        }
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
