//! Where the sources' signing secrets come from, as a port: Secrets Manager, or a fixed set in tests.

use std::future::Future;

use curfew_app::ports::Clock;
use curfew_aws::WebhookSecret;
use curfew_intake::{Secrets, Senders};
use curfew_runtime::error::chain;

/// Why there are no secrets to verify with. Nothing is let in then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsUnavailable {
    /// They could not be fetched.
    #[error("the webhook secrets could not be fetched: {0}")]
    NotFetched(String),
    /// They were fetched and are not usable; an operator has to put them right.
    #[error("the webhook secrets are not usable: {0}")]
    NotUsable(String),
}

/// Gives the signing secrets of all sources.
pub trait SecretSource: Send + Sync {
    /// The secrets as they are now, or were a few minutes ago, each in the form of its source's kind of sender.
    fn secrets(&self, senders: &Senders) -> impl Future<Output = Result<Secrets, SecretsUnavailable>> + Send;
}

impl<C: Clock + 'static> SecretSource for WebhookSecret<C> {
    async fn secrets(&self, senders: &Senders) -> Result<Secrets, SecretsUnavailable> {
        let text = self.fetch().await.map_err(|error| SecretsUnavailable::NotFetched(chain(&error)))?;
        Secrets::parse(text.expose(), senders).map_err(|error| SecretsUnavailable::NotUsable(chain(&error)))
    }
}
