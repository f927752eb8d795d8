//! The SDK's configuration, loaded once, and its clients, each built when it is first needed: an
//! invocation that only ends a grant must not pay for the secret's client at its cold start.
//!
//! Knows nothing of what the clients are used for.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use curfew_domain::retry::{
    ATTEMPT_TIMEOUT, CALL_BACKOFF, CALL_TIMEOUT, CALL_TRIES, CONNECT_TIMEOUT, LEDGER_CALL_BACKOFF,
    LEDGER_CALL_TRIES,
};

use crate::deadline::Deadline;
use crate::ledger::RetryConflicts;

/// A client of a service. A macro, because every service's is a type of its own.
macro_rules! client {
    ($aws:expr, $service:ident) => {
        $service::Client::from_conf(
            $service::config::Builder::from(&$aws.config).interceptor($aws.deadline.clone()).build(),
        )
    };
}

/// Configuration and clients of the AWS SDK.
pub struct Aws {
    config: SdkConfig,
    deadline: Deadline,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    scheduler: OnceLock<aws_sdk_scheduler::Client>,
    secretsmanager: OnceLock<aws_sdk_secretsmanager::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
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
            .retry_config(
                RetryConfig::standard().with_max_attempts(CALL_TRIES).with_initial_backoff(CALL_BACKOFF),
            )
            .load()
            .await;
        Self::from_config(config)
    }

    /// Takes a configuration that was made elsewhere.
    #[must_use]
    pub fn from_config(config: SdkConfig) -> Self {
        Self {
            config,
            deadline: Deadline::default(),
            dynamodb: OnceLock::new(),
            eventbridge: OnceLock::new(),
            iam: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
            scheduler: OnceLock::new(),
            secretsmanager: OnceLock::new(),
            sqs: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    /// From now on every call ends in as much time as this says when it begins, whatever it was allowed otherwise.
    /// A process serves one invocation at a time, so there is one such limit.
    pub fn limit(&self, time_left: Arc<dyn Fn() -> Duration + Send + Sync>) {
        self.deadline.set(time_left);
    }

    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| {
            let retries = RetryConfig::standard()
                .with_max_attempts(LEDGER_CALL_TRIES)
                .with_initial_backoff(LEDGER_CALL_BACKOFF);
            let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
                .retry_config(retries)
                .retry_classifier(RetryConflicts)
                .interceptor(self.deadline.clone())
                .build();
            aws_sdk_dynamodb::Client::from_conf(config)
        })
    }

    pub(crate) fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| client!(self, aws_sdk_eventbridge))
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| client!(self, aws_sdk_iam))
    }

    pub(crate) fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms.get_or_init(|| client!(self, aws_sdk_kms))
    }

    pub(crate) fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| client!(self, aws_sdk_s3))
    }

    pub(crate) fn scheduler(&self) -> &aws_sdk_scheduler::Client {
        self.scheduler.get_or_init(|| client!(self, aws_sdk_scheduler))
    }

    pub(crate) fn secretsmanager(&self) -> &aws_sdk_secretsmanager::Client {
        self.secretsmanager.get_or_init(|| client!(self, aws_sdk_secretsmanager))
    }

    pub(crate) fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| client!(self, aws_sdk_sqs))
    }

    pub(crate) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| client!(self, aws_sdk_sts))
    }
}

/// The timeouts of every call.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build()
}
