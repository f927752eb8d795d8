//! Tests of shared attachments' holders: released once, marked always, and never misread.

use curfew_app::ports::Ledger as _;
use serde_json::{Value, json};

use super::*;
use crate::samples::{ID, OTHER_ID, POLICY, USER, at, managed};
use crate::wire::{Reply, Script, aws};

const UNTIL: &str = "2026-11-21T01:32:00Z";

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn attachment() -> Attachment {
    managed(USER).shared().unwrap()
}

fn id(text: &str) -> GrantId {
    GrantId::new(text).unwrap()
}

fn mark(grant: &str, by: &str, after_close: bool) -> Removing {
    Removing { until: at(UNTIL), grant_id: id(grant), by: by.to_owned(), after_close }
}

fn attributes(version: u64, ids: &[&str], marks: &[String]) -> Reply {
    let mut item = serde_json::Map::from_iter([("version".to_owned(), json!({ "N": version.to_string() }))]);
    for (name, texts) in [("holders", json!(ids)), ("leaving", json!([ID])), ("removing", json!(marks))] {
        if texts != json!([]) {
            item.insert(name.to_owned(), json!({ "SS": texts }));
        }
    }
    Reply::json(200, &json!({ "Attributes": item }))
}

fn condition_failed() -> Reply {
    Reply::json_error(400, "ConditionalCheckFailedException")
}

async fn release_with(
    replies: impl IntoIterator<Item = Reply>,
    mine: &Removing,
) -> (Result<Released, LedgerError>, Vec<Value>) {
    let (ledger, script) = ledger(replies);
    let released = ledger.release(&attachment(), &id(ID), mine).await;
    (released, script.seen().iter().map(crate::wire::Seen::json).collect())
}

#[test]
fn a_mark_is_read_as_it_was_written_and_a_person_can_read_it() {
    assert_eq!(mark_text(&mark(ID, "r-1/7", false)), format!("{UNTIL} {ID} r-1/7"));
    assert_eq!(mark_text(&mark(ID, "r-1/7", true)), format!("{UNTIL} {ID} r-1/7 after-close"));
    for by in ["r-1", "7f1c/1795224300", "two words", "-"] {
        for after_close in [true, false] {
            let mark = mark(OTHER_ID, by, after_close);
            assert_eq!(mark_of(&mark_text(&mark)), Some(mark));
        }
    }
    for text in ["", UNTIL, "x", &format!("{UNTIL} {ID}"), &format!("{UNTIL} nobody r-1"), "soon g r-1"] {
        assert_eq!(mark_of(text), None, "{text:?}");
    }
}

#[test]
fn a_mark_is_never_over_too_soon_and_is_taken_off_as_it_was_put_on() {
    let mine = Removing { until: at("2026-11-21T01:31:59.001Z"), ..mark(ID, "r-1", false) };
    let read = mark_of(&mark_text(&mine)).unwrap();
    assert_eq!(read.until, at(UNTIL));
    assert_eq!(mark_text(&read), mark_text(&mine));
}

fn left(version: u64, grants: &[&str], removing: Vec<Removing>) -> Released {
    Released::Left(Holders { version, grants: grants.iter().map(|text| id(text)).collect(), removing })
}

#[tokio::test]
async fn a_released_attachment_says_who_is_left_and_who_else_removes_it() {
    let mine = mark(ID, "r-1", false);
    let others = [mark(ID, "r-0", false), mark(OTHER_ID, "r-7", true)];
    let marks: Vec<String> = [&mine, &others[1], &others[0]].map(mark_text).to_vec();
    let (released, sent) = release_with([attributes(5, &[OTHER_ID], &marks)], &mine).await;
    assert_eq!(released.unwrap(), left(5, &[OTHER_ID], others.to_vec()));
    assert_eq!(sent.len(), 1);
    let sent = &sent[0];
    assert_eq!(sent["Key"]["pk"], json!({ "S": format!("ATTACHMENT#{USER}#{POLICY}") }));
    let update = "ADD #version :one, removing :mine, leaving :ids DELETE holders :ids";
    assert_eq!(sent["UpdateExpression"], update);
    assert_eq!(sent["ConditionExpression"], "contains(holders, :id) OR contains(leaving, :id)");
    assert_eq!(sent["ReturnValues"], "ALL_NEW");
    assert_eq!(
        sent["ExpressionAttributeValues"],
        json!({
            ":one": { "N": "1" }, ":id": { "S": ID }, ":ids": { "SS": [ID] },
            ":mine": { "SS": [format!("{UNTIL} {ID} r-1")] }
        })
    );

    let (released, _) = release_with([attributes(6, &[], &[mark_text(&mine)])], &mine).await;
    assert_eq!(released.unwrap(), left(6, &[], Vec::new()), "who is leaving is no holder");
}

#[tokio::test]
async fn ones_own_mark_with_a_fraction_of_a_second_is_not_somebody_elses() {
    let mine = Removing { until: at("2026-11-21T01:31:59.001Z"), ..mark(ID, "r-1", false) };
    let (released, _) = release_with([attributes(6, &[], &[mark_text(&mine)])], &mine).await;
    assert_eq!(released.unwrap(), left(6, &[], Vec::new()));
}

#[tokio::test]
async fn a_removal_that_has_ended_is_told_so_and_asked_for_once() {
    let (released, sent) = release_with([condition_failed()], &mark(ID, "r-1", false)).await;
    assert_eq!(released.unwrap(), Released::Ended);
    assert_eq!(sent.len(), 1, "nothing is written instead");
}

#[tokio::test]
async fn a_mark_after_the_close_is_always_taken_and_touches_no_set_of_grants() {
    let mine = mark(ID, "r-1", true);
    let (released, sent) = release_with([attributes(7, &[OTHER_ID], &[mark_text(&mine)])], &mine).await;
    assert_eq!(released.unwrap(), left(7, &[OTHER_ID], Vec::new()));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["UpdateExpression"], "ADD #version :one, removing :mine");
    assert_eq!(sent[0]["ConditionExpression"], Value::Null, "the item comes to be, if need be");
    let values = json!({ ":one": { "N": "1" }, ":mine": { "SS": [mark_text(&mine)] } });
    assert_eq!(sent[0]["ExpressionAttributeValues"], values);
}

#[tokio::test]
async fn a_release_whose_answer_was_lost_is_sent_again_and_answered_with_what_is_there_now() {
    let mine = mark(ID, "r-1", false);
    // Both landed, and each counted.
    let replies = [Reply::Broken, attributes(7, &[], &[mark_text(&mine)])];
    let (released, sent) = release_with(replies, &mine).await;
    assert_eq!(released.unwrap(), left(7, &[], Vec::new()));
    assert_eq!(sent[0], sent[1]);
    // Between the two somebody else has ended the removal.
    let (released, _) = release_with([Reply::Broken, condition_failed()], &mine).await;
    assert_eq!(released.unwrap(), Released::Ended);
}

#[tokio::test]
async fn holders_that_cannot_be_read_are_never_taken_for_none() {
    for item in [
        json!({ "version": { "N": "5" }, "holders": { "S": OTHER_ID } }),
        json!({ "version": { "N": "5" }, "holders": { "SS": ["nobody"] } }),
        json!({ "version": { "S": "5" } }),
        json!({ "removing": { "SS": [format!("{UNTIL} {ID} r-1")] } }),
        json!({ "holders": { "SS": [OTHER_ID] } }),
        json!({ "version": { "N": "5" }, "removing": { "SS": ["later somebody"] } }),
    ] {
        let reply = Reply::json(200, &json!({ "Attributes": item }));
        let (released, _) = release_with([reply], &mark(ID, "r-1", false)).await;
        assert!(!released.unwrap_err().retryable, "{item}");
    }
}

#[tokio::test]
async fn a_release_that_fails_is_an_error_and_never_an_end() {
    for after_close in [true, false] {
        let broken = Reply::json_error(500, "InternalServerError");
        let (released, _) = release_with([broken], &mark(ID, "r-1", after_close)).await;
        let error = released.unwrap_err();
        assert_eq!((error.operation, error.retryable), (RELEASE, true));
    }
}

#[tokio::test]
async fn marks_are_taken_off_in_one_call_that_creates_nothing() {
    let twice = [mark(OTHER_ID, "r-7", true), mark(ID, "r-1", false), mark(ID, "r-1", false)];
    for reply in [Reply::json(200, &json!({})), condition_failed()] {
        let (ledger, script) = ledger([reply]);
        assert_eq!(ledger.unmark(&attachment(), &twice).await, Ok(()));
        let sent = script.one().json();
        assert_eq!(sent["UpdateExpression"], "DELETE removing :marks");
        assert_eq!(sent["ConditionExpression"], "attribute_exists(pk)");
        let marks = [format!("{UNTIL} {ID} r-1"), format!("{UNTIL} {OTHER_ID} r-7 after-close")];
        assert_eq!(sent["ExpressionAttributeValues"], json!({ ":marks": { "SS": marks } }));
    }
    let (unasked, script) = ledger([Reply::Broken]);
    assert_eq!(unasked.unmark(&attachment(), &[]).await, Ok(()));
    assert_eq!(script.calls().len(), 0);
    let (broken, _) = ledger([Reply::json_error(500, "InternalServerError")]);
    assert!(broken.unmark(&attachment(), &twice).await.unwrap_err().retryable);
}
