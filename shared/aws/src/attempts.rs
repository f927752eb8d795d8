//! Tells whether one of a call's attempts went without an answer.
//!
//! The SDK reports the *last* attempt's error. If that is a refusal, but an earlier attempt timed out,
//! the earlier one may still be on its way in AWS and take effect later: the refusal settles nothing.
//! For a detach that makes no difference; for an attach, it decides how soon a removal is proof (P4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_iam::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;

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
