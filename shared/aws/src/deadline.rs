//! Keeps every call within the time that its invocation has left: the SDK's own tries and pauses included.
//!
//! A call that is still being tried when Lambda ends the function tells nobody what came of it. One that is given up
//! shortly before is a failure like any other: written down, told, and tried again by whoever comes next.
//!
//! Knows no clock: it is given what tells the time that is left.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_iam::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept};
use aws_sdk_iam::error::BoxError;

type TimeLeft = dyn Fn() -> Duration + Send + Sync;

/// Limits calls to the time that is left. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Deadline(Arc<RwLock<Option<Arc<TimeLeft>>>>);

impl Deadline {
    /// From now on calls end in as much time as this says when they begin.
    pub(crate) fn set(&self, time_left: Arc<TimeLeft>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(time_left);
    }

    fn left(&self) -> Option<Duration> {
        // A copy: whatever tells the time is not called under the lock.
        let time_left = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        time_left.map(|time_left| time_left())
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("left", &self.left()).finish()
    }
}

impl Intercept for Deadline {
    fn name(&self) -> &'static str {
        "CurfewDeadline"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(left) = self.left() {
            let timeouts = config.load::<TimeoutConfig>().cloned();
            let timeouts = timeouts.unwrap_or_else(|| TimeoutConfig::builder().build());
            let call = timeouts.operation_timeout().map_or(left, |longest| longest.min(left));
            // This one limit alone: what is not said here, a call's own settings among it, is taken from below.
            config.interceptor_state().store_put(TimeoutConfig::builder().operation_timeout(call).build());
        }
        Ok(())
    }
}
