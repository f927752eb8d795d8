//! Tests of reads: consistency, pages, and what is in which index.

use curfew_app::ports::Ledger as _;
use curfew_domain::event::{Actor, Chain};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::transition::Claim;
use serde_json::{Value, json};

use super::*;
use crate::samples::{ID, OTHER_ID, USER, active, at, begin, event, grant};
use crate::wire::{Reply, Script, aws, dynamo_json};

const NOW: &str = "2026-11-21T02:03:01Z";

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn page(items: &[Value], last: Option<Value>) -> Reply {
    let mut body = json!({ "Items": items, "Count": items.len() });
    if let (Some(last), Some(body)) = (last, body.as_object_mut()) {
        body.insert("LastEvaluatedKey".to_owned(), last);
    }
    Reply::json(200, &body)
}

fn entry(id: &str, due_at: &str) -> Value {
    json!({ "pk": { "S": format!("GRANT#{id}") }, "sk": { "S": "STATE" }, "due_at": { "S": due_at } })
}

fn state_of(grant: &Grant) -> Value {
    dynamo_json(&item::state_item(grant).unwrap())
}

#[tokio::test]
async fn a_grant_is_read_consistently() {
    let id = GrantId::new(ID).unwrap();
    let there = grant(active());
    let (with_grant, script) = ledger([Reply::json(200, &json!({ "Item": state_of(&there) }))]);
    assert_eq!(with_grant.load(&id).await.unwrap(), Some(Stored::settled(there)));
    assert_eq!(script.one().json()["ConsistentRead"], true);
    let (empty, _) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(empty.load(&id).await.unwrap(), None);
}

/// An active grant whose chain ends with event `seq`.
fn grant_after(seq: u32) -> Grant {
    let mut grant = serde_json::to_value(grant(active())).unwrap();
    grant["chain"] = json!(Chain { seq, head: "00".to_owned() });
    serde_json::from_value(grant).unwrap()
}

#[tokio::test]
async fn a_story_is_read_page_by_page_with_the_event_that_a_claim_left() {
    let before = grant_after(2);
    let claim = Claim { begin: begin(Cause::Revoked, Actor::Timer), at: at(NOW) };
    let mut state = item::state_item(&before).unwrap();
    state.insert("claim".to_owned(), item::claim_attribute(&claim).unwrap());
    let first = page(&[dynamo_json(&item::event_item(&event(1)))], Some(entry(ID, NOW)));
    let second = page(&[dynamo_json(&item::event_item(&event(2))), dynamo_json(&state)], None);
    let (ledger, script) = ledger([first, second]);
    let story = ledger.story(&GrantId::new(ID).unwrap()).await.unwrap().unwrap();
    assert_eq!(story.stored, Stored::claimed(&before, claim).unwrap());
    assert_eq!(story.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(script.calls().len(), 2);
    assert!(script.seen().iter().all(|seen| seen.json()["ConsistentRead"] == true));
}

#[tokio::test]
async fn a_story_that_was_torn_by_a_transition_is_read_again() {
    let state = state_of(&grant_after(2));
    let events = [1, 2].map(|seq| dynamo_json(&item::event_item(&event(seq))));
    let torn = page(&[events[0].clone(), state.clone()], None);
    let whole = page(&[events[0].clone(), events[1].clone(), state], None);
    let (meanwhile, script) = ledger([torn.clone(), whole]);
    let story = meanwhile.story(&GrantId::new(ID).unwrap()).await.unwrap().unwrap();
    assert_eq!((story.events.len(), script.calls().len()), (2, 2));
    // An event that is really missing is told, not waited for.
    let (broken, script) = ledger([torn]);
    let story = broken.story(&GrantId::new(ID).unwrap()).await.unwrap().unwrap();
    assert_eq!((story.events.len(), script.calls().len()), (1, 3));
}

#[tokio::test]
async fn a_tickets_grants_are_its_links_and_nothing_else() {
    let item = |sk: String| json!({ "pk": { "S": "TICKET#CHG1" }, "sk": { "S": sk } });
    let items = [
        item("itsm#CLOSED".to_owned()),
        item("itsm#DENIED#00ff#self-approval".to_owned()),
        item(format!("itsm#GRANT#{ID}")),
        item(format!("pager#GRANT#{OTHER_ID}")),
    ];
    let (ledger, script) = ledger([page(&items, None)]);
    let (itsm, ticket) = (Source::new("itsm").unwrap(), TicketId::new("CHG1").unwrap());
    let found = ledger.grants_of_ticket(None, &ticket).await.unwrap();
    let expected = [("itsm", ID), ("pager", OTHER_ID)]
        .map(|(source, id)| (Source::new(source).unwrap(), GrantId::new(id).unwrap()));
    assert_eq!(found, expected);
    ledger.grants_of_ticket(Some(&itsm), &ticket).await.unwrap();
    let [any, one] = [script.seen()[0].json(), script.seen()[1].json()];
    assert_eq!(any["KeyConditionExpression"], "pk = :pk");
    assert_eq!(one["KeyConditionExpression"], "pk = :pk AND begins_with(sk, :links)");
    assert_eq!(one["ExpressionAttributeValues"][":links"], json!({ "S": "itsm#GRANT#" }));
    assert!([any, one].iter().all(|sent| sent["ConsistentRead"] == true));
}

#[tokio::test]
async fn live_grants_are_found_through_their_index_to_its_last_page() {
    let (ledger, script) = ledger([
        page(&[entry(ID, NOW)], Some(entry(ID, NOW))),
        page(&[entry(OTHER_ID, NOW)], None),
        page(&[], None),
    ]);
    let found = ledger.live_of_person(&Email::new("ana@example.com").unwrap()).await.unwrap();
    assert_eq!(found, [ID, OTHER_ID].map(|id| GrantId::new(id).unwrap()));
    let sent = script.seen()[0].json();
    assert_eq!(sent["IndexName"], "live_by_person");
    assert_eq!(sent["KeyConditionExpression"], "live_person = :person");
    assert_eq!(sent["ExpressionAttributeValues"], json!({ ":person": { "S": "ana@example.com" } }));

    let (tenant, principal) = (TenantId::new("acme").unwrap(), Principal::parse(USER).unwrap());
    assert!(ledger.live_of_tenant(&tenant).await.unwrap().is_empty());
    assert!(ledger.live_of_principal(&tenant, &principal).await.unwrap().is_empty());
    let [all, one] = [script.seen()[2].json(), script.seen()[3].json()];
    assert_eq!(all["KeyConditionExpression"], "live_tenant = :tenant");
    assert_eq!(all["ExpressionAttributeValues"], json!({ ":tenant": { "S": "acme" } }));
    assert_eq!(one["KeyConditionExpression"], "live_tenant = :tenant AND principal = :principal");
    assert_eq!(
        one["ExpressionAttributeValues"],
        json!({ ":tenant": { "S": "acme" }, ":principal": { "S": USER } })
    );
    assert!([all, one].iter().all(|sent| sent["IndexName"] == "live_by_tenant"));
}

#[tokio::test]
async fn reviews_that_are_owed_are_found_through_their_index_to_its_last_page() {
    let pages = [page(&[entry(ID, NOW)], Some(entry(ID, NOW))), page(&[entry(OTHER_ID, NOW)], None)];
    let (found_by, script) = ledger(pages);
    let found = found_by.reviews_owed().await.unwrap();
    assert_eq!(found, [ID, OTHER_ID].map(|id| GrantId::new(id).unwrap()));
    let sent = script.seen()[0].json();
    assert_eq!(
        (&sent["IndexName"], &sent["KeyConditionExpression"]),
        (&json!("reviews"), &json!("review_owed = :owed"))
    );
    assert_eq!(sent["ExpressionAttributeValues"], json!({ ":owed": { "S": "owed" } }));
    // In the order of the index's range key, which DynamoDB gives unless it is told otherwise.
    assert!(sent["ScanIndexForward"].is_null());
    let (denied, _) = ledger([Reply::json_error(400, "AccessDeniedException")]);
    assert_eq!(denied.reviews_owed().await.unwrap_err().operation, "find the reviews that are owed");
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_an_error_not_an_empty_answer() {
    let (ledger, _) = ledger([Reply::json_error(400, "ResourceNotFoundException")]);
    let error = ledger.live_of_tenant(&TenantId::new("acme").unwrap()).await.unwrap_err();
    assert_eq!((error.operation, error.retryable), ("find live grants", false));
}
