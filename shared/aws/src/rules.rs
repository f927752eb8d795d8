//! Timers as EventBridge rules on the default bus, with a cron expression that matches one minute only.
//!
//! For partitions and accounts that want rules. A rule stays after it fired, so it is removed when its
//! grant closes; a bus holds few of them (300, unless raised).

use std::sync::Arc;

use aws_sdk_eventbridge::operation::RequestId as _;
use aws_sdk_eventbridge::types::{DeadLetterConfig, RetryPolicy, RuleState, Target};
use curfew_app::ports::{Clock, EffectError};
use curfew_domain::effect::{Found, Proof, Timer};
use curfew_domain::retry::TIMER_DELIVERY_TRIES;

use crate::attempts::Attempts;
use crate::clients::Aws;
use crate::errors::{Failed, failure_of_entry};
use crate::timers::delivery_age;
use crate::{TimerTarget, proof};

/// Rules on the default event bus.
#[derive(Debug)]
pub(crate) struct Rules<C> {
    aws: Arc<Aws>,
    clock: Arc<C>,
}

/// The one target of each rule.
const TARGET_ID: &str = "revoke";

const NOT_FOUND: &str = "ResourceNotFoundException";

impl<C: Clock> Rules<C> {
    pub(crate) fn new(aws: Arc<Aws>, clock: Arc<C>) -> Self {
        Self { aws, clock }
    }

    /// Makes the rule and its target, or replaces those that are there: both calls are upserts, and the target
    /// keeps its id, so a rule is moved by what made it. What is left if the second call fails fires at nothing
    /// (a new one) or at the same target (a moved one), and is removed when the grant closes.
    /// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>)
    pub(crate) async fn set(
        &self,
        timer: &Timer,
        target: &TimerTarget,
        input: &str,
    ) -> Result<Proof, EffectError> {
        let events = self.aws.eventbridge();
        let tries = Attempts::default();
        events
            .put_rule()
            .name(&timer.name)
            .description("Curfew: ends a grant at the end of its window")
            .schedule_expression(timer.fires_at.strftime("cron(%-M %-H %-d %-m ? %Y)").to_string())
            .state(RuleState::Enabled)
            .customize()
            .interceptor(tries.clone())
            .send()
            .await
            .map_err(|error| tries.judge(explained(Failed::of(&error))).effect("PutRule"))?;
        let retries = RetryPolicy::builder()
            .maximum_event_age_in_seconds(delivery_age())
            .maximum_retry_attempts(TIMER_DELIVERY_TRIES)
            .build();
        let dlq = target.dlq_arn.as_ref().map(|arn| DeadLetterConfig::builder().arn(arn).build());
        let target = Target::builder()
            .id(TARGET_ID)
            .arn(&target.revoke_function_arn)
            .input(input)
            .retry_policy(retries)
            .set_dead_letter_config(dlq)
            .build()
            .map_err(|error| entry_failed("PutTargets", "InvalidRequest", &error.to_string()))?;
        let output = events
            .put_targets()
            .rule(&timer.name)
            .targets(target)
            .customize()
            .interceptor(tries.clone())
            .send()
            .await
            .map_err(|error| tries.judge(Failed::of(&error)).effect("PutTargets"))?;
        if output.failed_entry_count() > 0 {
            let entry = output.failed_entries().first();
            let code = entry.and_then(|entry| entry.error_code()).unwrap_or("FailedEntry");
            let message = entry.and_then(|entry| entry.error_message()).unwrap_or("no message");
            return Err(entry_failed("PutTargets", code, message));
        }
        Ok(proof(&*self.clock, Found::Applied, output.request_id(), &tries))
    }

    /// Removes the target and the rule, if they are there. A rule with targets can't be deleted.
    pub(crate) async fn clear(&self, timer: &Timer) -> Result<Proof, EffectError> {
        let events = self.aws.eventbridge();
        let tries = Attempts::default();
        let call = events.remove_targets().rule(&timer.name).ids(TARGET_ID);
        match call.customize().interceptor(tries.clone()).send().await {
            Ok(output) => {
                let failed =
                    output.failed_entries().iter().find(|entry| entry.error_code() != Some(NOT_FOUND));
                if let (true, Some(entry)) = (output.failed_entry_count() > 0, failed) {
                    let code = entry.error_code().unwrap_or("FailedEntry");
                    return Err(entry_failed(
                        "RemoveTargets",
                        code,
                        entry.error_message().unwrap_or("no message"),
                    ));
                }
            }
            Err(error) => {
                let failed = Failed::of(&error);
                if failed.code == NOT_FOUND {
                    return Ok(proof(&*self.clock, Found::Absent, failed.request_id.as_deref(), &tries));
                }
                return Err(tries.judge(failed).effect("RemoveTargets"));
            }
        }
        match events.delete_rule().name(&timer.name).customize().interceptor(tries.clone()).send().await {
            Ok(output) => Ok(proof(&*self.clock, Found::Deleted, output.request_id(), &tries)),
            Err(error) => {
                let failed = Failed::of(&error);
                if failed.code == NOT_FOUND {
                    return Ok(proof(&*self.clock, Found::Absent, failed.request_id.as_deref(), &tries));
                }
                Err(tries.judge(failed).effect("DeleteRule"))
            }
        }
    }
}

fn explained(mut failed: Failed) -> Failed {
    if failed.code == "LimitExceededException" {
        failed.message = format!(
            "{}; an event bus holds 300 rules unless EventBridge's quota `Number of rules` is raised: raise it, \
             or have timers made by Scheduler",
            failed.message
        );
    }
    failed
}

fn entry_failed(operation: &'static str, code: &str, message: &str) -> EffectError {
    EffectError {
        failure: failure_of_entry(code),
        operation,
        code: code.to_owned(),
        message: crate::errors::shorten(message),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
