//! Tests of the event bus on EventBridge.

use curfew_app::ports::Failure;
use serde_json::{Value, json};

use super::*;
use crate::samples::{USER, at};
use crate::wire::{Reply, Script, aws};

fn bus(replies: impl IntoIterator<Item = Reply>) -> (EventsBus, Arc<Script>) {
    let (aws, script) = aws(replies);
    (EventsBus::new(aws, "curfew".to_owned()), script)
}

fn notice(name: &str, principal: Option<&str>) -> Notice {
    Notice {
        at: at("2026-11-21T01:02:03Z"),
        name: name.to_owned(),
        principal: principal.map(str::to_owned),
        detail: r#"{"metadata":{"uid":"g-1#000001"}}"#.to_owned(),
    }
}

fn answered(entries: &[Value]) -> Reply {
    let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
    Reply::json(200, &json!({ "FailedEntryCount": failed, "Entries": entries }))
}

#[tokio::test]
async fn a_notice_is_an_entry_that_rules_can_match() {
    let (bus, script) = bus([answered(&[json!({ "EventId": "1" }), json!({ "EventId": "2" })])]);
    let published = bus.publish(&[notice("Activated", Some(USER)), notice("Denied", None)]).await;
    assert_eq!(published, Ok(vec![Publication::Published, Publication::Published]));
    let seen = script.one();
    assert_eq!(seen.call, "PutEvents");
    let first = json!({
        "Source": "curfew",
        "DetailType": "Activated",
        "Detail": r#"{"metadata":{"uid":"g-1#000001"}}"#,
        "EventBusName": "curfew",
        "Resources": [USER],
        "Time": 1_795_222_923,
    });
    assert_eq!(seen.json()["Entries"][0], first);
    assert_eq!(seen.json()["Entries"][1]["Resources"], Value::Null);
}

/// The call succeeds, and some of it has failed.
#[tokio::test]
async fn every_entry_is_looked_at() {
    let failed = |code: &str| json!({ "ErrorCode": code, "ErrorMessage": format!("said {code}") });
    for (code, failure) in [
        ("ThrottlingException", Failure::Throttled),
        ("InternalFailure", Failure::Retryable),
        ("NotAuthorizedForSourceException", Failure::Refused),
        ("AccessDeniedException", Failure::Forbidden),
        ("ResourceNotFoundException", Failure::Refused),
    ] {
        let (bus, _) = bus([answered(&[json!({ "EventId": "1" }), failed(code)])]);
        let published = bus.publish(&[notice("Activated", None), notice("Revoked", None)]).await.unwrap();
        let [Publication::Published, Publication::Failed(error)] = &published[..] else {
            panic!("{published:?}")
        };
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "PutEvents", code));
        assert!(error.message.contains("(bus `curfew`)"), "{error}");
    }
    for code in ["MalformedDetail", "InvalidArgument"] {
        let (bus, _) = bus([answered(&[failed(code)])]);
        let published = bus.publish(&[notice("Activated", None)]).await;
        assert_eq!(published, Ok(vec![Publication::Refused(format!("{code}: said {code}"))]));
    }
}

#[tokio::test]
async fn a_call_that_fails_names_the_bus() {
    for (status, code, failure) in [
        (400, "ThrottlingException", Failure::Throttled),
        (500, "InternalException", Failure::Retryable),
        (400, "AccessDeniedException", Failure::Forbidden),
        (400, "ResourceNotFoundException", Failure::Refused),
    ] {
        let (bus, _) = bus([Reply::json_error(status, code)]);
        let error = bus.publish(&[notice("Activated", None)]).await.unwrap_err();
        assert_eq!((error.failure, error.code.as_str()), (failure, code));
        assert!(error.message.contains("(bus `curfew`)"), "{error}");
    }
}
