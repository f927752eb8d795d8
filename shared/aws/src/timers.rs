//! Expiry timers of both kinds behind one port.
//!
//! Which kind a new grant gets is configuration; which kind a grant *has* stands in the grant. So timers
//! of the other kind can still be cleared after the configuration changed.

use std::sync::Arc;

use curfew_app::ports::{Clock, EffectError, Failure, TimerPort};
use curfew_domain::effect::{Proof, Timer, TimerKind};
use curfew_domain::ids::GrantId;
use curfew_domain::retry::TIMER_DELIVERY_AGE;
use serde_json::json;

use crate::TimerTarget;
use crate::clients::Aws;
use crate::rules::Rules;
use crate::scheduler::Schedules;

/// Expiry timers in EventBridge Scheduler and in EventBridge rules.
#[derive(Debug)]
pub struct Timers<C> {
    schedules: Schedules<C>,
    rules: Rules<C>,
    target: Option<TimerTarget>,
}

/// How long EventBridge keeps trying to deliver, in seconds.
pub(crate) fn delivery_age() -> i32 {
    i32::try_from(TIMER_DELIVERY_AGE.as_secs()).unwrap_or(i32::MAX)
}

impl<C: Clock> Timers<C> {
    pub(crate) fn new(aws: Arc<Aws>, group: String, target: Option<TimerTarget>, clock: Arc<C>) -> Self {
        Self {
            schedules: Schedules::new(Arc::clone(&aws), group, Arc::clone(&clock)),
            rules: Rules::new(aws, clock),
            target,
        }
    }
}

impl<C: Clock> TimerPort for Timers<C> {
    async fn set(&self, grant_id: &GrantId, timer: &Timer) -> Result<Proof, EffectError> {
        let Some(target) = &self.target else {
            return Err(EffectError {
                failure: Failure::Forbidden,
                operation: "SetTimer",
                code: "NotConfigured".to_owned(),
                message: "this function is not configured with what timers call".to_owned(),
            });
        };
        let input = input(grant_id);
        match timer.kind {
            TimerKind::Scheduler => self.schedules.set(timer, target, &input).await,
            TimerKind::Rule => self.rules.set(timer, target, &input).await,
        }
    }

    async fn clear(&self, timer: &Timer) -> Result<Proof, EffectError> {
        match timer.kind {
            TimerKind::Scheduler => self.schedules.clear(timer).await,
            TimerKind::Rule => self.rules.clear(timer).await,
        }
    }
}

/// What the revoke function is called with.
fn input(grant_id: &GrantId) -> String {
    json!({ "grant_id": grant_id, "trigger": "timer" }).to_string()
}
