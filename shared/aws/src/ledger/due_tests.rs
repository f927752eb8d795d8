//! Tests of what is due: the order of work over all partitions, pages that go on where one ended, and how few
//! calls it takes.

use std::collections::BTreeMap;

use curfew_app::ports::{DueItem, Ledger as _};
use curfew_domain::ids::{GrantId, Source, TicketId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::samples::{ID, OTHER_ID, at};
use crate::wire::{Reply, Script, aws};

const NOW: &str = "2026-11-21T02:03:01Z";
const SHARDS: usize = 8;

fn ledger(replies: impl IntoIterator<Item = Reply>) -> (DynamoLedger, std::sync::Arc<Script>) {
    let (aws, script) = aws(replies);
    (DynamoLedger::new(aws, "ledger".to_owned()), script)
}

fn page(items: &[Value], more: bool) -> Reply {
    let mut body = json!({ "Items": items, "Count": items.len() });
    if let (true, Some(last)) = (more, items.last()) {
        body["LastEvaluatedKey"] = last.clone();
    }
    Reply::json(200, &body)
}

fn grant(id: &str) -> DueItem {
    DueItem::Grant(GrantId::new(id).unwrap())
}

fn ticket(source: &str, id: &str) -> DueItem {
    DueItem::Ticket(Source::new(source).unwrap(), TicketId::new(id).unwrap())
}

fn due(item: DueItem, due_at: &str, privileged: bool) -> Due {
    Due { item, due_at: at(due_at), privileged }
}

/// An entry of the index as DynamoDB gives it: keys alone.
fn entry(due: &Due) -> Value {
    let (pk, sk) = match &due.item {
        DueItem::Grant(id) => (keys::grant_pk(id), keys::STATE.to_owned()),
        DueItem::Ticket(source, ticket) => (keys::ticket_pk(ticket), keys::tombstone_sk(source)),
    };
    json!({
        "pk": { "S": pk }, "sk": { "S": sk },
        "due_shard": { "S": keys::due_shard(&due.item, due.privileged) },
        "due_order": { "S": keys::due_order(due.due_at, &due.item) }
    })
}

/// What was asked of each partition.
fn asked(script: &Script) -> BTreeMap<String, Value> {
    let queries = script.seen().into_iter().map(|seen| seen.json());
    queries
        .map(|query| {
            let shard = query["ExpressionAttributeValues"][":shard"]["S"].as_str().unwrap().to_owned();
            (shard, query)
        })
        .collect()
}

#[tokio::test]
async fn when_nothing_is_due_each_partition_is_asked_once_and_side_by_side() {
    let (ledger, script) = ledger([page(&[], false)]);
    assert_eq!(ledger.due(at(NOW), None, 100).await, Ok(vec![]));
    assert_eq!(script.calls().len(), SHARDS);
    let asked = asked(&script);
    let mut shards: Vec<String> = keys::due_shards().map(|(_, shard)| shard).collect();
    shards.sort();
    assert_eq!(asked.keys().cloned().collect::<Vec<_>>(), shards);
    for query in asked.values() {
        assert_eq!(query["IndexName"], "due");
        assert_eq!(query["KeyConditionExpression"], "due_shard = :shard AND due_order <= :to");
        assert_eq!(query["ExpressionAttributeValues"][":to"], json!({ "S": format!("{NOW}#~") }));
        assert_eq!(query["Limit"], 100);
    }
}

#[tokio::test]
async fn the_rest_comes_after_an_item_whatever_its_rank() {
    let later = "2026-11-21T02:04:30Z";
    for (after, privileged, normal) in [
        (
            due(grant(ID), "2026-11-21T02:03:30Z", true),
            Some(format!("2026-11-21T02:03:30Z#{ID}!")),
            "2026-11-21T02:03:00Z".to_owned(),
        ),
        (
            due(ticket("itsm", "CHG1"), "2026-11-21T02:03:00Z", true),
            Some("2026-11-21T02:03:00Z#ticket#itsm#CHG1!".to_owned()),
            "2026-11-21T02:03:00Z".to_owned(),
        ),
        (
            due(grant(ID), "2026-11-21T02:03:59Z", false),
            Some("2026-11-21T02:04:00Z".to_owned()),
            format!("2026-11-21T02:03:59Z#{ID}!"),
        ),
        // The next minute has not come: of this rank there is nothing to ask for.
        (due(grant(ID), "2026-11-21T02:04:10Z", false), None, format!("2026-11-21T02:04:10Z#{ID}!")),
    ] {
        let (ledger, script) = ledger([page(&[], false)]);
        assert_eq!(ledger.due(at(later), Some(&after), 7).await, Ok(vec![]));
        let asked = asked(&script);
        for (is_privileged, shard) in keys::due_shards() {
            let from = if is_privileged { privileged.clone() } else { Some(normal.clone()) };
            let Some(from) = from else {
                assert!(!asked.contains_key(&shard), "{shard} after {after:?}");
                continue;
            };
            let query = &asked[&shard];
            assert_eq!(
                query["KeyConditionExpression"],
                "due_shard = :shard AND due_order BETWEEN :from AND :to"
            );
            let values = &query["ExpressionAttributeValues"];
            assert_eq!(values[":from"], json!({ "S": from }), "{shard} after {after:?}");
            assert_eq!(values[":to"], json!({ "S": format!("{later}#~") }));
        }
    }
}

#[tokio::test]
async fn one_that_cannot_be_read_holds_up_no_other_and_does_not_count() {
    let poison = |order: &str| json!({ "pk": { "S": "GRANT#?" }, "sk": { "S": "STATE" }, "due_order": { "S": order } });
    let good = due(grant(ID), "2026-11-21T02:03:00Z", true);
    let mut timeless = entry(&due(grant(OTHER_ID), NOW, true));
    timeless["due_order"] = json!({ "S": "soon" });
    // The first partition has a page of poison before the good one; the others have nothing.
    let replies = [
        page(&[poison(NOW), timeless], true),
        page(&[], false),
        page(&[], false),
        page(&[], false),
        page(&[], false),
        page(&[], false),
        page(&[], false),
        page(&[], false),
        page(&[entry(&good)], false),
    ];
    let (ledger, script) = ledger(replies);
    assert_eq!(ledger.due(at(NOW), None, 2).await, Ok(vec![good]));
    assert_eq!(script.calls().len(), SHARDS + 1);
}

#[tokio::test]
async fn no_more_is_read_or_told_than_was_asked_for() {
    let first = due(grant(ID), "2026-11-21T02:03:00Z", true);
    let second = due(grant(OTHER_ID), "2026-11-21T02:03:00Z", true);
    // Every partition says that there is more; two are enough of each.
    let (enough, script) = ledger([page(&[entry(&first), entry(&second)], true)]);
    assert_eq!(enough.due(at(NOW), None, 2).await.unwrap().len(), 2);
    assert_eq!(script.calls().len(), SHARDS);
    let (none, script) = ledger([page(&[], false)]);
    assert_eq!(none.due(at(NOW), None, 0).await, Ok(vec![]));
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_an_error_not_an_empty_answer() {
    let (ledger, _) = ledger([Reply::json_error(400, "ResourceNotFoundException")]);
    let error = ledger.due(at(NOW), None, 3).await.unwrap_err();
    assert_eq!((error.operation, error.retryable), ("find what is due", false));
    assert!(error.message.contains("table `ledger`"), "{error}");
}

/// What DynamoDB would give for what [`due`] asks, over a whole index, page by page.
fn page_of(index: &[Due], now: Timestamp, after: Option<&Due>, limit: usize) -> Vec<Due> {
    let to = keys::last_due_order(now);
    let mut found = Vec::new();
    for (privileged, shard) in keys::due_shards() {
        let from = after.map(|after| lowest(after, privileged));
        let mut stretch: Vec<(String, &Due)> = index
            .iter()
            .filter(|due| keys::due_shard(&due.item, due.privileged) == shard)
            .map(|due| (keys::due_order(due.due_at, &due.item), due))
            .filter(|(order, _)| from.as_ref().is_none_or(|from| order >= from) && *order <= to)
            .collect();
        stretch.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.extend(stretch.into_iter().take(limit).map(|(_, due)| due.clone()));
    }
    found.sort_by(Due::order);
    found.truncate(limit);
    found
}

fn any_due() -> impl Strategy<Value = Due> {
    let id = "[a-b]{25}[a-z2-7]".prop_map(|tail| grant(&format!("g-{tail}")));
    let source = proptest::sample::select(vec!["itsm", "itsm-prod", "itsm2", "itsm_x"]);
    let tickets =
        (source, "[0-9A-Za-z][0-9A-Za-z._:/=+@-]{0,3}").prop_map(|(source, id)| ticket(source, &id));
    let grants = (id, 0_i64..240, any::<bool>());
    prop_oneof![
        grants.prop_map(|(item, second, privileged)| (item, second, privileged)),
        (tickets, 0_i64..240).prop_map(|(item, second)| (item, second, true)),
    ]
    .prop_map(|(item, second, privileged)| Due {
        item,
        due_at: Timestamp::from_second(1_795_226_400 + second).unwrap(),
        privileged,
    })
}

proptest! {
    /// Pages end to end are everything that is due, once each, in the order of work.
    #[test]
    fn pages_go_on_where_they_ended(
        items in proptest::collection::vec(any_due(), 0..60),
        limit in 1_usize..9,
        second in 0_i64..300,
    ) {
        let now = Timestamp::from_second(1_795_226_400 + second).unwrap();
        let index: Vec<Due> =
            items.into_iter().map(|due| (due.item.clone(), due)).collect::<BTreeMap<_, _>>().into_values().collect();
        let mut expected: Vec<Due> = index.iter().filter(|due| due.due_at <= now).cloned().collect();
        expected.sort_by(Due::order);
        let mut found: Vec<Due> = Vec::new();
        loop {
            let page = page_of(&index, now, found.last(), limit);
            let is_last = page.len() < limit;
            found.extend(page);
            if is_last || found.len() > expected.len() {
                break;
            }
        }
        prop_assert_eq!(found, expected);
    }
}
