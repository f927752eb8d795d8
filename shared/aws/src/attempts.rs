//! Tells whether one of a call's attempts went without an answer.
//!
//! The SDK reports the *last* attempt's error. If that is a refusal, but an earlier attempt timed out,
//! the earlier one may still be on its way in AWS and take effect later: the refusal settles nothing.
//! The same holds for a success. It decides how soon a removal is proof (P4), and whether a shared attachment
//! can be told to agree with its holders (P3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_iam::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use curfew_app::ports::Failure;

use crate::errors::Failed;

/// Watches the attempts of one call. Clones watch the same call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    unanswered: Arc<AtomicBool>,
}

impl Attempts {
    /// Whether an attempt so far was neither done nor refused by AWS.
    pub(crate) fn any_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// What an error means, given the tries before the one that it is of: a refusal settles only that one.
    pub(crate) fn judge(&self, mut failed: Failed) -> Failed {
        if self.any_unanswered() && matches!(failed.failure, Failure::Refused | Failure::Forbidden) {
            failed.failure = Failure::Retryable;
            failed.message.push_str("; an earlier attempt went without an answer and may still take effect");
        }
        failed
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "CurfewAttempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let failed = !matches!(context.output_or_error(), Some(Ok(_)));
        let refused =
            context.response().is_some_and(|response| (400..500).contains(&response.status().as_u16()));
        if failed && !refused {
            self.unanswered.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
