//! The console on the wire: the real function behind a proxy that counts its reads, with the role that the template gives
//! it, over grants that the real functions made.

use curfew_cli::artifacts::Function;
use curfew_tests::proxy::{Fault, Rule};
use curfew_tests::{Approval, Client, Curfew, Person, world};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::Wired;

/// A Curfew whose ledger holds nothing but what these tests put there.
async fn curfew() -> &'static Curfew {
    static CURFEW: OnceCell<Curfew> = OnceCell::const_new();
    let deploy = async || world().await.deploy("console", &[("DriftMinutes", "0")], &[]).await;
    CURFEW.get_or_init(deploy).await
}

fn list(filter: Value) -> Value {
    json!({ "format": "json", "list": filter })
}

async fn answered(console: &Wired, input: &Value) -> Value {
    let invoked = console.invoke(input).await;
    assert_eq!(invoked.error, None, "{}", invoked.payload);
    invoked.payload
}

/// The reads since the last time, in rounds.
fn rounds(console: &Wired) -> Vec<Vec<String>> {
    let calls = console.proxy.take_calls();
    calls.rounds().iter().map(|round| round.iter().map(|name| (*name).to_owned()).collect()).collect()
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["grants"].as_array().into_iter().flatten().filter_map(|grant| grant["grant_id"].as_str()).collect()
}

#[tokio::test]
async fn what_is_granted_is_shown_until_a_button_ends_it() {
    let world = world().await;
    let curfew = curfew().await;
    let console = Wired::start(curfew, Function::Console).await;
    let (ann, bob): (Person, Person) = (world.person().await, world.person().await);
    let approval = Approval::of(&ann, "acme", "reader");
    let (of_ann, of_bob) =
        (curfew.grant(&approval).await, curfew.grant(&Approval::of(&bob, "acme", "reader")).await);

    let by_person = answered(&console, &list(json!({ "person": ann.email }))).await;
    assert_eq!(ids(&by_person), [of_ann.as_str()]);
    let grant = &by_person["grants"][0];
    for (field, expected) in [
        ("standing", json!("active")),
        ("person", json!(ann.email)),
        ("tenant", json!("acme")),
        ("role", json!("reader")),
        ("principal", json!(ann.principal)),
        ("ticket", json!(approval.ticket_id())),
        ("access_kind", json!("inline")),
        ("failures", json!(0)),
    ] {
        assert_eq!(grant[field], expected, "{field}: {grant}");
    }
    let record = curfew.record(&of_ann).await.expect("a grant");
    for time in ["starts_at", "expires_at", "due_at"] {
        assert_eq!(grant[time], record.item[time], "{time}");
    }

    let shown = answered(&console, &json!({ "format": "json", "show": of_bob })).await;
    let events: Vec<&Value> =
        shown["events"].as_array().into_iter().flatten().map(|event| &event["fact"]["type"]).collect();
    assert_eq!(events, ["Requested", "Opened", "Activated"]);
    assert_eq!((&shown["grant"]["person"], &shown["chain_problem"]), (&json!(bob.email), &Value::Null));

    // A widget's button, as CloudWatch sends it to the function that the button names.
    let typed = json!({ "person": ann.email, "operator": "olga@example.test", "reason": "incident INC0010023 is over" });
    let context = json!({ "theme": "dark", "forms": { "all": typed }, "params": {} });
    let page = answered(&console, &json!({ "widgetContext": context })).await;
    let page = page.as_str().expect("HTML");
    assert!(page.contains(&ann.email) && !page.contains(&bob.email), "{page}");
    let (endpoint, mut event) = revoke_button(page);
    let name = curfew.output("RevokeFunctionName");
    assert!(endpoint.ends_with(&format!(":function:{name}")), "{endpoint}");
    event["widgetContext"] = context;
    let said = curfew.invoke(Function::Revoke, &event).await;
    assert_eq!((&said.error, &said.payload["ok"]), (&None, &json!(true)), "{said:?}");
    let record = curfew.record(&of_ann).await.expect("a grant");
    assert_eq!(record.state(), "closed");
    assert!(record.actors().iter().any(|actor| actor.to_string() == "operator olga@example.test"));

    let left = answered(&console, &list(json!({}))).await;
    assert!(!ids(&left).contains(&of_ann.as_str()) && ids(&left).contains(&of_bob.as_str()), "{left}");
}

/// Where *Revoke now* of the only row leads, and with what.
fn revoke_button(page: &str) -> (String, Value) {
    let (_, after) = page.split_once(">Revoke now</a><cwdb-action ").expect("a button");
    let (action, payload) =
        after.split_once("</cwdb-action>").expect("its end").0.split_once('>').expect("a payload");
    let (_, endpoint) = action.split_once("endpoint=\"").expect("an endpoint");
    let (endpoint, _) = endpoint.split_once('"').expect("its end");
    (endpoint.to_owned(), serde_json::from_str(payload).expect("JSON"))
}

/// What DynamoDB reads at once.
const PAGE_BYTES: usize = 1_048_576;

#[tokio::test]
async fn a_thousand_live_grants_are_one_read_beside_that_of_the_reviews() {
    let world = world().await;
    let curfew = curfew().await;
    let console = Wired::start(curfew, Function::Console).await;
    let person = world.person().await;
    let one = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    crowd(&world.root(), curfew, &one, 1_000).await;

    drop(console.proxy.take_calls());
    // Both answers are held up until both reads were made.
    let meeting = Fault::meet(2);
    console.proxy.add(Rule::on("Scan", meeting.clone()).once());
    console.proxy.add(Rule::on("Query", meeting).once());
    let all = answered(&console, &list(json!({}))).await;
    assert_eq!(rounds(&console), [["Query", "Scan"]], "each once, side by side");
    assert!(ids(&all).len() > 1_000, "{}", ids(&all).len());
    assert_eq!((&all["truncated"], &all["unreadable"]), (&json!(false), &Value::Null));

    // The local stack answers a read in one piece however much it is; AWS, up to a limit.
    let scan = json!({ "TableName": curfew.table(), "IndexName": "live_by_tenant" });
    let read = world.root().json("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("a read");
    let items = read["Items"].as_array().expect("items");
    assert!(items.len() > 1_000);
    let size: usize = items.iter().map(size).sum();
    assert!(size < PAGE_BYTES, "{size} bytes of {} grants", items.len());

    let one_tenant = answered(&console, &list(json!({ "tenant": "acme" }))).await;
    assert_eq!(rounds(&console).concat(), ["Query", "Query"]);
    assert!(ids(&one_tenant).len() > 1_000);
    let page = answered(&console, &json!({})).await;
    assert_eq!(rounds(&console).concat().len(), 2, "a widget reads no more than the terminal");
    let page = page.as_str().expect("HTML");
    assert_eq!(page.matches(">Revoke now</a>").count(), 300);
    assert!(page.contains(" more, less urgent"), "the rest is told");
}

/// Puts so many live grants into the ledger, as copies of one that is there, with longer names than anybody has.
async fn crowd(root: &Client, curfew: &Curfew, one: &str, others: usize) {
    let key = json!({ "pk": { "S": format!("GRANT#{one}") }, "sk": { "S": "STATE" } });
    let get = json!({ "TableName": curfew.table(), "Key": key });
    let said = root.json("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an item");
    let mut writes = Vec::with_capacity(others);
    for n in 0..others {
        let mut item = said["Item"].clone();
        let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).expect("a letter"));
        let id = format!("g-{}{}{}{}", "z".repeat(23), letter(n / 676), letter(n / 26), letter(n));
        let person = format!("{n:0>4}.{}@subsidiary.example.test", "long-name".repeat(3));
        for (name, value) in [
            ("pk", format!("GRANT#{id}")),
            ("person", person.clone()),
            ("live_person", person),
            ("ticket", format!("{}-{n}", "T".repeat(40))),
            (
                "principal",
                format!("arn:aws:iam::111122223333:role/engineering/platform/{}-{n}", "r".repeat(40)),
            ),
        ] {
            item[name] = json!({ "S": value });
        }
        writes.push(json!({ "PutRequest": { "Item": item } }));
    }
    for batch in writes.chunks(25) {
        let write = json!({ "RequestItems": { curfew.table(): batch } });
        let said = root.json("dynamodb", "DynamoDB_20120810.BatchWriteItem", &write).await.expect("written");
        assert!(said["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty), "{said}");
    }
}

/// An item's size as DynamoDB counts it: names and values
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
fn size(item: &Value) -> usize {
    let value = |typed: &Value| match typed.as_object().and_then(|typed| typed.iter().next()) {
        Some((kind, Value::String(text))) if kind == "S" => text.len(),
        Some((kind, Value::String(digits))) if kind == "N" => digits.len().div_ceil(2) + 1,
        Some((kind, _)) if kind == "BOOL" => 1,
        other => panic!("nothing else is in the index: {other:?}"),
    };
    item.as_object().into_iter().flatten().map(|(name, typed)| name.len() + value(typed)).sum()
}
