//! Timers as one-time schedules of EventBridge Scheduler, which delete themselves after they fired.
//!
//! A schedule is named after its grant. Setting it again replaces all of the first one, so an amended grant's
//! timer is moved by the same call that made it. Fires within the minute that it names, never before.

use std::sync::Arc;

use aws_sdk_scheduler::operation::RequestId as _;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy,
    ScheduleState, Target,
};
use curfew_app::ports::{Clock, EffectError, Failure};
use curfew_domain::effect::{Found, Proof, Timer};
use curfew_domain::retry::TIMER_DELIVERY_TRIES;

use crate::attempts::Attempts;
use crate::clients::Aws;
use crate::errors::Failed;
use crate::timers::delivery_age;
use crate::{TimerTarget, proof};

/// The schedules of one group.
#[derive(Debug)]
pub(crate) struct Schedules<C> {
    aws: Arc<Aws>,
    group: String,
    clock: Arc<C>,
}

const TIMEZONE: &str = "UTC";

const NOT_FOUND: &str = "ResourceNotFoundException";

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

    /// Makes the schedule; one of that name is replaced by it, whatever it was like.
    ///
    /// A new grant's schedule costs one call, one that is there two: looking first would save nothing, because
    /// an update to what it is already is no change. What a retry repeats is the same in all its parts, so it can't
    /// set back what a later call set: whoever sets the timer holds the grant's lease, one after the other.
    ///
    /// A schedule that fires in the very moment in which it is moved may be deleted with its new time. The sweep then
    /// ends the grant, as with every timer that was lost.
    pub(crate) async fn set(
        &self,
        timer: &Timer,
        target: &TimerTarget,
        input: &str,
    ) -> Result<Proof, EffectError> {
        let wanted = wanted(timer, target, input)?;
        let tries = Attempts::default();
        let failed = match self.create(timer, &wanted, &tries).await {
            Ok(proof) => return Ok(proof),
            Err(failed) => failed,
        };
        if failed.code != "ConflictException" {
            return Err(tries.judge(self.explained(failed)).effect("CreateSchedule"));
        }
        match self.update(timer, &wanted, &tries).await {
            Ok(proof) => Ok(proof),
            // It fired between the two calls and is gone: nothing is in the way of a new one.
            Err(failed) if failed.code == NOT_FOUND => self
                .create(timer, &wanted, &tries)
                .await
                .map_err(|failed| tries.judge(self.explained(failed)).effect("CreateSchedule")),
            Err(failed) => Err(tries.judge(failed).effect("UpdateSchedule")),
        }
    }

    async fn create(&self, timer: &Timer, wanted: &Wanted, tries: &Attempts) -> Result<Proof, Failed> {
        let call = self.aws.scheduler().create_schedule();
        let sent = call
            .name(&timer.name)
            .group_name(&self.group)
            .description(&wanted.description)
            .schedule_expression(&wanted.expression)
            .schedule_expression_timezone(TIMEZONE)
            .flexible_time_window(wanted.window.clone())
            .state(ScheduleState::Enabled)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(wanted.target.clone())
            .customize()
            .interceptor(tries.clone())
            .send()
            .await;
        let output = sent.map_err(|error| Failed::of(&error))?;
        Ok(proof(&*self.clock, Found::Applied, output.request_id(), tries))
    }

    /// Says everything that [`Self::create`] says: what an update leaves out falls back to a default
    /// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html>).
    async fn update(&self, timer: &Timer, wanted: &Wanted, tries: &Attempts) -> Result<Proof, Failed> {
        let call = self.aws.scheduler().update_schedule();
        let sent = call
            .name(&timer.name)
            .group_name(&self.group)
            .description(&wanted.description)
            .schedule_expression(&wanted.expression)
            .schedule_expression_timezone(TIMEZONE)
            .flexible_time_window(wanted.window.clone())
            .state(ScheduleState::Enabled)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(wanted.target.clone())
            .customize()
            .interceptor(tries.clone())
            .send()
            .await;
        let output = sent.map_err(|error| Failed::of(&error))?;
        Ok(proof(&*self.clock, Found::Applied, output.request_id(), tries))
    }

    /// Deletes the schedule, if it is there.
    pub(crate) async fn clear(&self, timer: &Timer) -> Result<Proof, EffectError> {
        let tries = Attempts::default();
        let call = self.aws.scheduler().delete_schedule().name(&timer.name).group_name(&self.group);
        let sent = call.customize().interceptor(tries.clone()).send().await;
        match sent {
            Ok(output) => Ok(proof(&*self.clock, Found::Deleted, output.request_id(), &tries)),
            Err(error) => {
                let failed = Failed::of(&error);
                if failed.code == NOT_FOUND {
                    return Ok(proof(&*self.clock, Found::Absent, failed.request_id.as_deref(), &tries));
                }
                Err(tries.judge(failed).effect("DeleteSchedule"))
            }
        }
    }

    fn explained(&self, mut failed: Failed) -> Failed {
        match failed.code.as_str() {
            NOT_FOUND => {
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

fn wanted(timer: &Timer, target: &TimerTarget, input: &str) -> Result<Wanted, EffectError> {
    let incomplete = |error: aws_sdk_scheduler::error::BuildError| EffectError {
        failure: Failure::Refused,
        operation: "CreateSchedule",
        code: "InvalidRequest".to_owned(),
        message: error.to_string(),
    };
    let retries = RetryPolicy::builder()
        .maximum_event_age_in_seconds(delivery_age())
        .maximum_retry_attempts(TIMER_DELIVERY_TRIES)
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

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
