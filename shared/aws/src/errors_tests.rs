//! Tests of how AWS's errors are classified: one line for each.

use super::*;
use crate::wire::{Reply, aws};

async fn read(reply: Reply) -> Failed {
    let (aws, _) = aws([reply]);
    let error =
        aws.iam().put_user_policy().user_name("ana").policy_name("p").policy_document("{}").send().await;
    Failed::of(&error.unwrap_err())
}

#[tokio::test]
async fn every_class_of_answer_has_its_meaning() {
    for (status, code, failure) in [
        (400, "Throttling", Failure::Throttled),
        (400, "ThrottlingException", Failure::Throttled),
        (400, "RequestLimitExceeded", Failure::Throttled),
        (400, "ProvisionedThroughputExceededException", Failure::Throttled),
        (409, "ConcurrentModification", Failure::Retryable),
        (409, "EntityTemporarilyUnmodifiable", Failure::Retryable),
        (409, "ConditionalRequestConflict", Failure::Retryable),
        (403, "ExpiredToken", Failure::Retryable),
        (500, "ServiceFailure", Failure::Retryable),
        (503, "ServiceUnavailable", Failure::Retryable),
        (503, "SomethingNew", Failure::Retryable),
        (429, "SomethingNew", Failure::Throttled),
        (429, "TooManyRequestsException", Failure::Throttled),
        (408, "SomethingNew", Failure::Retryable),
        (403, "AccessDenied", Failure::Forbidden),
        (400, "AccessDeniedException", Failure::Forbidden),
        (403, "InvalidClientTokenId", Failure::Forbidden),
        (403, "SomethingNew", Failure::Forbidden),
        (404, "NoSuchEntity", Failure::Refused),
        (409, "LimitExceeded", Failure::Refused),
        (400, "MalformedPolicyDocument", Failure::Refused),
        (400, "UnmodifiableEntity", Failure::Refused),
        (400, "PolicyNotAttachable", Failure::Refused),
        (400, "InvalidInput", Failure::Refused),
        (400, "ValidationException", Failure::Refused),
        (400, "ValidationError", Failure::Refused),
        (418, "SomethingNew", Failure::Refused),
    ] {
        let failed = read(Reply::xml_error(status, code)).await;
        let expected = Failed {
            failure,
            code: code.to_owned(),
            message: format!("said {code}"),
            request_id: Some("r-1".to_owned()),
        };
        assert_eq!(failed, expected);
    }
}

/// One answer that says "too often" is the SDK's business; it comes to light when all tries were answered so.
#[tokio::test]
async fn throttling_is_told_once_the_sdk_has_tried_enough() {
    let put = async |replies: Vec<Reply>| {
        let (aws, script) = aws(replies);
        let call = aws.iam().put_user_policy().user_name("ana").policy_name("p").policy_document("{}");
        let failure = call.send().await.err().map(|error| Failed::of(&error).failure);
        (failure, script.calls().len())
    };
    let throttled = || Reply::xml_error(400, "Throttling");
    assert_eq!(put(vec![throttled()]).await, (Some(Failure::Throttled), 3));
    assert_eq!(put(vec![throttled(), Reply::xml_done("PutUserPolicy")]).await, (None, 2));
    // The last answer counts; what an earlier try may have done is told by `Attempts`.
    assert_eq!(put(vec![Reply::Broken, Reply::Broken, throttled()]).await, (Some(Failure::Throttled), 3));
}

#[tokio::test]
async fn no_readable_answer_leaves_open_what_happened() {
    let broken = read(Reply::Broken).await;
    assert_eq!((broken.failure, broken.code.as_str()), (Failure::Retryable, "ConnectionFailed"));
    assert!(broken.message.contains("the connection was reset"), "the whole chain: {}", broken.message);
    let garbage = read(Reply::Answer(502, "<html>".to_owned())).await;
    assert_eq!(garbage.failure, Failure::Retryable, "{garbage:?}");
}

#[tokio::test]
async fn a_call_that_was_never_sent_is_refused_for_good() {
    let (aws, script) = aws([Reply::Broken]);
    // The schedule's name is part of the path, so the SDK can't even make the request without it.
    let failed = Failed::of(&aws.scheduler().delete_schedule().send().await.unwrap_err());
    assert_eq!((failed.failure, failed.code.as_str()), (Failure::Refused, "InvalidRequest"));
    assert!(script.calls().is_empty());
}

#[test]
fn no_code_has_two_meanings() {
    let mut codes: Vec<&str> = [THROTTLED, RETRYABLE, FORBIDDEN, REFUSED].concat();
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all);
}

#[test]
fn the_ledger_retries_what_may_pass_and_nothing_else() {
    for (failure, retryable) in [
        (Failure::Retryable, true),
        (Failure::Throttled, true),
        (Failure::Refused, false),
        (Failure::Forbidden, false),
    ] {
        let failed = Failed {
            failure,
            code: "C".to_owned(),
            message: "m".to_owned(),
            request_id: Some("r".to_owned()),
        };
        let error = failed.ledger("open a grant");
        assert_eq!(error.retryable, retryable);
        assert_eq!(error.to_string(), "the ledger could not open a grant: C: m (request r)");
    }
}

#[test]
fn long_messages_are_cut_at_a_character() {
    assert_eq!(shorten("ü"), "ü");
    assert_eq!(shorten(&"ü".repeat(MESSAGE_CHARS_MAX + 1)).chars().count(), MESSAGE_CHARS_MAX + 1);
}
