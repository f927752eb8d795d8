//! Tests of what the console reads: that the projected attributes tell what the grant does, through every write; that
//! it is one call; and how large it gets.

use std::collections::HashMap;

use curfew_app::console::{Listed, Standing};
use curfew_app::ports::Ledger as _;
use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::transition::{BeginClosing, Claim, Command, Stored, transition};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ledger::keys::{LIVE_BY_TENANT_INDEX, REVIEWS_INDEX, SK};
use crate::samples::{
    ID, OTHER_ID, any_grant, at, begin, changing, closing, grant, privileged as of_privileged, reviewed,
};
use crate::wire::{Reply, Script, StillClock, aws, dynamo_json};

const NOW: &str = "2026-11-21T01:31:00Z";

/// What an index holds of an item: the table's keys, its own, and what it projects. Nothing, if a key is missing.
fn projected(item: &Item, keys: [&str; 2], projection: &[&str]) -> Option<Item> {
    let is_held = keys.iter().all(|key| item.contains_key(*key));
    let held = [PK, SK].into_iter().chain(keys).chain(projection.iter().copied());
    let held = held.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())));
    is_held.then(|| held.collect())
}

fn in_live(item: &Item) -> Option<Item> {
    projected(item, ["live_tenant", "principal"], &LIVE_PROJECTION)
}

fn in_reviews(item: &Item) -> Option<Item> {
    projected(item, ["review_owed", "review_since"], &REVIEWS_PROJECTION)
}

fn view(replies: impl IntoIterator<Item = Reply>) -> (DynamoView<StillClock>, Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoView::new(aws, "ledger".to_owned(), StillClock::at(NOW)), script)
}

/// What an item becomes by the update that was sent: `SET name = :value, …, … REMOVE name, …`. Of sums nothing is
/// projected.
fn updated(item: &Item, sent: &Value) -> Item {
    let mut item = item.clone();
    let name = |name: &str| match name.strip_prefix('#') {
        Some(_) => sent["ExpressionAttributeNames"][name].as_str().unwrap().to_owned(),
        None => name.to_owned(),
    };
    let expression = sent["UpdateExpression"].as_str().unwrap();
    let (set, remove) = expression.strip_prefix("SET ").unwrap().split_once(" REMOVE ").unwrap();
    for assignment in set.split(", ") {
        let (of, value) = assignment.split_once(" = ").unwrap();
        if let Some(value) = sent["ExpressionAttributeValues"][value]["S"].as_str() {
            item.insert(name(of), text(value));
        }
    }
    for gone in remove.split(", ") {
        item.remove(&name(gone));
    }
    item
}

/// The item after a claim on the grant, by the very update that the ledger sends.
async fn claimed(before: &Grant, begin: &BeginClosing, now: Timestamp) -> Item {
    let item = item::state_item(before).unwrap();
    let (aws, script) = aws([Reply::json(200, &json!({ "Attributes": dynamo_json(&item) }))]);
    let ledger = DynamoLedger::new(aws, "ledger".to_owned());
    ledger.claim(before.id(), begin, now).await.unwrap();
    updated(&item, &script.one().json())
}

proptest! {
    #[test]
    fn an_index_tells_of_a_grant_what_the_grant_says(grant in any_grant()) {
        let item = item::state_item(&grant).unwrap();
        let told = in_live(&item).map(|item| live_grant(&item).unwrap());
        prop_assert_eq!(told, LiveGrant::of(&grant));
        let told = in_reviews(&item).map(|item| review(&item).unwrap());
        prop_assert_eq!(told, ReviewOwed::of(&grant));
    }
}

#[tokio::test]
async fn an_index_tells_of_a_claim_what_it_means() {
    let now = at("2026-11-21T02:30:00Z");
    for state in [crate::samples::opening(), crate::samples::active(), changing()] {
        let before = grant(state);
        let begin = begin(Cause::Expired, Actor::Timer);
        let item = in_live(&claimed(&before, &begin, now).await).unwrap();
        let stored = Stored::claimed(&before, Claim { begin: begin.clone(), at: now }).unwrap();
        assert_eq!(Some(live_grant(&item).unwrap()), LiveGrant::of(&stored.grant), "{:?}", before.state());
        let settled = transition(&before, Command::BeginClosing(begin), now).unwrap().grant;
        assert_eq!(in_live(&item::state_item(&settled).unwrap()), Some(item), "as the full write would");
    }
}

#[test]
fn what_is_rare_is_written_only_where_it_is_so() {
    let attributes = |grant: &Grant| {
        let item = item::state_item(grant).unwrap();
        let mut rare = ["privileged", "failures", "closing_since", "in_aws_until"].to_vec();
        rare.retain(|attribute| item.contains_key(*attribute));
        rare
    };
    let mut quiet = closing();
    quiet["failures"] = json!(0);
    assert_eq!(attributes(&grant(crate::samples::active())), [""; 0]);
    assert_eq!(attributes(&of_privileged(crate::samples::opening())), ["privileged"]);
    assert_eq!(attributes(&grant(changing())), ["in_aws_until"]);
    assert_eq!(attributes(&grant(quiet)), ["closing_since"]);
    assert_eq!(attributes(&grant(closing())), ["failures", "closing_since"]);
}

fn listing(items: &[Item], last: bool) -> Reply {
    let mut body = json!({ "Items": items.iter().map(dynamo_json).collect::<Vec<_>>() });
    if last {
        body["LastEvaluatedKey"] = json!({ "pk": { "S": "GRANT#x" } });
    }
    Reply::json(200, &body)
}

fn entry(state: Value) -> Item {
    in_live(&item::state_item(&grant(state)).unwrap()).unwrap()
}

#[tokio::test]
async fn all_live_grants_are_one_scan_of_their_index() {
    let (seen_by, script) = view([listing(&[entry(closing()), entry(changing())], false)]);
    let page = seen_by.live(None).await.unwrap();
    let expected = [closing(), changing()].map(|state| LiveGrant::of(&grant(state)).unwrap());
    assert_eq!(page, Page { entries: expected.to_vec(), unreadable: vec![], truncated: false });
    assert_eq!(page.entries[0].standing(at(NOW)), Standing::RemovalFails);
    let sent = script.one();
    assert_eq!(sent.call, "Scan");
    // No filter, no projection of its own, no limit: the index holds what is shown.
    assert_eq!(sent.json(), json!({ "TableName": "ledger", "IndexName": LIVE_BY_TENANT_INDEX }));
}

#[tokio::test]
async fn a_tenants_live_grants_are_one_query_and_more_than_a_page_is_told_not_read() {
    let (seen_by, script) = view([listing(&[entry(changing())], true)]);
    let page = seen_by.live(Some(&TenantId::new("acme").unwrap())).await.unwrap();
    assert_eq!((page.entries.len(), page.truncated), (1, true));
    let sent = script.one();
    assert_eq!(sent.call, "Query");
    assert_eq!(
        sent.json(),
        json!({
            "TableName": "ledger", "IndexName": LIVE_BY_TENANT_INDEX,
            "KeyConditionExpression": "live_tenant = :tenant",
            "ExpressionAttributeValues": { ":tenant": { "S": "acme" } }
        })
    );
}

#[tokio::test]
async fn reviews_are_one_query_in_the_order_of_their_index() {
    let owed = |id: &str, since: &str| {
        let mut grant = serde_json::to_value(reviewed(
            crate::samples::closed(),
            json!({ "name": "owed", "since": since }),
        ))
        .unwrap();
        grant["id"] = json!(id);
        serde_json::from_value::<Grant>(grant).unwrap()
    };
    let grants = [owed(OTHER_ID, "2026-11-21T01:02:03Z"), owed(ID, "2026-11-21T01:02:04Z")];
    let items = grants.each_ref().map(|grant| in_reviews(&item::state_item(grant).unwrap()).unwrap());
    let (seen_by, script) = view([listing(&items, false)]);
    let page = seen_by.reviews().await.unwrap();
    assert_eq!(page.entries, grants.map(|grant| ReviewOwed::of(&grant).unwrap()));
    assert_eq!(page.entries[0].outcome, Some(Outcome::Revoked));
    let sent = script.one().json();
    assert_eq!(
        (&sent["IndexName"], &sent["ExpressionAttributeValues"]),
        (&json!(REVIEWS_INDEX), &json!({ ":owed": { "S": "owed" } }))
    );
    // In the order of the index's range key, which DynamoDB gives unless it is told otherwise.
    assert!(sent["ScanIndexForward"].is_null());
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_hides_nothing() {
    let broken = |attribute: &str, value: Option<AttributeValue>| {
        let mut item = entry(closing());
        match value {
            Some(value) => item.insert(attribute.to_owned(), value),
            None => item.remove(attribute),
        };
        item
    };
    let bad = [
        ("pk", broken("pk", Some(text("TICKET#CHG1")))),
        ("person", broken("person", Some(text("<b>ana</b>")))),
        ("live_tenant", broken("live_tenant", Some(AttributeValue::Null(true)))),
        ("state", broken("state", Some(text("closed")))),
        ("expires_at", broken("expires_at", Some(text("tomorrow")))),
        ("due_at", broken("due_at", None)),
        ("access_kind", broken("access_kind", Some(text("session")))),
        ("privileged", broken("privileged", Some(text("true")))),
        ("failures", broken("failures", Some(text("2")))),
        ("closing_since", broken("closing_since", Some(AttributeValue::N("7".to_owned())))),
        ("role", broken("role", None)),
        ("ticket", broken("ticket", None)),
    ];
    let items: Vec<Item> = bad.iter().map(|(_, item)| item.clone()).chain([entry(closing())]).collect();
    let (seen_by, _) = view([listing(&items, false)]);
    let page = seen_by.live(None).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.unreadable.len(), UNREADABLE_TOLD_MAX + 1);
    for ((attribute, _), told) in bad.iter().zip(&page.unreadable).take(UNREADABLE_TOLD_MAX) {
        assert!(told.contains(&format!("`{attribute}`")), "{told}");
    }
    assert_eq!(page.unreadable.last().map(String::as_str), Some("2 more item(s) can't be read"));
    // Written before the attribute was: not known, and no fault.
    let (seen_by, _) = view([listing(&[broken("access_kind", None)], false)]);
    assert_eq!(seen_by.live(None).await.unwrap().entries[0].access_kind, None);
}

#[tokio::test]
async fn a_refused_read_is_an_error_not_an_empty_page() {
    for code in ["AccessDeniedException", "ResourceNotFoundException"] {
        let (denied, _) = view([Reply::json_error(400, code)]);
        let acme = TenantId::new("acme").unwrap();
        let failed = [
            denied.live(None).await.unwrap_err(),
            denied.live(Some(&acme)).await.unwrap_err(),
            denied.reviews().await.unwrap_err(),
        ];
        let told = failed.each_ref().map(|error| (error.operation, error.retryable));
        assert_eq!(told, [(LIVE, false), (LIVE, false), (REVIEWS, false)], "{code}");
    }
}

/// The size of an item as DynamoDB counts it: names and values
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>). A number by its
/// upper bound.
fn size(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::Bool(_) => 1,
        other => unreachable!("nothing else is projected: {other:?}"),
    };
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

/// A failing removal with these names: every attribute that an entry can have but one.
fn named(names: &HashMap<&str, String>) -> Grant {
    let mut grant = serde_json::to_value(of_privileged(closing())).unwrap();
    for name in ["requester", "tenant", "role", "ticket", "source"] {
        grant["request"][name] = json!(names[name]);
    }
    grant["access"]["principal"] = json!(names["principal"]);
    grant["review"] = json!({ "name": "owed", "since": NOW });
    serde_json::from_value(grant).unwrap()
}

fn names(person: &str, slug: &str, ticket: &str, principal: &str) -> HashMap<&'static str, String> {
    HashMap::from([
        ("requester", person.to_owned()),
        ("tenant", slug.to_owned()),
        ("role", slug.to_owned()),
        ("source", slug.to_owned()),
        ("ticket", ticket.to_owned()),
        ("principal", principal.to_owned()),
    ])
}

/// What DynamoDB reads for one page.
const PAGE_BYTES: usize = 1_048_576;

/// What Lambda lets a function answer
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const REPLY_BYTES: usize = 6 * 1_048_576;

#[test]
fn a_thousand_grants_fit_into_one_read_and_a_page_into_a_reply() {
    let typical = names(
        "ana.garcia-marquez@example.com",
        "production-eu",
        "CHG0030192",
        "arn:aws:iam::111122223333:role/engineering/ana.garcia-marquez",
    );
    let generous = names(
        &format!("{}@subsidiary.example.com", "a".repeat(40)),
        &"s".repeat(64),
        &"T".repeat(64),
        &format!("arn:aws:iam::111122223333:role/engineering/{}", "r".repeat(64)),
    );
    let shortest = names("a@b.c", "s", "T", "arn:aws:iam::111122223333:user/a");
    let mut sizes = Vec::new();
    for names in [&typical, &generous, &shortest] {
        let grant = named(names);
        let item = item::state_item(&grant).unwrap();
        let (live, owed) = (in_live(&item).unwrap(), in_reviews(&item).unwrap());
        let told = LiveGrant::of(&grant).unwrap();
        let listed = json!(Listed { standing: told.standing(at(NOW)), grant: told }).to_string().len();
        let reviewed = json!(ReviewOwed::of(&grant)).to_string().len();
        sizes.push(size(&live));
        // As many of each as fit into a page.
        let reply = PAGE_BYTES / size(&live) * (listed + 1) + PAGE_BYTES / size(&owed) * (reviewed + 1);
        assert!(reply < REPLY_BYTES, "{reply} bytes: {listed} for {}, {reviewed}", size(&live));
    }
    let [typical, generous, _] = sizes.try_into().unwrap();
    assert!(typical <= 700, "{typical}");
    assert!(generous * 1_000 < PAGE_BYTES, "{generous}");
    // One write of the index is one unit.
    assert!(typical <= 1_024 && generous <= 1_024, "{generous}");
}
