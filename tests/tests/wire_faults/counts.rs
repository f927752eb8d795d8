//! How many AWS calls an approval and an ending cost, and in how many serial round trips: counted on the wire, by hand
//! and not by Curfew's own counters.
//!
//! Calls that should go side by side are made to meet: the answer of each is held up until all of them were made. Were
//! one of them made only after another's answer, the count would not come out, on whatever machine.

use curfew_cli::artifacts::Function;
use curfew_tests::proxy::{Fault, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Person, World, now, until, world};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::OnceCell;

use crate::support::{Wired, assert_active, assert_gone, is_allowed, operator, timer};

/// A Curfew whose ledger holds nothing but what these tests put there.
async fn curfew() -> &'static Curfew {
    static CURFEW: OnceCell<Curfew> = OnceCell::const_new();
    let deploy = async || {
        world().await.deploy("counts", &[("DriftMinutes", "0")], &[("crowd.toml", &crowd_of_roles())]).await
    };
    CURFEW.get_or_init(deploy).await
}

/// A catalog's file with many roles that nobody asks for.
fn crowd_of_roles() -> String {
    let role = |n| {
        format!(
            "[role.crowd-{n}]\ndescription = \"One of many\"\nincludes = [\"reader\"]\n\
             max_duration = \"1h\"\ndefault_duration = \"1h\"\n\n"
        )
    };
    (0..200).map(role).collect()
}

fn meet(wired: &Wired, operations: &[&'static str]) {
    let fault = Fault::meet(operations.len());
    for operation in operations {
        wired.proxy.add(Rule::on(*operation, fault.clone()).once());
    }
}

/// A grant by a warm function; what it cost.
async fn opened(
    wired: &Wired,
    curfew: &Curfew,
    approval: &Approval,
    attach: &'static str,
) -> (String, Vec<Vec<String>>) {
    drop(wired.proxy.take_calls());
    meet(wired, &[attach, "CreateSchedule"]);
    let heard = wired.approve(curfew, approval).await;
    assert_eq!(heard.status, 201, "{heard:?}");
    let id = heard.body["grant_id"].as_str().expect("a grant's id").to_owned();
    (id, rounds(wired))
}

fn rounds(wired: &Wired) -> Vec<Vec<String>> {
    let calls = wired.proxy.take_calls();
    calls.rounds().iter().map(|round| round.iter().map(|name| (*name).to_owned()).collect()).collect()
}

/// A grant that ends in a few seconds, once AWS itself honours it no more.
async fn run_out(world: &World, wired: &Wired, curfew: &Curfew, person: &Person) -> String {
    let approval = Approval::of(person, "acme", "reader").until(later(now(), 6));
    let (id, _) = opened(wired, curfew, &approval, "PutUserPolicy").await;
    let patience = Duration::from_secs(30);
    until("the window is over", patience, async || (!is_allowed(world, person).await).then_some(())).await;
    id
}

const OPENING: [&[&str]; 3] =
    [&["TransactWriteItems"], &["CreateSchedule", "PutUserPolicy"], &["TransactWriteItems"]];
const EXPIRY: [&[&str]; 3] = [&["UpdateItem"], &["DeleteUserPolicy"], &["TransactWriteItems"]];

#[tokio::test]
async fn calls_do_not_grow_with_users_roles_and_live_grants() {
    let world = world().await;
    let curfew = curfew().await;
    let (grant, revoke) =
        (Wired::start(curfew, Function::Grant).await, Wired::start(curfew, Function::Revoke).await);

    // The very first invocation fetches the webhook secret besides.
    let first = world.person().await;
    let (one, cold) = opened(&grant, curfew, &Approval::of(&first, "acme", "reader"), "PutUserPolicy").await;
    let with_secret: Vec<&[&str]> = std::iter::once(&["GetSecretValue"][..]).chain(OPENING).collect();
    assert_eq!(cold, with_secret);
    assert_active("the first", curfew, &first, &one).await;

    for others in [1, 200] {
        if others > 1 {
            crowd(world, curfew, &one, others).await;
        }
        let person = world.person().await;
        let (id, calls) =
            opened(&grant, curfew, &Approval::of(&person, "acme", "reader"), "PutUserPolicy").await;
        assert_eq!(calls, OPENING, "an approval beside {others} others");
        assert_active("beside others", curfew, &person, &id).await;

        let short_lived = world.person().await;
        let over = run_out(world, &grant, curfew, &short_lived).await;
        let ended = revoke.invoke(&timer(&over)).await;
        assert_eq!(ended.payload["ok"], true, "{ended:?}");
        assert_eq!(rounds(&revoke), EXPIRY, "an expiry beside {others} others, also of a cold function");

        meet(&revoke, &["DeleteUserPolicy", "DeleteSchedule"]);
        let ended = revoke.invoke(&operator(&id)).await;
        assert_eq!(ended.payload["ok"], true, "{ended:?}");
        let early: [&[&str]; 3] =
            [&["UpdateItem"], &["DeleteSchedule", "DeleteUserPolicy"], &["TransactWriteItems"]];
        assert_eq!(rounds(&revoke), early, "a revocation beside {others} others");
        assert_gone("beside others", curfew, &person, &id, "revoked").await;

        let sweep = Wired::start(curfew, Function::Sweep).await;
        let meeting = Fault::meet(8);
        sweep.proxy.add(Rule::on("Query", meeting));
        let swept = sweep.invoke(&json!({})).await;
        assert_eq!(swept.payload["due"], 0, "{swept:?}");
        assert_eq!(rounds(&sweep), [["Query"; 8]], "a sweep with nothing due beside {others} others");
    }
}

/// One call more for the holders, and nothing to make it side by side with (docs/decisions/0007).
#[tokio::test]
async fn a_shared_attachment_costs_one_call_more_at_its_end() {
    let world = world().await;
    let curfew = curfew().await;
    let (grant, revoke) =
        (Wired::start(curfew, Function::Grant).await, Wired::start(curfew, Function::Revoke).await);
    let warm = world.person().await;
    opened(&grant, curfew, &Approval::of(&warm, "acme", "reader"), "PutUserPolicy").await;

    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "auditor").until(later(now(), 6));
    let (id, calls) = opened(&grant, curfew, &approval, "AttachUserPolicy").await;
    let opening: [&[&str]; 3] =
        [&["TransactWriteItems"], &["AttachUserPolicy", "CreateSchedule"], &["TransactWriteItems"]];
    assert_eq!(calls, opening);
    assert!(is_allowed(world, &person).await);

    // AWS can't time-box a managed policy: the ledger alone says when it is over.
    let over = later(now(), 6);
    curfew_tests::reached(over).await;
    let ended = revoke.invoke(&timer(&id)).await;
    assert_eq!(ended.payload["ok"], true, "{ended:?}");
    assert_eq!(
        rounds(&revoke),
        [["UpdateItem"], ["UpdateItem"], ["DetachUserPolicy"], ["TransactWriteItems"]]
    );
    assert!(!is_allowed(world, &person).await);
}

/// Puts so many IAM users and IAM roles with a policy of a grant's into the account, and as many live grants into the
/// ledger, as copies of one that is there.
async fn crowd(world: &World, curfew: &Curfew, one: &str, others: usize) {
    let root = world.root();
    let key = json!({ "pk": { "S": format!("GRANT#{one}") }, "sk": { "S": "STATE" } });
    let get = json!({ "TableName": curfew.table(), "Key": key });
    let said = root.json("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an item");
    let mut writes = Vec::with_capacity(others);
    let statement =
        json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::crowd/*" });
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let policy = [("PolicyName", "curfew-g-x"), ("PolicyDocument", &*document)];
    let service = json!({ "Service": "ec2.amazonaws.com" });
    let trust = json!({ "Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole" });
    let trust = json!({ "Version": "2012-10-17", "Statement": [trust] }).to_string();
    for n in 0..others {
        let name = format!("crowd-{n}");
        let user = ("UserName", &*name);
        root.query("iam", "CreateUser", &[user]).await.expect("a user");
        root.query("iam", "PutUserPolicy", &[&[user], &policy[..]].concat()).await.expect("a policy");
        let role = ("RoleName", &*name);
        let create = [role, ("AssumeRolePolicyDocument", &*trust)];
        root.query("iam", "CreateRole", &create).await.expect("a role");
        root.query("iam", "PutRolePolicy", &[&[role], &policy[..]].concat()).await.expect("a policy");
        let mut item = said["Item"].clone();
        // Two digits of base 26 in a grant's id of 26 letters.
        let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).expect("a letter"));
        let id = format!("g-{}{}{}", "z".repeat(24), letter(n / 26), letter(n));
        item["pk"] = json!({ "S": format!("GRANT#{id}") });
        item["live_person"] = json!({ "S": format!("crowd-{n}@example.test") });
        writes.push(json!({ "PutRequest": { "Item": item } }));
    }
    for batch in writes.chunks(25) {
        let write = json!({ "RequestItems": { curfew.table(): batch } });
        let said: Value =
            root.json("dynamodb", "DynamoDB_20120810.BatchWriteItem", &write).await.expect("written");
        assert!(said["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty), "{said}");
    }
    assert!(curfew.indexed("live_by_tenant", "live_tenant", "acme").await.len() > others);
}
