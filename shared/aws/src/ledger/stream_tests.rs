//! Tests of reading the stream: what open and commit write comes back as it was.

use curfew_app::ports::{Ledger as _, LedgerError};
use curfew_domain::event::{Actor, OperatorName};
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
        operator: None,
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
    let by_operator = DeniedRequest { operator: Some(OperatorName::new("olga").unwrap()), ..denied() };
    for denied in [denied(), without_guardrails, by_operator] {
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
    // So that nobody makes of it what is none.
    let mut renamed = denial_image(&denied()).await;
    renamed["type"] = json!({ "S": "Link" });
    let changed = [record("MODIFY", &event_image()), record("MODIFY", &renamed)];
    for (records, done) in
        [(&changed[..], "somebody changed `"), (&[removed, denial_removed], "somebody deleted `")]
    {
        for record in records {
            let why = content(record).unwrap_err();
            assert!(
                why.contains(done) && why.contains(record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap()),
                "{why}"
            );
        }
    }
}

#[test]
fn whatever_is_deleted_is_shown_to_people() {
    for (pk, sk) in [("GRANT#g", "STATE"), ("TICKET#CHG1", "itsm#CLOSED"), ("ATTACHMENT#a#b", "HOLDERS")] {
        let mut removed = record("REMOVE", &json!({ "pk": { "S": pk }, "sk": { "S": sk } }));
        removed["dynamodb"].as_object_mut().unwrap().remove("NewImage");
        assert!(content(&removed).unwrap_err().contains(&format!("somebody deleted `{pk} {sk}`")));
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

fn found(items: &[Item]) -> Reply {
    let items: Vec<Value> = items.iter().map(dynamo_json).collect();
    Reply::json(200, &json!({ "Items": items, "Count": items.len() }))
}

fn seqs<const N: usize>(seqs: [u32; N]) -> BTreeSet<u32> {
    seqs.into()
}

#[tokio::test]
async fn a_grant_and_the_events_of_a_batch_are_read_by_one_query() {
    let id = GrantId::new(ID).unwrap();
    let there = grant(active());
    let mut state = item::state_item(&there).unwrap();
    // Even a claim that does not fit its grant is no reason not to record what happened.
    let claim = Claim { begin: begin(Cause::Expired, Actor::Timer), at: at("2026-11-21T01:02:04Z") };
    state.insert("claim".to_owned(), item::claim_attribute(&claim).unwrap());
    let items = [item::event_item(&event(7)), item::event_item(&event(8)), state];
    let (ledger, script) = ledger([found(&items)]);
    let written = ledger.written(&id, &seqs([7, 8])).await.unwrap().unwrap();
    assert_eq!((written.subject.principal.arn(), written.subject.tenant.as_str()), (USER, "acme"));
    assert_eq!(written.bodies, [7, 8].map(|seq| (seq, event(seq).canonical())).into());
    let query = script.one().json();
    assert_eq!((&query["ConsistentRead"], &query["Limit"]), (&json!(true), &json!(3)), "and no further");
    let range = json!({ ":pk": { "S": format!("GRANT#{ID}") }, ":first": { "S": "EVENT#000007" }, ":state": { "S": "STATE" } });
    assert_eq!(query["ExpressionAttributeValues"], range);
}

#[tokio::test]
async fn what_the_query_did_not_reach_is_read_by_its_key() {
    let id = GrantId::new(ID).unwrap();
    let state = item::state_item(&grant(active())).unwrap();
    let one = |item: &Item| Reply::json(200, &json!({ "Item": dynamo_json(item) }));
    let nothing = Reply::json(200, &json!({}));
    // Later events of the grant stand in between.
    let of = |seqs: &[u32]| found(&seqs.iter().map(|seq| item::event_item(&event(*seq))).collect::<Vec<_>>());
    let (ledger_of, script) = ledger([of(&[1, 2]), one(&state)]);
    let written = ledger_of.written(&id, &seqs([1])).await.unwrap().unwrap();
    assert_eq!(written.bodies.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(script.calls(), ["Query", "GetItem"]);
    assert_eq!(script.seen()[1].json()["ConsistentRead"], true);
    // What is not there is not there, however many are asked for.
    let (ledger_of, script) = ledger([of(&[2, 3, 4]), nothing.clone(), one(&state)]);
    let written = ledger_of.written(&id, &seqs([2, 900])).await.unwrap().unwrap();
    assert_eq!(written.bodies.keys().collect::<Vec<_>>(), [&2]);
    assert_eq!(script.seen()[1].json()["Key"]["sk"], json!({ "S": "EVENT#000900" }));
    // Of an event whose bytes are gone there are none.
    let mut emptied = item::event_item(&event(2));
    emptied.remove("body");
    let (ledger_of, _) = ledger([found(&[emptied, state.clone()])]);
    assert!(ledger_of.written(&id, &seqs([2])).await.unwrap().unwrap().bodies.is_empty());

    let (absent, _) = ledger([of(&[2]), nothing]);
    assert_eq!(absent.written(&id, &seqs([2])).await, Ok(None));
    let edited: Item = item::key(keys::grant_pk(&id), keys::STATE);
    let (edited, _) = ledger([found(&[item::event_item(&event(2)), edited])]);
    let unreadable = edited.written(&id, &seqs([2])).await;
    assert!(matches!(unreadable, Err(ReadError::Unreadable(why)) if why.contains("grant")));
    for (code, retryable) in [("InternalServerError", true), ("AccessDeniedException", false)] {
        let error = Reply::json_error(if retryable { 500 } else { 400 }, code);
        for replies in [vec![error.clone()], vec![of(&[2]), error]] {
            let (down, _) = ledger(replies);
            let failed = down.written(&id, &seqs([2])).await.unwrap_err();
            assert!(
                matches!(&failed, ReadError::Failed(LedgerError { retryable: told, .. }) if *told == retryable),
                "{failed:?}: it is not the grant that is at fault"
            );
        }
    }
}

#[tokio::test]
async fn a_denial_is_read_back_where_it_was_written() {
    let image = denial_image(&denied()).await;
    let (there, script) = ledger([Reply::json(200, &json!({ "Item": image }))]);
    assert_eq!(Grants::denial(&there, &denied()).await, Ok(Some(denied())));
    let read = script.one().json();
    assert_eq!(read["Key"], json!({ "pk": image["pk"], "sk": image["sk"] }));
    assert_eq!(read["ConsistentRead"], true);
    let (absent, _) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(Grants::denial(&absent, &denied()).await, Ok(None));
    let mut edited = image;
    edited["at"] = json!({ "S": "yesterday" });
    let (edited, _) = ledger([Reply::json(200, &json!({ "Item": edited }))]);
    let unreadable = Grants::denial(&edited, &denied()).await;
    assert!(matches!(unreadable, Err(ReadError::Unreadable(why)) if why.contains("`at`")));
}

#[tokio::test]
async fn a_sources_denials_on_a_ticket_are_read_to_the_last_page() {
    let image = denial_image(&denied()).await;
    let other = DeniedRequest { code: "frozen".to_owned(), ..denied() };
    let key = json!({ "pk": image["pk"], "sk": image["sk"] });
    let (ledger, script) = ledger([
        Reply::json(200, &json!({ "Items": [image], "Count": 1, "LastEvaluatedKey": key })),
        Reply::json(200, &json!({ "Items": [denial_image(&other).await], "Count": 1 })),
    ]);
    let denials = ledger.denials(&denied().source, &denied().ticket).await;
    assert_eq!(denials, Ok(vec![denied(), other]));
    let query = script.seen()[0].json();
    let values = json!({ ":pk": key["pk"], ":denials": { "S": "itsm#DENIED#" } });
    assert_eq!((&query["ExpressionAttributeValues"], &query["ConsistentRead"]), (&values, &json!(true)));
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

#[tokio::test]
async fn the_newest_checkpoint_is_remembered_and_never_an_older_one() {
    let sealed = LastSealed { number: 7, digest: "ab".repeat(32) };
    let item = json!({ "Item": { "number": { "N": "7" }, "digest": { "S": sealed.digest } } });
    let (there, script) = ledger([Reply::json(200, &item)]);
    assert_eq!(there.last_sealed().await, Ok(Some(sealed.clone())));
    let key = json!({ "pk": { "S": "ARCHIVE" }, "sk": { "S": "CHECKPOINT" } });
    assert_eq!(script.one().json()["Key"], key);
    assert_eq!(script.one().json()["ConsistentRead"], true);
    let (nothing, _) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(nothing.last_sealed().await, Ok(None));
    for damaged in
        [json!({ "number": { "S": "7" }, "digest": { "S": "ab" } }), json!({ "number": { "N": "7" } })]
    {
        let (ledger, _) = ledger([Reply::json(200, &json!({ "Item": damaged }))]);
        assert!(matches!(ledger.last_sealed().await, Err(ReadError::Unreadable(_))), "{damaged}");
    }

    let (ours, script) = ledger([Reply::json(200, &json!({}))]);
    assert_eq!(ours.remember_sealed(&sealed).await, Ok(()));
    let sent = script.one().json();
    assert_eq!((&sent["Key"], &sent["ExpressionAttributeValues"][":number"]), (&key, &json!({ "N": "7" })));
    assert_eq!(sent["ConditionExpression"], "attribute_not_exists(pk) OR #number < :number");
    let (behind, _) = ledger([Reply::json_error(400, "ConditionalCheckFailedException")]);
    assert_eq!(behind.remember_sealed(&sealed).await, Ok(()), "somebody has sealed more");
    let (denied, _) = ledger([Reply::json_error(400, "AccessDeniedException")]);
    assert!(denied.remember_sealed(&sealed).await.is_err());
}
