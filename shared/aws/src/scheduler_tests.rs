//! Tests of timers as Scheduler schedules.

use curfew_domain::effect::TimerKind;
use serde_json::{Value, json};

use super::*;
use crate::samples::{ID, at};
use crate::wire::{Reply, Script, StillClock, aws};

const INPUT: &str = r#"{"grant_id":"g-1","trigger":"timer"}"#;

fn timer() -> Timer {
    Timer {
        kind: TimerKind::Scheduler,
        name: format!("curfew-{ID}"),
        fires_at: at("2026-11-21T02:03:00Z"),
        overdue_at: at("2026-11-21T02:04:00Z"),
    }
}

fn target() -> TimerTarget {
    TimerTarget {
        revoke_function_arn: "arn:aws:lambda:eu-central-1:111122223333:function:revoke".to_owned(),
        scheduler_role_arn: "arn:aws:iam::111122223333:role/curfew-timer".to_owned(),
        dlq_arn: Some("arn:aws:sqs:eu-central-1:111122223333:curfew-timers".to_owned()),
    }
}

fn schedules(replies: impl IntoIterator<Item = Reply>) -> (Schedules<StillClock>, Arc<Script>) {
    let (aws, script) = aws(replies);
    (Schedules::new(aws, "curfew".to_owned(), StillClock::at("2026-11-21T01:02:04Z")), script)
}

/// The schedule as Scheduler would describe it.
fn described() -> Value {
    json!({
        "ActionAfterCompletion": "DELETE",
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "ScheduleExpression": "at(2026-11-21T02:03:00)",
        "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED",
        "Target": {
            "Arn": target().revoke_function_arn,
            "RoleArn": target().scheduler_role_arn,
            "DeadLetterConfig": { "Arn": target().dlq_arn },
            "Input": INPUT,
            "RetryPolicy": { "MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185 }
        }
    })
}

fn created() -> Reply {
    Reply::json(
        200,
        &json!({ "ScheduleArn": "arn:aws:scheduler:eu-central-1:111122223333:schedule/curfew/x" }),
    )
}

#[tokio::test]
async fn a_schedule_fires_once_in_its_minute_and_deletes_itself() {
    let (schedules, script) = schedules([created()]);
    let proof = schedules.set(&timer(), &target(), INPUT).await.unwrap();
    assert_eq!((proof.found, proof.aws_request_id.as_deref()), (Found::Applied, Some("r-1")));
    let seen = script.one();
    assert_eq!(seen.call, format!("POST /schedules/curfew-{ID}"));
    let mut body = seen.json();
    let sent = body.as_object_mut().unwrap();
    assert_eq!(sent.remove("GroupName"), Some(json!("curfew")));
    assert!(sent.remove("ClientToken").is_some(), "without it, the SDK's own retry would meet a conflict");
    assert!(sent.remove("Description").is_some());
    assert_eq!(body, described());
}

#[tokio::test]
async fn a_schedule_that_is_there_as_wanted_is_left_alone() {
    let (schedules, script) =
        schedules([Reply::json_error(409, "ConflictException"), Reply::json(200, &described())]);
    assert_eq!(schedules.set(&timer(), &target(), INPUT).await.unwrap().found, Found::Applied);
    assert_eq!(
        script.calls(),
        [format!("POST /schedules/curfew-{ID}"), format!("GET /schedules/curfew-{ID}?groupName=curfew")]
    );
}

#[tokio::test]
async fn a_schedule_that_differs_in_anything_is_made_as_wanted() {
    for (pointer, other) in [
        ("/ScheduleExpression", json!("at(2026-11-21T03:03:00)")),
        ("/ScheduleExpressionTimezone", json!("Europe/Berlin")),
        ("/State", json!("DISABLED")),
        ("/ActionAfterCompletion", json!("NONE")),
        ("/Target/Arn", json!("arn:aws:lambda:eu-central-1:111122223333:function:other")),
        ("/Target/Input", json!("{}")),
    ] {
        let mut found = described();
        *found.pointer_mut(pointer).unwrap() = other;
        let (schedules, script) =
            schedules([Reply::json_error(409, "ConflictException"), Reply::json(200, &found), created()]);
        assert_eq!(schedules.set(&timer(), &target(), INPUT).await.unwrap().found, Found::Applied);
        let update = script.seen().pop().unwrap();
        assert_eq!(update.call, format!("PUT /schedules/curfew-{ID}"), "{pointer}");
        assert_eq!(update.json().pointer(pointer), described().pointer(pointer));
    }
}

#[tokio::test]
async fn a_schedule_that_fired_meanwhile_is_worth_another_try() {
    let (schedules, _) = schedules([
        Reply::json_error(409, "ConflictException"),
        Reply::json_error(404, "ResourceNotFoundException"),
    ]);
    assert_eq!(schedules.set(&timer(), &target(), INPUT).await.unwrap_err().failure, Failure::Retryable);
}

#[tokio::test]
async fn a_schedule_that_aws_refuses_says_what_to_do() {
    for (status, code, failure, said) in [
        (404, "ResourceNotFoundException", Failure::Forbidden, "schedule group `curfew`"),
        (402, "ServiceQuotaExceededException", Failure::Refused, "`Schedules per Region`"),
        (400, "ValidationException", Failure::Refused, "said ValidationException"),
        (429, "ThrottlingException", Failure::Retryable, "said ThrottlingException"),
    ] {
        let (schedules, _) = schedules([Reply::json_error(status, code)]);
        let error = schedules.set(&timer(), &target(), INPUT).await.unwrap_err();
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "CreateSchedule", code));
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn clearing_a_schedule_proves_that_it_is_gone_or_was() {
    let gone = Reply::json_error(404, "ResourceNotFoundException");
    for (reply, found) in [(Reply::json(200, &json!({})), Found::Deleted), (gone, Found::Absent)] {
        let (schedules, script) = schedules([reply]);
        assert_eq!(schedules.clear(&timer()).await.unwrap().found, found);
        assert!(script.one().call.starts_with(&format!("DELETE /schedules/curfew-{ID}?")));
        assert!(script.one().call.contains("groupName=curfew"));
    }
    let (schedules, _) = schedules([Reply::json_error(500, "InternalServerException")]);
    assert_eq!(schedules.clear(&timer()).await.unwrap_err().failure, Failure::Retryable);
}
