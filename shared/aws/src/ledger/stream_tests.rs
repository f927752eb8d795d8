//! Tests of reading the stream: what open and commit write comes back as it was.

use curfew_app::ports::{Ledger as _, LedgerError};
use curfew_domain::event::Actor;
use curfew_domain::grant::Cause;
use curfew_domain::ids::Source;
use curfew_domain::transition::Claim;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::samples::{ID, USER, active, at, begin, event, grant};
use crate::wire::{Reply, Script, aws, dynamo_json};

const SEQUENCE: &str = "000000000000000000100";

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

/// A record of the stream, as Lambda hands it over for a table that streams new images.
fn record(event_name: &str, image: &Value) -> Value {
    json!({
        "eventID": "1",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_222_923,
            "Keys": { "pk": image["pk"], "sk": image["sk"] },
            "NewImage": image,
            "SequenceNumber": SEQUENCE,
            "SizeBytes": 300,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:111122223333:table/ledger/stream/2026-11-21T00:00:00.000",
    })
}

fn event_image() -> Value {
    dynamo_json(&item::event_item(&event(7)))
}

fn denied() -> DeniedRequest {
    DeniedRequest {
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG:1/2").unwrap(),
        requester: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("prod-ops").unwrap(),
        delivery: DeliveryId::new("msg_2").unwrap(),
        request_digest: "00ff".to_owned(),
        code: "self-approval".to_owned(),
        reason: "nobody \"else\"\napproved \u{202e}".to_owned(),
        guardrails: ["freeze", "no-self-approval"].map(|id| GuardrailId::new(id).unwrap()).to_vec(),
        catalog_digest: "c1".to_owned(),
        guardrails_digest: "g1".to_owned(),
        at: at("2026-11-21T01:02:03Z"),
    }
}

/// The item that recording a denial puts into the table.
async fn denial_image(denied: &DeniedRequest) -> Value {
    let (ledger, script) = ledger([Reply::json(200, &json!({}))]);
    ledger.record_denial(denied).await.unwrap();
    script.one().json()["Item"].clone()
}

fn content(record: &Value) -> Result<Content, String> {
    arrival(record).expect("something to be delivered").content
}

#[test]
fn an_event_comes_back_with_its_very_bytes() {
    let record = record("INSERT", &event_image());
    let arrival = arrival(&record).unwrap();
    let expected = Content::Event { grant_id: GrantId::new(ID).unwrap(), seq: 7, body: event(7).canonical() };
    assert_eq!(arrival.content, Ok(expected));
    assert_eq!((arrival.sequence.as_str(), &arrival.raw), (SEQUENCE, &record));
}

#[tokio::test]
async fn a_denial_comes_back_whole() {
    let without_guardrails = DeniedRequest {
        guardrails: Vec::new(),
        catalog_digest: String::new(),
        guardrails_digest: String::new(),
        ..denied()
    };
    for denied in [denied(), without_guardrails] {
        let image = denial_image(&denied).await;
        assert_eq!(content(&record("INSERT", &image)), Ok(Content::Denial(Box::new(denied))));
    }
}

proptest! {
    /// Whatever may stand in a denial comes back as it was.
    #[test]
    fn any_denial_comes_back(
        ticket in "[A-Za-z0-9:/._-]{1,40}",
        reason in "\\PC{0,200}",
        digest in "[0-9a-f]{64}",
        code in "[a-z]{1,20}(-[a-z]{1,10})?",
        second in 0_i64..7_000_000_000,
    ) {
        let Ok(ticket) = TicketId::new(ticket) else { return Ok(()) };
        let denied = DeniedRequest {
            ticket,
            reason,
            request_digest: digest,
            code,
            at: jiff::Timestamp::from_second(second).unwrap(),
            ..denied()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let image = runtime.block_on(denial_image(&denied));
        prop_assert_eq!(content(&record("INSERT", &image)), Ok(Content::Denial(Box::new(denied))));
    }
}

#[test]
fn what_is_neither_an_event_nor_a_denial_is_not_delivered() {
    let state = dynamo_json(&item::state_item(&grant(active())).unwrap());
    let holders = json!({ "pk": { "S": "ATTACHMENT#a#b" }, "sk": { "S": "HOLDERS" } });
    for record in [
        record("INSERT", &state),
        record("MODIFY", &state),
        record("INSERT", &holders),
        json!({}),
        json!({ "eventName": "INSERT" }),
        json!(7),
    ] {
        assert_eq!(arrival(&record), None, "{record}");
    }
}

#[tokio::test]
async fn whatever_else_is_done_to_evidence_is_shown_to_people() {
    let mut removed = record("REMOVE", &event_image());
    removed["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    let mut denial_removed = record("REMOVE", &denial_image(&denied()).await);
    denial_removed["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    for record in [record("MODIFY", &event_image()), removed, denial_removed] {
        let why = content(&record).unwrap_err();
        assert!(why.contains("somebody changed or deleted it"), "{why}");
    }
}

#[tokio::test]
async fn what_can_not_be_read_says_why() {
    let denial = denial_image(&denied()).await;
    let changed = |image: &Value, change: fn(&mut Value)| {
        let mut image = image.clone();
        change(&mut image);
        content(&record("INSERT", &image)).unwrap_err()
    };
    for (why, says) in [
        (
            changed(&event_image(), |image| image["body"] = json!({ "N": "7" })),
            "no readable attribute `body`",
        ),
        (
            changed(&event_image(), |image| image["pk"] = json!({ "S": "GRANT#x" })),
            "under no key that Curfew writes",
        ),
        (
            changed(&event_image(), |image| image["sk"] = json!({ "S": "EVENT#7" })),
            "under no key that Curfew writes",
        ),
        (changed(&denial, |image| image["person"] = json!({ "S": "ana" })), "ana"),
        (
            changed(&denial, |image| image["reason"] = json!({ "NULL": true })),
            "no readable attribute `reason`",
        ),
        (changed(&denial, |image| image["at"] = json!({ "S": "yesterday" })), "`at` of a denial is no time"),
        (
            changed(&denial, |image| image["guardrails"] = json!({ "S": "freeze" })),
            "no readable attribute `guardrails`",
        ),
        (changed(&denial, |image| image["guardrails"] = json!({ "L": [{ "N": "1" }] })), "`guardrails`"),
        (changed(&denial, |image| image["catalog_digest"] = json!({ "N": "1" })), "`catalog_digest`"),
        (
            changed(&denial, |image| image["pk"] = json!({ "S": "GRANT#g" })),
            "under no key that Curfew writes",
        ),
        (
            changed(&denial, |image| image["sk"] = json!({ "S": "itsm#CLOSED" })),
            "under no key that Curfew writes",
        ),
    ] {
        assert!(why.contains(says), "{why} does not say: {says}");
    }
}

#[test]
fn without_a_number_the_whole_batch_has_to_come_again() {
    let mut record = record("INSERT", &event_image());
    record["dynamodb"].as_object_mut().unwrap().remove("SequenceNumber");
    assert_eq!(arrival(&record).unwrap().sequence, "");
}

#[tokio::test]
async fn of_a_grant_is_read_what_never_changes() {
    let id = GrantId::new(ID).unwrap();
    let there = grant(active());
    let mut state = item::state_item(&there).unwrap();
    // Even a claim that does not fit its grant is no reason not to record what happened.
    let claim = Claim { begin: begin(Cause::Expired, Actor::Timer), at: at("2026-11-21T01:02:04Z") };
    state.insert("claim".to_owned(), item::claim_attribute(&claim).unwrap());
    let (found, script) = ledger([Reply::json(200, &json!({ "Item": dynamo_json(&state) }))]);
    let subject = found.subject(&id).await.unwrap().unwrap();
    assert_eq!((subject.principal.arn(), subject.tenant.as_str()), (USER, "acme"));
    assert_eq!(script.one().json()["ConsistentRead"], true);

    let (absent, _) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(absent.subject(&id).await, Ok(None));
    let edited = json!({ "Item": { "pk": { "S": format!("GRANT#{ID}") }, "grant": { "S": "?" } } });
    let (edited, _) = ledger([Reply::json(200, &edited)]);
    assert!(matches!(edited.subject(&id).await, Err(ReadError::Unreadable(why)) if why.contains("grant")));
    for (code, retryable) in [("InternalServerError", true), ("AccessDeniedException", false)] {
        let (down, _) = ledger([Reply::json_error(if retryable { 500 } else { 400 }, code)]);
        let failed = down.subject(&id).await.unwrap_err();
        assert!(
            matches!(&failed, ReadError::Failed(LedgerError { retryable: told, .. }) if *told == retryable),
            "{failed:?}: it is not the grant that is at fault"
        );
    }
}

#[tokio::test]
async fn a_story_has_what_is_written_and_not_what_a_claim_will_still_write() {
    let mut before = serde_json::to_value(grant(active())).unwrap();
    before["chain"] = json!({ "seq": 1, "head": "00" });
    let before: curfew_domain::grant::Grant = serde_json::from_value(before).unwrap();
    let claim = Claim { begin: begin(Cause::Revoked, Actor::Timer), at: at("2026-11-21T02:03:01Z") };
    let mut state = item::state_item(&before).unwrap();
    state.insert("claim".to_owned(), item::claim_attribute(&claim).unwrap());
    let items = [dynamo_json(&item::event_item(&event(1))), dynamo_json(&state)];
    let (ledger, _) = ledger([Reply::json(200, &json!({ "Items": items, "Count": 2 }))]);
    let id = GrantId::new(ID).unwrap();
    let whole = curfew_app::ports::Ledger::story(&ledger, &id).await.unwrap().unwrap();
    assert_eq!(whole.stored.unwritten.len(), 1);
    let story = Grants::story(&ledger, &id).await.unwrap().unwrap();
    assert_eq!(story.events, [event(1)]);
    assert_eq!(story.subject.principal.arn(), USER);
}
