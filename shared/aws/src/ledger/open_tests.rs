//! Tests of what is written before anything is done: new grants; and denials.

use curfew_app::ports::Ledger as _;
use curfew_domain::ids::{DeliveryId, GuardrailId, Source, TicketId};
use curfew_domain::transition::Stored;
use serde_json::{Value, json};

use super::*;
use crate::samples::{ID, POLICY, USER, active, at, event, grant, grant_with, inline, managed, opening};
use crate::wire::{Reply, Script, aws, dynamo_json};

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

/// A cancelled transaction with a code for each action.
pub(crate) fn cancelled<const N: usize>(codes: [&str; N], item: Option<&Item>) -> Reply {
    let mut reasons: Vec<Value> = codes.iter().map(|code| json!({ "Code": code })).collect();
    if let Some(item) = item {
        reasons[0]["Item"] = dynamo_json(item);
    }
    Reply::json(
        400,
        &json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "cancelled", "CancellationReasons": reasons
        }),
    )
}

fn done() -> Reply {
    Reply::json(200, &json!({}))
}

#[tokio::test]
async fn a_grant_is_written_with_its_events_and_its_link_only_if_neither_it_nor_a_mark_is_there() {
    let (ledger, script) = ledger([done()]);
    let grant = grant_with(opening(), &inline(USER), 1);
    let written = ledger.open(&grant, &[event(1), event(2)]).await.unwrap();
    assert_eq!(written, OpenWrite::Written);
    let sent = script.one().json();
    assert!(sent["ClientRequestToken"].is_string());
    let actions = sent["TransactItems"].as_array().unwrap();
    assert_eq!(actions.len(), 5, "no holders for an inline policy");
    assert_eq!(actions[0]["Put"]["ConditionExpression"], ABSENT);
    assert_eq!(actions[0]["Put"]["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(actions[0]["Put"]["Item"], dynamo_json(&item::state_item(&grant).unwrap()));
    assert_eq!(
        actions[1]["ConditionCheck"]["Key"],
        json!({ "pk": { "S": "TICKET#CHG0030192" }, "sk": { "S": "itsm#CLOSED" } })
    );
    assert_eq!(actions[1]["ConditionCheck"]["ConditionExpression"], ABSENT);
    assert_eq!(actions[2]["Put"]["Item"]["sk"], json!({ "S": format!("itsm#GRANT#{ID}") }));
    for (n, seq) in [(3, "EVENT#000001"), (4, "EVENT#000002")] {
        assert_eq!(actions[n]["Put"]["Item"]["sk"], json!({ "S": seq }));
        assert_eq!(actions[n]["Put"]["ConditionExpression"], ABSENT);
    }
}

#[tokio::test]
async fn a_shared_attachment_gets_its_holder_in_the_same_transaction() {
    let (ledger, script) = ledger([done()]);
    ledger.open(&grant_with(opening(), &managed(USER), 1), &[event(1)]).await.unwrap();
    let sent = script.one().json();
    let update = &sent["TransactItems"][4]["Update"];
    assert_eq!(
        update["Key"],
        json!({ "pk": { "S": format!("ATTACHMENT#{USER}#{POLICY}") }, "sk": { "S": "HOLDERS" } })
    );
    assert_eq!(update["ExpressionAttributeValues"][":id"], json!({ "SS": [ID] }));
    assert_eq!(update["ConditionExpression"], Value::Null, "whoever holds it already, one more may");
}

#[tokio::test]
async fn a_grant_that_is_there_is_the_answer_even_on_a_closed_ticket() {
    let there = grant(active());
    let item = item::state_item(&there).unwrap();
    let expected = OpenWrite::Exists(Box::new(Stored::settled(there.clone())));
    for ticket in ["None", "ConditionalCheckFailed"] {
        let (ledger, _) = ledger([cancelled(["ConditionalCheckFailed", ticket, "None"], Some(&item))]);
        assert_eq!(ledger.open(&grant(opening()), &[]).await.unwrap(), expected);
    }
    // Where the item does not come with the answer, it is read.
    let read = Reply::json(200, &json!({ "Item": dynamo_json(&item) }));
    let (ledger, script) = ledger([cancelled(["ConditionalCheckFailed", "None", "None"], None), read]);
    assert_eq!(ledger.open(&grant(opening()), &[]).await.unwrap(), expected);
    assert_eq!(script.calls(), ["TransactWriteItems", "GetItem"]);
}

#[tokio::test]
async fn nothing_is_opened_on_a_closed_ticket() {
    let (ledger, _) = ledger([cancelled(["None", "ConditionalCheckFailed", "None"], None)]);
    assert_eq!(ledger.open(&grant(opening()), &[]).await.unwrap(), OpenWrite::TicketClosed);
}

/// A second try of what [`ID`]'s grant was the first of.
fn second_try(access: &curfew_domain::access::Access) -> Grant {
    let mut second = serde_json::to_value(grant_with(opening(), access, 1)).unwrap();
    second["attempt"] = json!(1);
    serde_json::from_value(second).unwrap()
}

#[tokio::test]
async fn another_try_is_opened_only_while_the_earlier_one_counts_as_failed() {
    let (ledger, script) = ledger([done()]);
    let second = second_try(&managed(USER));
    assert_eq!(ledger.open(&second, &[event(1)]).await.unwrap(), OpenWrite::Written);
    let sent = script.one().json();
    let actions = sent["TransactItems"].as_array().unwrap();
    assert_eq!(actions.len(), 6);
    let check = &actions[4]["ConditionCheck"];
    let earlier = second.earlier_try().unwrap();
    assert_eq!(check["Key"], json!({ "pk": { "S": format!("GRANT#{earlier}") }, "sk": { "S": "STATE" } }));
    assert_eq!(check["ConditionExpression"], "#state = :closed AND outcome = :failed");
    assert_eq!(check["ExpressionAttributeNames"], json!({ "#state": "state" }));
    let values = json!({ ":closed": { "S": "closed" }, ":failed": { "S": "failed" } });
    assert_eq!(check["ExpressionAttributeValues"], values);
    assert_eq!(actions[5]["Update"]["Key"]["sk"], json!({ "S": "HOLDERS" }));
}

#[tokio::test]
async fn an_earlier_try_that_changed_is_told_unless_there_is_a_better_answer() {
    const FAILED: &str = "ConditionalCheckFailed";
    let second = second_try(&inline(USER));
    let item = item::state_item(&second).unwrap();
    let exists = OpenWrite::Exists(Box::new(Stored::settled(second.clone())));
    for (codes, item, expected) in [
        (["None", "None", "None", "None", FAILED], None, OpenWrite::EarlierTryChanged),
        (["None", FAILED, "None", "None", FAILED], None, OpenWrite::TicketClosed),
        ([FAILED, "None", "None", "None", FAILED], Some(&item), exists.clone()),
        ([FAILED, FAILED, "None", "None", FAILED], Some(&item), exists),
    ] {
        let (ledger, script) = ledger([cancelled(codes, item)]);
        assert_eq!(ledger.open(&second, &[event(1)]).await.unwrap(), expected, "{codes:?}");
        assert_eq!(script.calls().len(), 1);
    }
    // Which grant is there could not be read: that is not known then, whatever the earlier try is.
    let broken = Reply::json_error(500, "InternalServerError");
    let (unread, _) = ledger([cancelled([FAILED, "None", "None", "None", FAILED], None), broken]);
    assert!(unread.open(&second, &[event(1)]).await.unwrap_err().retryable);
    // A first try has no earlier one: in its place there is who holds the attachment.
    let (first, _) = ledger([cancelled(["None", "None", "None", "None", FAILED], None)]);
    let first = first.open(&grant_with(opening(), &managed(USER), 1), &[event(1)]).await;
    assert!(!first.unwrap_err().retryable);
}

#[tokio::test]
async fn a_transaction_that_met_another_write_is_tried_again_with_the_same_token() {
    for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        let (ledger, script) = ledger([cancelled(["None", "None", "None", code], None), done()]);
        assert_eq!(ledger.open(&grant(opening()), &[event(1)]).await.unwrap(), OpenWrite::Written);
        let tokens: Vec<Value> =
            script.seen().iter().map(|seen| seen.json()["ClientRequestToken"].clone()).collect();
        assert_eq!(tokens.len(), 2);
        assert_eq!(tokens[0], tokens[1]);
    }
    let (ledger, script) = ledger([cancelled(["TransactionConflict", "None", "None"], None)]);
    let error = ledger.open(&grant(opening()), &[]).await.unwrap_err();
    assert!(error.retryable && error.message.contains("TransactionConflict"), "{error}");
    assert!(script.calls().len() > 1);
}

#[tokio::test]
async fn an_answer_that_is_known_is_not_asked_for_again() {
    let reply = cancelled(["None", "ConditionalCheckFailed", "TransactionConflict"], None);
    let (ledger, script) = ledger([reply]);
    assert_eq!(ledger.open(&grant(opening()), &[]).await.unwrap(), OpenWrite::TicketClosed);
    assert_eq!(script.calls().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    let (ledger, script) = ledger([Reply::Broken, done()]);
    assert_eq!(ledger.open(&grant(opening()), &[]).await.unwrap(), OpenWrite::Written);
    let tokens: Vec<Value> =
        script.seen().iter().map(|seen| seen.json()["ClientRequestToken"].clone()).collect();
    assert_eq!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn two_openings_of_one_grant_do_not_share_a_token() {
    let (ledger, script) = ledger([done()]);
    ledger.open(&grant(opening()), &[]).await.unwrap();
    ledger.open(&grant(opening()), &[]).await.unwrap();
    let tokens: Vec<Value> =
        script.seen().iter().map(|seen| seen.json()["ClientRequestToken"].clone()).collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_missing_table_is_named() {
    let (ledger, _) = ledger([Reply::json_error(400, "ResourceNotFoundException")]);
    let error = ledger.open(&grant(opening()), &[]).await.unwrap_err();
    assert!(!error.retryable && error.message.contains("table `ledger`"), "{error}");
}

#[tokio::test]
async fn a_denial_is_recorded_once() {
    let denied = DeniedRequest {
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG1").unwrap(),
        requester: curfew_domain::ids::Email::new("ana@example.com").unwrap(),
        operator: None,
        tenant: curfew_domain::ids::TenantId::new("acme").unwrap(),
        role: curfew_domain::ids::RoleName::new("prod-ops").unwrap(),
        delivery: DeliveryId::new("msg_2").unwrap(),
        request_digest: "00ff".to_owned(),
        code: "self-approval".to_owned(),
        reason: "nobody else approved".to_owned(),
        guardrails: Vec::new(),
        catalog_digest: "c1".to_owned(),
        guardrails_digest: String::new(),
        at: at("2026-11-21T01:02:03Z"),
    };
    for reply in [done(), Reply::json_error(400, "ConditionalCheckFailedException")] {
        let (ledger, script) = ledger([reply]);
        ledger.record_denial(&denied).await.unwrap();
        let sent = script.one().json();
        assert_eq!(sent["Item"]["pk"], json!({ "S": "TICKET#CHG1" }));
        assert_eq!(sent["Item"]["sk"], json!({ "S": "itsm#DENIED#00ff#self-approval" }));
        assert_eq!(sent["Item"]["code"], json!({ "S": "self-approval" }));
        assert_eq!(sent["Item"]["catalog_digest"], json!({ "S": "c1" }));
        // What did not decide leaves nothing.
        assert_eq!(
            (&sent["Item"]["guardrails"], &sent["Item"]["guardrails_digest"]),
            (&json!(null), &json!(null))
        );
        assert_eq!(sent["ConditionExpression"], ABSENT);
    }
    let by_guardrails = DeniedRequest {
        guardrails: ["freeze", "no-self-approval"].map(|id| GuardrailId::new(id).unwrap()).to_vec(),
        guardrails_digest: "g1".to_owned(),
        ..denied.clone()
    };
    let (kept, script) = ledger([done()]);
    kept.record_denial(&by_guardrails).await.unwrap();
    let item = &script.one().json()["Item"];
    assert_eq!(item["guardrails"], json!({ "L": [{ "S": "freeze" }, { "S": "no-self-approval" }] }));
    assert_eq!(item["guardrails_digest"], json!({ "S": "g1" }));
    let (ledger, _) = ledger([Reply::json_error(500, "InternalServerError")]);
    assert!(ledger.record_denial(&denied).await.unwrap_err().retryable);
}
