//! The SDK's configuration, loaded once, and its clients, each built when it is first needed: an
//! invocation that only ends a grant must not pay for the secret's client at its cold start.
//!
//! Knows nothing of what the clients are used for.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::ledger::RetryConflicts;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long AWS may take to answer one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a call may take with all its attempts. An opening makes three calls one after the other; if
/// all of them hang, it can still say so before its function's time is over (25 s in the template).
const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);

/// How often a call is tried altogether.
const ATTEMPTS_MAX: u32 = 3;

/// As [`ATTEMPTS_MAX`], for DynamoDB: a transaction that met another one is worth one more.
const LEDGER_ATTEMPTS_MAX: u32 = 4;

/// The longest first pause before DynamoDB is asked again: conflicts are over in milliseconds.
const LEDGER_BACKOFF: Duration = Duration::from_millis(50);

/// Configuration and clients of the AWS SDK.
pub struct Aws {
    config: SdkConfig,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    scheduler: OnceLock<aws_sdk_scheduler::Client>,
    secretsmanager: OnceLock<aws_sdk_secretsmanager::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

impl fmt::Debug for Aws {
    /// Says nothing: the configuration holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    /// Loads region, credentials and endpoint (`AWS_ENDPOINT_URL`) from the environment, where Lambda puts
    /// them, and from nowhere else: the SDK's default chain would read the machine's root certificates at
    /// every cold start, and ask the instance's metadata service where something is missing.
    pub async fn load() -> Self {
        // A fixed version: what a newer one changes (timeouts, retries) is to be read before it is taken.
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(EnvironmentVariableRegionProvider::new())
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .load()
            .await;
        Self::from_config(config)
    }

    /// Takes a configuration that was made elsewhere.
    #[must_use]
    pub fn from_config(config: SdkConfig) -> Self {
        Self {
            config,
            dynamodb: OnceLock::new(),
            eventbridge: OnceLock::new(),
            iam: OnceLock::new(),
            scheduler: OnceLock::new(),
            secretsmanager: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| {
            let retries = RetryConfig::standard()
                .with_max_attempts(LEDGER_ATTEMPTS_MAX)
                .with_initial_backoff(LEDGER_BACKOFF);
            let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
                .retry_config(retries)
                .retry_classifier(RetryConflicts)
                .build();
            aws_sdk_dynamodb::Client::from_conf(config)
        })
    }

    pub(crate) fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| aws_sdk_eventbridge::Client::new(&self.config))
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| aws_sdk_iam::Client::new(&self.config))
    }

    pub(crate) fn scheduler(&self) -> &aws_sdk_scheduler::Client {
        self.scheduler.get_or_init(|| aws_sdk_scheduler::Client::new(&self.config))
    }

    pub(crate) fn secretsmanager(&self) -> &aws_sdk_secretsmanager::Client {
        self.secretsmanager.get_or_init(|| aws_sdk_secretsmanager::Client::new(&self.config))
    }

    pub(crate) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| aws_sdk_sts::Client::new(&self.config))
    }
}

/// The timeouts of every call.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}
