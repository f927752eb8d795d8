//! Tests of what the search for drift keeps: laps are moved on by one at a time, strays told once.

use curfew_app::ports::Ledger as _;
use curfew_domain::principal::Principal;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::samples::{POLICY, USER, at};
use crate::wire::{Reply, Script, aws};

const ACCOUNT: &str = "111122223333";

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn lap(began_at: &str, next: Option<&str>) -> DriftLap {
    DriftLap { began_at: at(began_at), next: next.map(str::to_owned) }
}

fn begun() -> DriftLap {
    lap("2026-11-21T01:02:03Z", Some("marker-2"))
}

fn over() -> DriftLap {
    lap("2026-11-21T01:02:03Z", None)
}

async fn save(before: Option<&DriftLap>, after: &DriftLap) -> Value {
    let (ledger, script) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(ledger.save_drift_lap(ACCOUNT, before, after).await, Ok(true));
    script.one().json()
}

#[tokio::test]
async fn a_lap_is_read_as_it_was_written() {
    for kept in [begun(), over()] {
        let item = save(None, &kept).await["Item"].clone();
        assert_eq!(item["pk"], json!({ "S": "DRIFT#111122223333" }));
        let (ledger, script) = ledger([Reply::json(200, &json!({ "Item": item }))]);
        assert_eq!(ledger.drift_lap(ACCOUNT).await, Ok(Some(kept)));
        assert_eq!(script.one().json()["ConsistentRead"], true);
    }
    let (empty, _) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(empty.drift_lap(ACCOUNT).await, Ok(None));
    for item in [
        json!({ "next": { "S": "m" } }),
        json!({ "began_at": { "S": "2026-11-21T01:02:03Z" }, "next": { "N": "1" } }),
    ] {
        let (edited, _) = ledger([Reply::json(200, &json!({ "Item": item }))]);
        assert!(!edited.drift_lap(ACCOUNT).await.unwrap_err().retryable, "{item}");
    }
}

#[tokio::test]
async fn a_lap_is_moved_on_only_from_where_it_was_read() {
    let first = save(None, &begun()).await;
    assert_eq!(first["ConditionExpression"], "attribute_not_exists(pk)");
    assert_eq!(first["ExpressionAttributeValues"], Value::Null);
    // What is condition and what is written agree on fractions of a second.
    let started = lap("2026-11-21T01:02:03.7Z", Some("marker-2"));
    let next = save(Some(&started), &over()).await;
    assert_eq!(next["ConditionExpression"], "began_at = :began_at AND #next = :next");
    assert_eq!(
        next["ExpressionAttributeValues"],
        json!({ ":began_at": { "S": "2026-11-21T01:02:03Z" }, ":next": { "S": "marker-2" } })
    );
    assert_eq!(next["Item"]["next"], Value::Null);
    let anew = save(Some(&over()), &lap("2026-11-21T02:02:03Z", Some("marker-2"))).await;
    assert_eq!(anew["ConditionExpression"], "began_at = :began_at AND attribute_not_exists(#next)");

    let (ours, _) = ledger([Reply::json_error(400, "ConditionalCheckFailedException")]);
    assert_eq!(ours.save_drift_lap(ACCOUNT, Some(&begun()), &over()).await, Ok(false));
    let (broken, _) = ledger([Reply::json_error(500, "InternalServerError")]);
    assert!(broken.save_drift_lap(ACCOUNT, None, &over()).await.unwrap_err().retryable);
}

#[tokio::test]
async fn a_stray_is_told_once_when_it_was_seen_some_time_ago() {
    let stray = Stray {
        principal: Principal::parse(USER).unwrap(),
        policy: POLICY.to_owned(),
        what: "nobody needs it".to_owned(),
        at: at("2026-11-21T02:02:03Z"),
    };
    let margin = SignedDuration::from_mins(5);
    let seen = |first: &str, told: Option<&str>| {
        let mut item = json!({ "first_seen_at": { "S": first } });
        if let Some(told) = told {
            item["told_at"] = json!({ "S": told });
        }
        Reply::json(200, &json!({ "Attributes": item }))
    };
    let (now, young, old) = ("2026-11-21T02:02:03Z", "2026-11-21T01:57:04Z", "2026-11-21T01:57:03Z");
    let done = || Reply::json(200, &json!({}));
    let lost = || Reply::json_error(400, "ConditionalCheckFailedException");
    for (replies, told) in [
        (vec![seen(now, None)], false),
        (vec![seen(young, None)], false),
        (vec![seen(old, Some(young))], false),
        (vec![seen(old, None), done()], true),
        // Another lap was faster.
        (vec![seen(old, None), lost()], false),
    ] {
        let calls = replies.len();
        let (ledger, script) = ledger(replies);
        assert_eq!(ledger.record_stray(&stray, margin).await, Ok(told));
        let sent: Vec<_> = script.seen().iter().map(crate::wire::Seen::json).collect();
        assert_eq!(sent.len(), calls);
        for call in &sent {
            assert_eq!(
                call["Key"],
                json!({ "pk": { "S": format!("DRIFT#{USER}") }, "sk": { "S": format!("STRAY#{POLICY}") } })
            );
            assert_eq!(call["ExpressionAttributeValues"][":at"], json!({ "S": now }));
        }
        let update = sent[0]["UpdateExpression"].as_str().unwrap();
        assert!(update.ends_with("first_seen_at = if_not_exists(first_seen_at, :at), last_seen_at = :at"));
        assert_eq!(sent[0]["ExpressionAttributeValues"][":what"], json!({ "S": "nobody needs it" }));
        if let Some(tell) = sent.get(1) {
            assert_eq!(tell["UpdateExpression"], "SET told_at = :at");
            assert_eq!(tell["ConditionExpression"], "attribute_not_exists(told_at) OR told_at = :at");
        }
    }
}
