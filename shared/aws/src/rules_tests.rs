//! Tests of timers as EventBridge rules.

use curfew_app::ports::Failure;
use curfew_domain::effect::TimerKind;
use serde_json::json;

use super::*;
use crate::samples::{ID, at};
use crate::wire::{Reply, Script, StillClock, aws};

const INPUT: &str = r#"{"grant_id":"g-1","trigger":"timer"}"#;

fn timer() -> Timer {
    Timer {
        kind: TimerKind::Rule,
        name: format!("curfew-{ID}"),
        fires_at: at("2026-11-01T02:03:00Z"),
        overdue_at: at("2026-11-01T02:04:00Z"),
    }
}

fn target() -> TimerTarget {
    TimerTarget {
        revoke_function_arn: "arn:aws:lambda:eu-central-1:111122223333:function:revoke".to_owned(),
        scheduler_role_arn: "arn:aws:iam::111122223333:role/curfew-timer".to_owned(),
        dlq_arn: Some("arn:aws:sqs:eu-central-1:111122223333:curfew-timers".to_owned()),
    }
}

fn rules(replies: impl IntoIterator<Item = Reply>) -> (Rules<StillClock>, Arc<Script>) {
    let (aws, script) = aws(replies);
    (Rules::new(aws, StillClock::at("2026-11-01T01:02:04Z")), script)
}

fn done() -> Reply {
    Reply::json(
        200,
        &json!({ "RuleArn": "arn:aws:events:eu-central-1:111122223333:rule/x", "FailedEntryCount": 0 }),
    )
}

fn failed_entry(code: &str) -> Reply {
    let entry = json!({ "TargetId": TARGET_ID, "ErrorCode": code, "ErrorMessage": format!("said {code}") });
    Reply::json(200, &json!({ "FailedEntryCount": 1, "FailedEntries": [entry] }))
}

#[tokio::test]
async fn a_rule_matches_one_minute_of_one_year_and_calls_the_revoke_function() {
    let (rules, script) = rules([done()]);
    let proof = rules.set(&timer(), &target(), INPUT).await.unwrap();
    assert_eq!((proof.found, proof.aws_request_id.as_deref()), (Found::Applied, Some("r-1")));
    assert_eq!(script.calls(), ["PutRule", "PutTargets"]);
    let [rule, targets] = [script.seen()[0].json(), script.seen()[1].json()];
    assert_eq!(rule["Name"], format!("curfew-{ID}"));
    assert_eq!(rule["ScheduleExpression"], "cron(3 2 1 11 ? 2026)");
    assert_eq!(rule["State"], "ENABLED");
    assert_eq!(
        targets,
        json!({
            "Rule": format!("curfew-{ID}"),
            "Targets": [{
                "Id": TARGET_ID,
                "Arn": target().revoke_function_arn,
                "Input": INPUT,
                "DeadLetterConfig": { "Arn": target().dlq_arn },
                "RetryPolicy": { "MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185 }
            }]
        })
    );
}

#[tokio::test]
async fn a_rule_is_moved_by_the_calls_that_made_it() {
    let (rules, script) = rules([done()]);
    rules.set(&timer(), &target(), INPUT).await.unwrap();
    let moved = Timer { fires_at: at("2026-11-01T03:30:00Z"), ..timer() };
    rules.set(&moved, &target(), INPUT).await.unwrap();
    assert_eq!(script.calls(), ["PutRule", "PutTargets", "PutRule", "PutTargets"]);
    let [first, targets, second, again] = [0, 1, 2, 3].map(|n: usize| script.seen()[n].json());
    assert_eq!(second["ScheduleExpression"], "cron(30 3 1 11 ? 2026)");
    assert_eq!((&second["Name"], &second["State"]), (&first["Name"], &first["State"]));
    // Under its old id the target is replaced; under a new one the rule would call twice.
    assert_eq!(again, targets);
}

#[tokio::test]
async fn a_target_that_was_not_taken_is_a_failure_although_the_call_succeeded() {
    for (code, failure) in [
        ("ConcurrentModificationException", Failure::Retryable),
        ("ResourceNotFoundException", Failure::Refused),
    ] {
        let (rules, _) = rules([done(), failed_entry(code)]);
        let error = rules.set(&timer(), &target(), INPUT).await.unwrap_err();
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "PutTargets", code));
        let (rules, _) = rules_that_cannot_remove(code);
        let cleared = rules.clear(&timer()).await;
        // A target that is not there needs no removing.
        assert_eq!(cleared.is_ok(), code == NOT_FOUND, "{cleared:?}");
    }
}

fn rules_that_cannot_remove(code: &str) -> (Rules<StillClock>, Arc<Script>) {
    rules([failed_entry(code), done()])
}

/// A rule that lands after its grant was closed would stay.
#[tokio::test]
async fn a_rule_is_settled_only_if_every_try_was_answered() {
    for (replies, unsettled) in [
        (vec![done()], false),
        (vec![Reply::Broken, done()], true),
        (vec![done(), Reply::Broken, done()], true),
    ] {
        let (rules, _) = rules(replies);
        assert_eq!(rules.set(&timer(), &target(), INPUT).await.unwrap().unsettled, unsettled);
    }
    let refused = || Reply::json_error(400, "LimitExceededException");
    for (replies, is_settled) in [(vec![refused()], true), (vec![Reply::Broken, refused()], false)] {
        let (rules, _) = rules(replies);
        assert_eq!(rules.set(&timer(), &target(), INPUT).await.unwrap_err().is_settled(), is_settled);
    }
}

#[tokio::test]
async fn a_full_bus_says_what_to_do() {
    let (rules, _) = rules([Reply::json_error(400, "LimitExceededException")]);
    let error = rules.set(&timer(), &target(), INPUT).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Refused, "PutRule"));
    assert!(error.message.contains("300 rules") && error.message.contains("Scheduler"), "{error}");
}

#[tokio::test]
async fn clearing_a_rule_removes_its_target_first_and_proves_that_it_is_gone_or_was() {
    let (with_rule, script) = rules([done()]);
    assert_eq!(with_rule.clear(&timer()).await.unwrap().found, Found::Deleted);
    assert_eq!(script.calls(), ["RemoveTargets", "DeleteRule"]);

    let (without_rule, script) = rules([Reply::json_error(400, NOT_FOUND)]);
    assert_eq!(without_rule.clear(&timer()).await.unwrap().found, Found::Absent);
    assert_eq!(script.calls(), ["RemoveTargets"]);

    let (stuck, _) = rules([done(), Reply::json_error(400, "ConcurrentModificationException")]);
    let error = stuck.clear(&timer()).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Retryable, "DeleteRule"));
}
