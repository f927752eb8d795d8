//! Asking a source's own API, and answering where it wants to be answered, as a port: HTTPS, or a script in tests.

use std::future::Future;
use std::time::Duration;

use curfew_intake::ApiCredential;
use curfew_itsm::{Client, ItsmError};

/// Why a source could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// Not now: it can't be reached, or is too busy.
    #[error("{0}")]
    NotNow(String),
    /// Not before an operator has put something right.
    #[error("{0}")]
    Refused(String),
}

/// Speaks to sources.
pub trait SourceApi: Send + Sync {
    /// Gets what is at `url`, within a time.
    fn get(
        &self,
        url: &str,
        credential: Option<&ApiCredential>,
        within: Duration,
    ) -> impl Future<Output = Result<String, NotAnswered>> + Send;

    /// Posts an answer, JSON text, to `url`, within a time.
    fn post(
        &self,
        url: &str,
        body: &str,
        within: Duration,
    ) -> impl Future<Output = Result<(), NotAnswered>> + Send;
}

/// Speaks HTTPS.
#[derive(Debug, Default)]
pub struct Https(Client);

impl Https {
    /// Costs nothing until it is used.
    #[must_use]
    pub fn new() -> Self {
        Self(Client::new())
    }
}

impl SourceApi for Https {
    async fn get(
        &self,
        url: &str,
        credential: Option<&ApiCredential>,
        within: Duration,
    ) -> Result<String, NotAnswered> {
        self.0.get(url, credential, within).await.map_err(NotAnswered::from)
    }

    async fn post(&self, url: &str, body: &str, within: Duration) -> Result<(), NotAnswered> {
        self.0.post_json(url, body, within).await.map_err(NotAnswered::from)
    }
}

impl From<ItsmError> for NotAnswered {
    fn from(error: ItsmError) -> Self {
        let told = error.to_string();
        if error.is_retryable() { Self::NotNow(told) } else { Self::Refused(told) }
    }
}
