//! Tests of commits and released holders: what is sent, and what each cancellation means.

use curfew_app::ports::Ledger as _;
use serde_json::{Value, json};

use super::super::open::tests::cancelled;
use super::*;
use crate::samples::{ID, OTHER_ID, USER, closed, event, grant_with, managed};
use crate::wire::{Reply, Script, aws};

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn attachment() -> Attachment {
    managed(USER).shared().unwrap()
}

async fn commit_with(reply: Reply, version: u64) -> (Result<CommitWrite, LedgerError>, Value) {
    let (ledger, script) = ledger([reply]);
    let grant = grant_with(closed(), &managed(USER), 4);
    let events = [event(4), event(5)];
    let commit = Commit { grant: &grant, events: &events, unchanged: Some((&attachment(), version)) };
    (ledger.commit(commit).await, script.one().json())
}

#[tokio::test]
async fn a_transition_replaces_the_version_before_it_and_nothing_else() {
    let (write, sent) = commit_with(Reply::json(200, &json!({})), 7).await;
    assert_eq!(write.unwrap(), CommitWrite::Written);
    let actions = sent["TransactItems"].as_array().unwrap();
    assert_eq!(actions.len(), 4);
    assert_eq!(actions[0]["Put"]["ConditionExpression"], "#version = :before");
    assert_eq!(actions[0]["Put"]["ExpressionAttributeValues"], json!({ ":before": { "N": "3" } }));
    assert_eq!(actions[0]["Put"]["Item"]["version"], json!({ "N": "4" }));
    assert_eq!(actions[0]["Put"]["Item"]["claim"], Value::Null);
    assert_eq!(actions[1]["Put"]["ConditionExpression"], "attribute_not_exists(pk)");
    assert_eq!(actions[3]["ConditionCheck"]["ConditionExpression"], "#version = :version");
    assert_eq!(
        actions[3]["ConditionCheck"]["ExpressionAttributeValues"],
        json!({ ":version": { "N": "7" } })
    );
}

#[tokio::test]
async fn an_attachment_that_never_had_a_holder_must_still_have_none() {
    let (_, sent) = commit_with(Reply::json(200, &json!({})), 0).await;
    let check = &sent["TransactItems"][3]["ConditionCheck"];
    assert_eq!(check["ConditionExpression"], "attribute_not_exists(#version)");
    assert_eq!(check["ExpressionAttributeValues"], Value::Null);
}

#[tokio::test]
async fn who_came_first_is_told_apart() {
    const FAILED: &str = "ConditionalCheckFailed";
    for (codes, write) in [
        ([FAILED, "None", "None", "None"], CommitWrite::Outdated),
        ([FAILED, FAILED, "None", FAILED], CommitWrite::Outdated),
        (["None", "None", "None", FAILED], CommitWrite::HoldersChanged),
    ] {
        assert_eq!(commit_with(cancelled(codes, None), 7).await.0.unwrap(), write);
    }
    // An event of that number, but not of this version: no writer of ours leaves that behind.
    let error = commit_with(cancelled(["None", FAILED, "None", "None"], None), 7).await.0.unwrap_err();
    assert!(!error.retryable && error.message.contains("action 1: ConditionalCheckFailed"), "{error}");
}

fn holders_json(version: u64, ids: &[&str]) -> Value {
    let mut item = json!({ "version": { "N": version.to_string() } });
    if let (false, Some(item)) = (ids.is_empty(), item.as_object_mut()) {
        item.insert("holders".to_owned(), json!({ "SS": ids }));
    }
    item
}

async fn release_with(reply: Reply) -> (Result<Holders, LedgerError>, Value) {
    let (ledger, script) = ledger([reply]);
    let released = ledger.release(&attachment(), &GrantId::new(ID).unwrap()).await;
    (released, script.one().json())
}

#[tokio::test]
async fn a_released_attachment_says_who_is_left() {
    let left = |ids: &[&str]| ids.iter().map(|id| GrantId::new(*id).unwrap()).collect::<Vec<_>>();
    let (released, sent) =
        release_with(Reply::json(200, &json!({ "Attributes": holders_json(5, &[OTHER_ID]) }))).await;
    assert_eq!(released.unwrap(), Holders { version: 5, grants: left(&[OTHER_ID]) });
    assert_eq!(sent["UpdateExpression"], "ADD #version :one DELETE holders :ids");
    assert_eq!(sent["ConditionExpression"], "contains(holders, :id)");
    assert_eq!(sent["ExpressionAttributeValues"][":ids"], json!({ "SS": [ID] }));

    let (released, _) = release_with(Reply::json(200, &json!({ "Attributes": holders_json(6, &[]) }))).await;
    assert_eq!(released.unwrap(), Holders { version: 6, grants: Vec::new() });
}

#[tokio::test]
async fn releasing_what_is_not_held_changes_nothing_and_says_who_holds_it() {
    let failed = |item: Option<Value>| {
        let mut body = json!({ "__type": "ConditionalCheckFailedException" });
        if let (Some(item), Some(body)) = (item, body.as_object_mut()) {
            body.insert("Item".to_owned(), item);
        }
        Reply::json(400, &body)
    };
    let (released, _) = release_with(failed(Some(holders_json(5, &[OTHER_ID])))).await;
    assert_eq!(released.unwrap().grants, [GrantId::new(OTHER_ID).unwrap()]);
    let (released, _) = release_with(failed(None)).await;
    assert_eq!(released.unwrap(), Holders { version: 0, grants: Vec::new() });
}

#[tokio::test]
async fn holders_that_cannot_be_read_are_never_taken_for_none() {
    for item in [
        json!({ "version": { "N": "5" }, "holders": { "S": OTHER_ID } }),
        json!({ "version": { "N": "5" }, "holders": { "SS": ["nobody"] } }),
        json!({ "holders": { "SS": [OTHER_ID] } }),
    ] {
        let (released, _) = release_with(Reply::json(200, &json!({ "Attributes": item }))).await;
        assert!(!released.unwrap_err().retryable);
    }
}
