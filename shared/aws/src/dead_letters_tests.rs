//! Tests of the queue of records that can't be delivered.

use curfew_app::ports::Failure;

use super::*;
use crate::wire::{Reply, Script, aws};

const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/unreadable";

fn queue(replies: impl IntoIterator<Item = Reply>) -> (SqsDeadLetters, Arc<Script>) {
    let (aws, script) = aws(replies);
    (SqsDeadLetters::new(aws, QUEUE.to_owned()), script)
}

fn letter(body: &str) -> DeadLetter {
    let keys = json!({ "pk": { "S": "GRANT#g-1" }, "sk": { "S": "EVENT#000001" } });
    DeadLetter {
        reason: "it is no event".to_owned(),
        sequence: "000000000000000000100".to_owned(),
        raw: json!({
            "eventName": "INSERT",
            "dynamodb": { "Keys": keys, "NewImage": { "body": { "S": body } } },
        }),
        in_ledger: None,
    }
}

fn message(script: &Script) -> (String, Value) {
    let text = script.one().json()["MessageBody"].as_str().unwrap().to_owned();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

fn done() -> Reply {
    Reply::json(200, &json!({ "MessageId": "1" }))
}

#[tokio::test]
async fn a_record_is_sent_whole_whatever_somebody_wrote_into_it() {
    // SQS refuses U+FFFF and some control characters
    // (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
    let hostile = "\u{ffff}\u{fffe}\u{0}\u{b}\u{7f}\u{85}𝄞\"\\\u{2028}";
    let (queue, script) = queue([done()]);
    queue.put(&letter(hostile)).await.unwrap();
    assert_eq!(
        (script.one().call.as_str(), &script.one().json()["QueueUrl"]),
        ("SendMessage", &json!(QUEUE))
    );
    let (text, sent) = message(&script);
    assert!(text.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{text}");
    assert_eq!(sent["record"], letter(hostile).raw);
    assert_eq!(sent["reason"], "it is no event");
    assert_eq!(sent["sequence_number"], "000000000000000000100");
}

#[tokio::test]
async fn of_a_record_that_is_too_long_its_keys_are_sent() {
    let (queue, script) = queue([done()]);
    let letter = letter(&"x".repeat(BYTES_MAX));
    queue.put(&letter).await.unwrap();
    let (text, sent) = message(&script);
    assert!(text.len() < 1_000);
    assert_eq!(sent["record"]["dynamodb"]["Keys"], letter.raw["dynamodb"]["Keys"]);
    assert_eq!(sent["sequence_number"], letter.sequence);
    assert!(sent["left_out"].is_string());
}

#[tokio::test]
async fn what_the_ledger_has_in_its_place_is_sent_with_it_if_both_fit() {
    let there = "{\"seq\":7}".to_owned();
    for (length, both) in [(7, true), (BYTES_MAX - 800, true), (BYTES_MAX - 400, false)] {
        let (queue, script) = queue([done()]);
        let letter = DeadLetter { in_ledger: Some(there.repeat(30)), ..letter(&"x".repeat(length)) };
        queue.put(&letter).await.unwrap();
        let (text, sent) = message(&script);
        assert!(text.len() <= BYTES_MAX);
        assert!(sent["record"] == letter.raw, "whole");
        assert_eq!(
            (sent["in_ledger"] == json!(letter.in_ledger), sent["left_out"].is_string()),
            (both, !both)
        );
    }
}

#[tokio::test]
async fn a_failure_names_the_queue() {
    for (status, code, failure) in [
        (400, "RequestThrottled", Failure::Throttled),
        (403, "AccessDenied", Failure::Forbidden),
        (400, "QueueDoesNotExist", Failure::Refused),
        (500, "InternalError", Failure::Retryable),
    ] {
        let (queue, _) = queue([Reply::json_error(status, code)]);
        let error = queue.put(&letter("")).await.unwrap_err();
        assert_eq!((error.failure, error.operation), (failure, "SendMessage"));
        assert!(error.message.contains(QUEUE), "{error}");
    }
}
