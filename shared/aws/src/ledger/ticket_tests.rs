//! Tests of closed tickets: the first mark stays, is read as it was written, and is due until it is settled.

use curfew_app::ports::Ledger as _;
use serde_json::{Value, json};

use super::super::open::ABSENT;
use super::*;
use crate::samples::at;
use crate::wire::{Reply, Script, aws, dynamo_json};

const NOW: &str = "2026-11-21T01:02:03.9Z";

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn full() -> TicketClosed {
    TicketClosed {
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG1").unwrap(),
        closed_by: Some(Email::new("bo@example.com").unwrap()),
        reason: Some("done".to_owned()),
        delivery: DeliveryId::new("msg_2").unwrap(),
    }
}

fn bare() -> TicketClosed {
    TicketClosed { closed_by: None, reason: None, ..full() }
}

fn done() -> Reply {
    Reply::json(200, &json!({}))
}

fn condition_failed() -> Reply {
    Reply::json_error(400, "ConditionalCheckFailedException")
}

#[tokio::test]
async fn a_ticket_is_marked_once_and_due_a_minute_later_before_others() {
    for reply in [done(), condition_failed()] {
        let (ledger, script) = ledger([reply]);
        assert_eq!(ledger.close_ticket(&full(), at(NOW)).await, Ok(()));
        let sent = script.one().json();
        assert_eq!(sent["ConditionExpression"], ABSENT, "an earlier mark stays, settled or not");
        let text = |text: &str| json!({ "S": text });
        assert_eq!(
            sent["Item"],
            json!({
                "pk": text("TICKET#CHG1"), "sk": text("itsm#CLOSED"),
                "closed_at": text("2026-11-21T01:02:03Z"), "closed_by": text("bo@example.com"),
                "reason": text("done"), "delivery": text("msg_2"),
                "due_at": text("2026-11-21T01:03:03Z"), "due_shard": text("due#privileged#1"),
                "due_order": text("2026-11-21T01:03:03Z#ticket#itsm#CHG1")
            })
        );
    }
    let (broken, _) = ledger([Reply::json_error(500, "InternalServerError")]);
    assert!(broken.close_ticket(&full(), at(NOW)).await.unwrap_err().retryable);
}

#[tokio::test]
async fn what_closed_a_ticket_is_read_as_it_was_written() {
    for closed in [full(), bare()] {
        let (writer, script) = ledger([done()]);
        writer.close_ticket(&closed, at(NOW)).await.unwrap();
        let item = script.one().json()["Item"].clone();
        let (reader, script) = ledger([Reply::json(200, &json!({ "Item": item }))]);
        let read = reader.closed_ticket(&closed.source, &closed.ticket).await;
        assert_eq!(read, Ok(Some(closed)));
        let sent = script.one().json();
        assert_eq!(sent["ConsistentRead"], true);
        assert_eq!(sent["Key"], json!({ "pk": { "S": "TICKET#CHG1" }, "sk": { "S": "itsm#CLOSED" } }));
    }
    let (open, _) = ledger([done()]);
    assert_eq!(open.closed_ticket(&full().source, &full().ticket).await, Ok(None));
}

#[tokio::test]
async fn a_mark_that_was_edited_is_an_error_that_names_it() {
    let whole = key("TICKET#CHG1", "itsm#CLOSED");
    let with = |name: &str, value: Value| {
        let mut item = dynamo_json(&whole);
        item["delivery"] = json!({ "S": "msg_2" });
        item[name] = value;
        Reply::json(200, &json!({ "Item": item }))
    };
    for (name, value) in [
        ("delivery", json!({ "N": "1" })),
        ("closed_by", json!({ "S": "bo" })),
        ("reason", json!({ "N": "1" })),
    ] {
        let (ledger, _) = ledger([with(name, value)]);
        let error = ledger.closed_ticket(&full().source, &full().ticket).await.unwrap_err();
        assert!(!error.retryable, "{name}");
        assert!(
            error.message.contains(&format!("`TICKET#CHG1 itsm#CLOSED` has no readable attribute `{name}`"))
        );
    }
}

#[tokio::test]
async fn a_settled_ticket_is_not_due_and_stays_closed() {
    for reply in [done(), condition_failed()] {
        let (ledger, script) = ledger([reply]);
        assert_eq!(ledger.settle_ticket(&full().source, &full().ticket).await, Ok(()));
        let sent = script.one().json();
        assert_eq!(sent["Key"], json!({ "pk": { "S": "TICKET#CHG1" }, "sk": { "S": "itsm#CLOSED" } }));
        assert_eq!(sent["UpdateExpression"], "REMOVE due_shard, due_order, due_at");
        assert_eq!(sent["ConditionExpression"], "attribute_exists(pk)", "it closes no ticket");
    }
    let (broken, _) = ledger([Reply::json_error(500, "InternalServerError")]);
    assert!(broken.settle_ticket(&full().source, &full().ticket).await.unwrap_err().retryable);
}
