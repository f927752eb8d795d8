//! Tests of claims: the condition by cause, and what each answer of DynamoDB means.

use curfew_app::ports::Ledger as _;
use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant, State};
use curfew_domain::transition::Illegal;
use serde_json::{Value, json};

use super::*;
use crate::samples::{
    EXPIRES_AT, ID, LEASE_UNTIL, active, at, begin, changing, closed, closing, grant, opening,
};
use crate::wire::{Reply, aws, dynamo_json};

const NOW: &str = "2026-11-21T02:03:01Z";

fn item_of(grant: &Grant) -> Item {
    item::state_item(grant).unwrap()
}

fn claimed(grant: &Grant, claim: &Claim) -> Item {
    let mut item = item_of(grant);
    item.insert("claim".to_owned(), item::claim_attribute(claim).unwrap());
    item
}

fn condition_failed(item: Option<&Item>) -> Reply {
    let mut body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" });
    if let (Some(item), Some(body)) = (item, body.as_object_mut()) {
        body.insert("Item".to_owned(), dynamo_json(item));
    }
    Reply::json(400, &body)
}

async fn claim_with(
    reply: Reply,
    begin: &BeginClosing,
    now: &str,
) -> (Result<ClaimWrite, LedgerError>, Value) {
    let (aws, script) = aws([reply]);
    let ledger = DynamoLedger::new(aws, "ledger".to_owned());
    let write = ledger.claim(&GrantId::new(ID).unwrap(), begin, at(now)).await;
    (write, script.one().json())
}

#[tokio::test]
async fn a_claim_is_one_write_and_its_meaning_is_the_transitions() {
    let before = grant(active());
    let begin = begin(Cause::Expired, Actor::Timer);
    let old = Reply::json(200, &json!({ "Attributes": dynamo_json(&item_of(&before)) }));
    // The fraction of the clock's second is in neither the condition nor the claim.
    let (write, sent) = claim_with(old, &begin, "2026-11-21T02:03:01.9Z").await;

    let expected = transition(&before, Command::BeginClosing(begin.clone()), at(NOW)).unwrap();
    assert_eq!(write.unwrap(), ClaimWrite::Begun(Box::new(expected)));
    assert_eq!(sent["Key"], json!({ "pk": { "S": format!("GRANT#{ID}") }, "sk": { "S": "STATE" } }));
    assert_eq!(
        sent["UpdateExpression"],
        "SET #state = :closing, #claim = :claim, #version = #version + :one, due_at = :due_at, \
         due_order = :due_order, closing_since = :now REMOVE lease_until, in_aws_until"
    );
    // What a reader of the claim would write: the claim must not leave the index somewhere else.
    let values = &sent["ExpressionAttributeValues"];
    let after = transition(&before, Command::BeginClosing(begin.clone()), at(NOW)).unwrap().grant;
    let after = item_of(&after);
    assert_eq!(item::text_of(&after, "due_at"), Some("2026-11-21T02:04:01Z"));
    for (value, attribute) in [(":due_at", "due_at"), (":due_order", "due_order"), (":now", "closing_since")]
    {
        assert_eq!(values[value]["S"].as_str(), item::text_of(&after, attribute), "{attribute}");
    }
    assert_eq!(after["due_shard"], item_of(&before)["due_shard"]);
    assert_eq!(sent["ReturnValues"], "ALL_OLD");
    assert_eq!(sent["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    let written =
        Item::from([("claim".to_owned(), item::claim_attribute(&Claim { begin, at: at(NOW) }).unwrap())]);
    assert_eq!(sent["ExpressionAttributeValues"][":claim"], dynamo_json(&written)["claim"]);
}

#[test]
fn each_cause_has_its_own_condition() {
    let now = at(NOW);
    for (cause, expression, times) in [
        (
            Cause::Expired,
            "(#state = :opening OR #state = :active) AND expires_at <= :expired_at",
            vec![":active", ":expired_at", ":opening"],
        ),
        (Cause::Revoked, "(#state = :opening OR #state = :active)", vec![":active", ":opening"]),
        (Cause::OpeningFailed, "#state = :opening", vec![":opening"]),
        (
            Cause::Abandoned,
            "(#state = :opening AND lease_until <= :abandoned_at)",
            vec![":abandoned_at", ":opening"],
        ),
    ] {
        let condition = Condition::of(Guard::of(cause, now));
        assert_eq!(condition.expression, expression);
        let mut names: Vec<&str> = condition.values.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, times);
        for time in [":expired_at", ":abandoned_at"] {
            assert!(condition.values.get(time).is_none_or(|value| *value == text(NOW)));
        }
    }
}

/// DynamoDB's view of a condition that is made of the parts above.
fn holds(cause: Cause, now: &str, item: &Item) -> bool {
    let state = item::text_of(item, "state").unwrap();
    let passed = |attribute| item::text_of(item, attribute).is_some_and(|time| time <= now);
    match cause {
        Cause::Expired => ["opening", "active"].contains(&state) && passed("expires_at"),
        Cause::Revoked => ["opening", "active"].contains(&state),
        Cause::OpeningFailed => state == "opening",
        Cause::Abandoned => state == "opening" && passed("lease_until"),
    }
}

#[test]
fn the_condition_holds_exactly_where_the_domain_allows_it() {
    for state in [opening(), active(), changing(), closing(), closed()] {
        let grant = grant(state);
        let item = item_of(&grant);
        for cause in [Cause::Expired, Cause::Revoked, Cause::OpeningFailed, Cause::Abandoned] {
            for now in ["2026-11-21T01:03:02Z", LEASE_UNTIL, "2026-11-21T02:02:02Z", EXPIRES_AT, NOW] {
                let command = Command::BeginClosing(begin(cause, Actor::Sweep));
                let legal = transition(&grant, command, at(now)).is_ok();
                assert_eq!(holds(cause, now, &item), legal, "{cause:?} of {} at {now}", grant.state().name());
            }
        }
    }
}

#[tokio::test]
async fn a_claim_on_nothing_is_absent() {
    let (write, _) = claim_with(condition_failed(None), &begin(Cause::Revoked, Actor::Timer), NOW).await;
    assert_eq!(write.unwrap(), ClaimWrite::Absent);
}

#[tokio::test]
async fn a_refused_claim_says_why_and_brings_the_grant() {
    for (state, cause, now, illegal) in [
        (active(), Cause::Expired, LEASE_UNTIL, Illegal::NotExpired { until: at(EXPIRES_AT) }),
        (opening(), Cause::Abandoned, "2026-11-21T01:03:00Z", Illegal::LeaseHeld { until: at(LEASE_UNTIL) }),
        (active(), Cause::OpeningFailed, NOW, Illegal::AlreadyActive),
        (closing(), Cause::Expired, NOW, Illegal::AlreadyClosing),
        (closed(), Cause::Expired, NOW, Illegal::AlreadyClosed),
    ] {
        let grant = grant(state);
        let reply = condition_failed(Some(&item_of(&grant)));
        let (write, _) = claim_with(reply, &begin(cause, Actor::Sweep), now).await;
        let stored = Box::new(curfew_domain::transition::Stored::settled(grant));
        assert_eq!(write.unwrap(), ClaimWrite::Refused { stored, illegal });
    }
}

#[tokio::test]
async fn the_sdks_second_try_of_a_claim_that_took_effect_finds_its_own_claim() {
    let before = grant(opening());
    let begin = begin(Cause::Revoked, Actor::Timer);
    let item = claimed(&before, &Claim { begin: begin.clone(), at: at(NOW) });
    let (write, _) = claim_with(condition_failed(Some(&item)), &begin, NOW).await;
    let expected = transition(&before, Command::BeginClosing(begin), at(NOW)).unwrap();
    assert_eq!(write.unwrap(), ClaimWrite::Begun(Box::new(expected)));
}

#[tokio::test]
async fn somebody_elses_claim_is_not_taken_for_ones_own() {
    let before = grant(active());
    let ours = begin(Cause::Revoked, Actor::Timer);
    for theirs in [
        Claim { begin: ours.clone(), at: at("2026-11-21T02:03:00Z") },
        Claim { begin: BeginClosing { actor: Actor::Sweep, ..ours.clone() }, at: at(NOW) },
        Claim { begin: BeginClosing { reason: "other words".to_owned(), ..ours.clone() }, at: at(NOW) },
    ] {
        let reply = condition_failed(Some(&claimed(&before, &theirs)));
        let (write, _) = claim_with(reply, &ours, NOW).await;
        let ClaimWrite::Refused { stored, illegal } = write.unwrap() else { panic!("refused") };
        assert_eq!(illegal, Illegal::AlreadyClosing);
        assert!(matches!(stored.grant.state(), State::Closing { .. }));
        assert_eq!(stored.unwritten.len(), 1, "their event is still to be written");
    }
}

#[tokio::test]
async fn attributes_that_contradict_the_grant_are_an_error() {
    let old = Reply::json(200, &json!({ "Attributes": dynamo_json(&item_of(&grant(closed()))) }));
    let (write, _) = claim_with(old, &begin(Cause::Revoked, Actor::Timer), NOW).await;
    let error = write.unwrap_err();
    assert!(!error.retryable && error.message.contains(ID), "{error}");

    let reply = condition_failed(Some(&item_of(&grant(active()))));
    let (write, _) = claim_with(reply, &begin(Cause::Revoked, Actor::Timer), NOW).await;
    assert!(write.unwrap_err().retryable);
}

#[tokio::test]
async fn a_write_that_met_a_transaction_is_tried_again() {
    let before = grant(active());
    let old = Reply::json(200, &json!({ "Attributes": dynamo_json(&item_of(&before)) }));
    let (aws, script) = aws([Reply::json_error(400, "TransactionConflictException"), old]);
    let ledger = DynamoLedger::new(aws, "ledger".to_owned());
    let begin = begin(Cause::Revoked, Actor::Timer);
    let write = ledger.claim(&GrantId::new(ID).unwrap(), &begin, at(NOW)).await.unwrap();
    assert!(matches!(write, ClaimWrite::Begun(_)));
    assert_eq!(script.calls(), ["UpdateItem", "UpdateItem"]);
}
