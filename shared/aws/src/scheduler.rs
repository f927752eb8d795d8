//! Timers as one-time schedules of EventBridge Scheduler, which delete themselves after they fired.
//!
//! A schedule is named after its grant: setting it again finds the first one, and it is either as wanted
//! or made so. Fires within the minute that it names, never before.

use std::sync::Arc;

use aws_sdk_scheduler::operation::RequestId as _;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy,
    ScheduleState, Target,
};
use curfew_app::ports::{Clock, EffectError, Failure};
use curfew_domain::effect::{Found, Proof, Timer};

use crate::clients::Aws;
use crate::errors::{Failed, effect};
use crate::timers::{DELIVERY_AGE_SECONDS_MAX, DELIVERY_ATTEMPTS_MAX};
use crate::{TimerTarget, proof};

/// The schedules of one group.
#[derive(Debug)]
pub(crate) struct Schedules<C> {
    aws: Arc<Aws>,
    group: String,
    clock: Arc<C>,
}

const TIMEZONE: &str = "UTC";

/// What a schedule is like, whichever call makes it so.
struct Wanted {
    expression: String,
    target: Target,
    window: FlexibleTimeWindow,
    description: String,
}

impl<C: Clock> Schedules<C> {
    pub(crate) fn new(aws: Arc<Aws>, group: String, clock: Arc<C>) -> Self {
        Self { aws, group, clock }
    }

    /// Makes the schedule, or makes the one that is there as wanted.
    pub(crate) async fn set(
        &self,
        timer: &Timer,
        target: &TimerTarget,
        input: &str,
    ) -> Result<Proof, EffectError> {
        let wanted = wanted(timer, target, input)?;
        let sent = self
            .aws
            .scheduler()
            .create_schedule()
            .name(&timer.name)
            .group_name(&self.group)
            .description(&wanted.description)
            .schedule_expression(&wanted.expression)
            .schedule_expression_timezone(TIMEZONE)
            .flexible_time_window(wanted.window.clone())
            .state(ScheduleState::Enabled)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(wanted.target.clone())
            .send()
            .await;
        match sent {
            Ok(output) => Ok(proof(&*self.clock, Found::Applied, output.request_id())),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conflict_exception()) => {
                self.make_as_wanted(timer, wanted).await
            }
            Err(error) => Err(self.explained(Failed::of(&error)).effect("CreateSchedule")),
        }
    }

    async fn make_as_wanted(&self, timer: &Timer, wanted: Wanted) -> Result<Proof, EffectError> {
        let scheduler = self.aws.scheduler();
        let found = scheduler
            .get_schedule()
            .name(&timer.name)
            .group_name(&self.group)
            .send()
            .await
            .map_err(|error| gone_meanwhile(effect("GetSchedule", &error)))?;
        if wanted.is(&found) {
            return Ok(proof(&*self.clock, Found::Applied, found.request_id()));
        }
        let updated = scheduler
            .update_schedule()
            .name(&timer.name)
            .group_name(&self.group)
            .description(wanted.description)
            .schedule_expression(wanted.expression)
            .schedule_expression_timezone(TIMEZONE)
            .flexible_time_window(wanted.window)
            .state(ScheduleState::Enabled)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(wanted.target)
            .send()
            .await
            .map_err(|error| gone_meanwhile(effect("UpdateSchedule", &error)))?;
        Ok(proof(&*self.clock, Found::Applied, updated.request_id()))
    }

    /// Deletes the schedule, if it is there.
    pub(crate) async fn clear(&self, timer: &Timer) -> Result<Proof, EffectError> {
        let sent =
            self.aws.scheduler().delete_schedule().name(&timer.name).group_name(&self.group).send().await;
        match sent {
            Ok(output) => Ok(proof(&*self.clock, Found::Deleted, output.request_id())),
            Err(error) => {
                let failed = Failed::of(&error);
                if failed.code == "ResourceNotFoundException" {
                    return Ok(proof(&*self.clock, Found::Absent, failed.request_id.as_deref()));
                }
                Err(failed.effect("DeleteSchedule"))
            }
        }
    }

    fn explained(&self, mut failed: Failed) -> Failed {
        match failed.code.as_str() {
            "ResourceNotFoundException" => {
                // Nothing is wrong with the request: the deployment is.
                failed.failure = Failure::Forbidden;
                failed.message =
                    format!("{}; does the schedule group `{}` exist?", failed.message, self.group);
            }
            "ServiceQuotaExceededException" => {
                failed.message = format!(
                    "{}; raise Scheduler's quota `Schedules per Region` in Service Quotas",
                    failed.message
                );
            }
            _ => {}
        }
        failed
    }
}

/// A schedule that was there a moment ago and is not any more (it fired): the same again may succeed.
fn gone_meanwhile(error: EffectError) -> EffectError {
    if error.code == "ResourceNotFoundException" {
        return EffectError { failure: Failure::Retryable, ..error };
    }
    error
}

fn wanted(timer: &Timer, target: &TimerTarget, input: &str) -> Result<Wanted, EffectError> {
    let incomplete = |error: aws_sdk_scheduler::error::BuildError| EffectError {
        failure: Failure::Refused,
        operation: "CreateSchedule",
        code: "InvalidRequest".to_owned(),
        message: error.to_string(),
    };
    let retries = RetryPolicy::builder()
        .maximum_event_age_in_seconds(DELIVERY_AGE_SECONDS_MAX)
        .maximum_retry_attempts(DELIVERY_ATTEMPTS_MAX)
        .build();
    let dlq = target.dlq_arn.as_ref().map(|arn| DeadLetterConfig::builder().arn(arn).build());
    let target = Target::builder()
        .arn(&target.revoke_function_arn)
        .role_arn(&target.scheduler_role_arn)
        .input(input)
        .retry_policy(retries)
        .set_dead_letter_config(dlq)
        .build()
        .map_err(incomplete)?;
    let window =
        FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().map_err(incomplete)?;
    Ok(Wanted {
        expression: format!("at({})", timer.fires_at.strftime("%Y-%m-%dT%H:%M:%S")),
        target,
        window,
        description: "Curfew: ends a grant at the end of its window".to_owned(),
    })
}

impl Wanted {
    /// Whether a schedule that was found does the same at the same time.
    fn is(&self, found: &GetScheduleOutput) -> bool {
        found.schedule_expression() == Some(self.expression.as_str())
            && found.schedule_expression_timezone() == Some(TIMEZONE)
            && found.flexible_time_window() == Some(&self.window)
            && found.state() == Some(&ScheduleState::Enabled)
            && found.action_after_completion() == Some(&ActionAfterCompletion::Delete)
            && found.target() == Some(&self.target)
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
