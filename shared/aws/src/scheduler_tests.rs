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

/// The whole definition, as each call has to say it.
fn defined(at: &str) -> Value {
    json!({
        "ActionAfterCompletion": "DELETE",
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "GroupName": "curfew",
        "ScheduleExpression": format!("at({at})"),
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

/// What a call defines, without what may be any text.
fn said(seen: &crate::wire::Seen) -> Value {
    let mut body = seen.json();
    let sent = body.as_object_mut().unwrap();
    assert!(sent.remove("ClientToken").is_some(), "without it, the SDK's own retry would meet a conflict");
    assert!(sent.remove("Description").is_some());
    body
}

fn done() -> Reply {
    Reply::json(
        200,
        &json!({ "ScheduleArn": "arn:aws:scheduler:eu-central-1:111122223333:schedule/curfew/x" }),
    )
}

fn conflict() -> Reply {
    Reply::json_error(409, "ConflictException")
}

fn not_found() -> Reply {
    Reply::json_error(404, NOT_FOUND)
}

fn create() -> String {
    format!("POST /schedules/curfew-{ID}")
}

fn update() -> String {
    format!("PUT /schedules/curfew-{ID}")
}

#[tokio::test]
async fn a_schedule_fires_once_in_its_minute_and_deletes_itself() {
    let (schedules, script) = schedules([done()]);
    let proof = schedules.set(&timer(), &target(), INPUT).await.unwrap();
    assert_eq!((proof.found, proof.aws_request_id.as_deref()), (Found::Applied, Some("r-1")));
    let seen = script.one();
    assert_eq!(seen.call, create());
    assert_eq!(said(&seen), defined("2026-11-21T02:03:00"));
}

#[tokio::test]
async fn a_schedule_that_is_there_is_replaced_in_all_its_parts() {
    let (schedules, script) = schedules([conflict(), done()]);
    let moved = Timer { fires_at: at("2026-11-21T03:30:00Z"), ..timer() };
    let proof = schedules.set(&moved, &target(), INPUT).await.unwrap();
    assert_eq!((proof.found, proof.aws_request_id.as_deref()), (Found::Applied, Some("r-1")));
    assert_eq!(script.calls(), [create(), update()]);
    for seen in script.seen() {
        assert_eq!(said(&seen), defined("2026-11-21T03:30:00"), "{}", seen.call);
    }
}

#[tokio::test]
async fn a_schedule_that_fired_while_it_was_moved_is_made_anew() {
    let (schedules_, script) = schedules([conflict(), not_found(), done()]);
    let moved = Timer { fires_at: at("2026-11-21T03:30:00Z"), ..timer() };
    assert_eq!(schedules_.set(&moved, &target(), INPUT).await.unwrap().found, Found::Applied);
    assert_eq!(script.calls(), [create(), update(), create()]);
    assert_eq!(said(&script.seen()[2]), defined("2026-11-21T03:30:00"));

    // Somebody else made one meanwhile: not decided here who is right, the grant's lease is.
    let (schedules, script) = schedules([conflict(), not_found(), conflict()]);
    let error = schedules.set(&moved, &target(), INPUT).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Retryable, "CreateSchedule"));
    assert_eq!(script.calls().len(), 3);
}

#[tokio::test]
async fn a_move_that_fails_is_told_as_such() {
    for (status, code, failure) in [
        (403, "AccessDeniedException", Failure::Forbidden),
        (400, "ValidationException", Failure::Refused),
        (500, "InternalServerException", Failure::Retryable),
    ] {
        let (schedules, script) = schedules([conflict(), Reply::json_error(status, code)]);
        let error = schedules.set(&timer(), &target(), INPUT).await.unwrap_err();
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "UpdateSchedule", code));
        assert!(
            !script.calls().iter().skip(1).any(|call| *call == create()),
            "only what is gone is made anew"
        );
    }
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_is_repeated_as_it_was() {
    let (schedules, script) = schedules([conflict(), Reply::Broken, done()]);
    let proof = schedules.set(&timer(), &target(), INPUT).await.unwrap();
    assert_eq!((proof.found, proof.unsettled), (Found::Applied, true));
    assert_eq!(script.calls(), [create(), update(), update()]);
    // The token too: AWS takes the second for the first.
    assert_eq!(script.seen()[1].body, script.seen()[2].body);
}

#[tokio::test]
async fn a_schedule_that_aws_refuses_says_what_to_do() {
    for (status, code, failure, said) in [
        (404, "ResourceNotFoundException", Failure::Forbidden, "schedule group `curfew`"),
        (402, "ServiceQuotaExceededException", Failure::Refused, "`Schedules per Region`"),
        (400, "ValidationException", Failure::Refused, "said ValidationException"),
        (429, "ThrottlingException", Failure::Throttled, "said ThrottlingException"),
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
