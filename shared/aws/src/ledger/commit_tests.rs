//! Tests of commits: what is sent, and what each cancellation means.

use curfew_app::ports::{Ledger as _, Removing, SharedRemoval};
use curfew_domain::access::Attachment;
use curfew_domain::ids::GrantId;
use serde_json::{Value, json};

use super::super::keys;
use super::super::open::tests::cancelled;
use super::*;
use crate::samples::{
    ID, LEASE_UNTIL, OTHER_ID, POLICY, USER, at, changing, closed, event, grant, grant_with, managed,
    privileged,
};
use crate::wire::{Reply, Script, aws};

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn attachment() -> Attachment {
    managed(USER).shared().unwrap()
}

fn mark(id: &str, until: &str, by: &str, after_close: bool) -> Removing {
    Removing { until: at(until), grant_id: GrantId::new(id).unwrap(), by: by.to_owned(), after_close }
}

fn marks() -> [Removing; 2] {
    [mark(ID, "2026-11-21T01:32:00.2Z", "r-1", false), mark(OTHER_ID, "2026-11-21T01:02:00Z", "r-0", true)]
}

async fn commit_with(
    reply: Reply,
    version: u64,
    marks: &[Removing],
) -> (Result<CommitWrite, LedgerError>, Value) {
    let (ledger, script) = ledger([reply]);
    let grant = grant_with(closed(), &managed(USER), 4);
    let events = [event(4), event(5)];
    let shared = SharedRemoval { attachment: &attachment(), version, marks };
    let commit = Commit { grant: &grant, events: &events, shared: Some(shared) };
    (ledger.commit(commit).await, script.one().json())
}

#[tokio::test]
async fn a_transition_replaces_the_version_before_it_and_nothing_else() {
    let (write, sent) = commit_with(Reply::json(200, &json!({})), 7, &marks()).await;
    assert_eq!(write.unwrap(), CommitWrite::Written);
    let actions = sent["TransactItems"].as_array().unwrap();
    assert_eq!(actions.len(), 4);
    assert_eq!(actions[0]["Put"]["ConditionExpression"], "#version = :before");
    assert_eq!(actions[0]["Put"]["ExpressionAttributeValues"], json!({ ":before": { "N": "3" } }));
    assert_eq!(actions[0]["Put"]["Item"]["version"], json!({ "N": "4" }));
    assert_eq!(actions[0]["Put"]["Item"]["claim"], Value::Null);
    assert_eq!(actions[1]["Put"]["ConditionExpression"], "attribute_not_exists(pk)");
    let update = &actions[3]["Update"];
    assert_eq!(update["Key"]["pk"], json!({ "S": format!("ATTACHMENT#{USER}#{POLICY}") }));
    assert_eq!(update["ConditionExpression"], "#version = :version");
    assert_eq!(update["UpdateExpression"], "DELETE leaving :ids, removing :marks", "who holds it stays");
    let gone = [
        format!("2026-11-21T01:02:00Z {OTHER_ID} r-0 after-close"),
        format!("2026-11-21T01:32:01Z {ID} r-1"),
    ];
    assert_eq!(
        update["ExpressionAttributeValues"],
        json!({ ":version": { "N": "7" }, ":ids": { "SS": [ID] }, ":marks": { "SS": gone } })
    );
}

#[tokio::test]
async fn a_transition_of_what_is_not_shared_touches_no_holders() {
    let (ledger, script) = ledger([Reply::json(200, &json!({}))]);
    let events = [event(4)];
    let commit = Commit { grant: &grant(closed()), events: &events, shared: None };
    assert_eq!(ledger.commit(commit).await.unwrap(), CommitWrite::Written);
    assert_eq!(script.one().json()["TransactItems"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_mark_the_grant_leaves_all_the_same() {
    let (_, sent) = commit_with(Reply::json(200, &json!({})), 7, &[]).await;
    let update = &sent["TransactItems"][3]["Update"];
    assert_eq!(update["ConditionExpression"], "#version = :version");
    assert_eq!(update["UpdateExpression"], "DELETE leaving :ids", "DynamoDB knows no empty set of marks");
    let values = json!({ ":version": { "N": "7" }, ":ids": { "SS": [ID] } });
    assert_eq!(update["ExpressionAttributeValues"], values);
}

#[tokio::test]
async fn a_changed_window_is_what_conditions_and_indexes_see() {
    for (grant, shard) in [(grant(changing()), "due#normal#3"), (privileged(changing()), "due#privileged#3")]
    {
        let (ledger, script) = ledger([Reply::json(200, &json!({}))]);
        ledger.commit(Commit { grant: &grant, events: &[], shared: None }).await.unwrap();
        let sent = script.one().json();
        let item = &sent["TransactItems"][0]["Put"]["Item"];
        let expires_at = keys::time(grant.window().expires_at());
        assert_eq!(item["expires_at"], json!({ "S": expires_at }));
        // Due at the end of the lease, to be finished by the sweep, and not when its timer is overdue.
        assert_eq!(item["due_at"], json!({ "S": LEASE_UNTIL }));
        assert_eq!(item["due_order"], json!({ "S": format!("{LEASE_UNTIL}#{ID}") }));
        assert_eq!(item["due_shard"], json!({ "S": shard }), "a change of rank moves it");
    }
}

#[tokio::test]
async fn who_came_first_is_told_apart() {
    const FAILED: &str = "ConditionalCheckFailed";
    for (codes, write) in [
        ([FAILED, "None", "None", "None"], CommitWrite::Outdated),
        ([FAILED, FAILED, "None", FAILED], CommitWrite::Outdated),
        (["None", "None", "None", FAILED], CommitWrite::HoldersChanged),
    ] {
        assert_eq!(commit_with(cancelled(codes, None), 7, &marks()).await.0.unwrap(), write);
    }
    // An event of that number, but not of this version: no writer of ours leaves that behind.
    let error =
        commit_with(cancelled(["None", FAILED, "None", "None"], None), 7, &marks()).await.0.unwrap_err();
    assert!(!error.retryable && error.message.contains("action 1: ConditionalCheckFailed"), "{error}");
}
