//! Drift: what somebody changed in IAM behind Curfew's back is found by the sweep, told, and dealt with; what Curfew
//! did not make is left alone. Root of the account plays the somebody.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_domain::access::Access;
use curfew_domain::event::{Actor, Drift, DriftResponse, Fact};
use curfew_tests::{Approval, Client, Curfew, Flavour, Person, Record, World, until, world};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::{assert_bare, assert_denied, assert_ended};

/// A minute until the next comparison begins, some laps until it has been everywhere, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Held by the test that sweeps: its lap finds what the others wait for as well.
static SWEEPING: Mutex<()> = Mutex::const_new(());

/// Sweeps until there is something to be seen. Its own rule would, once a minute.
async fn sweeping<T>(curfew: &Curfew, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    until(what, PATIENCE, async || {
        let alone = SWEEPING.lock().await;
        let swept = curfew.invoke(Function::Sweep, &json!({})).await;
        drop(alone);
        assert_eq!(swept.error, None, "{swept:?}");
        look().await
    })
    .await
}

/// A grant, once its story ends so.
async fn ends_with(curfew: &Curfew, id: &str, end: &[&str]) -> Record {
    let what = format!("the story of grant {id} ends with {end:?}");
    sweeping(curfew, &what, async || curfew.record(id).await.filter(|record| record.story().ends_with(end)))
        .await
}

fn name_of(person: &Person) -> &str {
    person.principal.rsplit('/').next().unwrap_or_default()
}

fn policy_of(id: &str) -> String {
    format!("curfew-{id}")
}

async fn put(root: &Client, person: &Person, policy: &str, document: &str) {
    let parameters = [("UserName", name_of(person)), ("PolicyName", policy), ("PolicyDocument", document)];
    root.query("iam", "PutUserPolicy", &parameters).await.expect("a policy that somebody puts");
}

async fn delete(root: &Client, person: &Person, policy: &str) {
    let parameters = [("UserName", name_of(person)), ("PolicyName", policy)];
    root.query("iam", "DeleteUserPolicy", &parameters).await.expect("a policy that somebody deletes");
}

/// Read access to the tenant's bucket that has no end.
fn for_ever(world: &World) -> String {
    let objects = format!("arn:aws:s3:::{}/*", world.acme().bucket());
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": objects }],
    })
    .to_string()
}

/// What the sweep wrote about drift of one policy.
async fn told(world: &World, curfew: &Curfew, person: &Person, policy: &str) -> Vec<Value> {
    let lines = curfew.deployment().log(world.stack(), Function::Sweep).await.expect("a log");
    let lines = lines.iter().flat_map(|message| message.lines());
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["policy"] == policy && line["principal"] == person.principal.as_str())
        .collect()
}

/// Whether the sweep counted drift: what the alarm hears.
async fn is_counted(world: &World, curfew: &Curfew, metric: &str) -> bool {
    let lines = curfew.deployment().log(world.stack(), Function::Sweep).await.expect("a log");
    let lines = lines.iter().flat_map(|message| message.lines());
    lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|line| {
        line[metric].as_u64().is_some_and(|count| count > 0)
            && line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] == metric
    })
}

fn assert_found(record: &Record, expected: Drift, done: DriftResponse) {
    let found = record.events.iter().rev().find_map(|event| match &event.fact {
        Fact::DriftFound { drift, response } => Some((*drift, *response, &event.actor)),
        _ => None,
    });
    assert_eq!(found, Some((expected, done, &Actor::Sweep)));
    record.verify();
}

/// What the ledger says that the grant's policy is.
fn document(record: &Record) -> Value {
    let Access::Inline { document, .. } = record.grant.access() else { panic!("an inline policy") };
    serde_json::from_str(document).expect("JSON")
}

#[tokio::test]
async fn an_ended_grants_policy_that_somebody_put_back_is_removed_and_told() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Watchful).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let order = json!({ "grant_id": id, "reason": "no longer needed", "operator": "olga@example.test" });
    assert_eq!(curfew.invoke(Function::Revoke, &order).await.payload["ok"], true);
    assert_denied(person.keys.object(&world.acme().bucket()).await);

    put(&world.root(), &person, &policy_of(&id), &for_ever(world)).await;
    person.keys.object(&world.acme().bucket()).await.expect("what somebody put there is allowed");

    let record = ends_with(curfew, &id, &["Revoked", "DriftFound", "DriftRemoved"]).await;
    assert_found(&record, Drift::Leftover, DriftResponse::Remove);
    assert_ended(curfew, &record, "revoked").await;
    assert_bare(&world.root(), &person.principal).await;
    assert_denied(person.keys.object(&world.acme().bucket()).await);
    let lines = told(world, curfew, &person, &policy_of(&id)).await;
    assert_eq!((&lines[0]["grant.id"], &lines[0]["done"]), (&json!(id), &json!("removed")), "{lines:?}");
    assert!(is_counted(world, curfew, "DriftFound").await && is_counted(world, curfew, "DriftRemoved").await);
}

#[tokio::test]
async fn a_live_grant_that_somebody_cut_off_is_ended() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Watchful).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    delete(&world.root(), &person, &policy_of(&id)).await;

    let record = ends_with(curfew, &id, &["DriftFound", "RevocationRequested", "Revoked"]).await;
    assert_found(&record, Drift::Missing, DriftResponse::Close);
    assert_ended(curfew, &record, "revoked").await;
    assert!(!curfew.has_schedule(&id).await, "nothing is left of it");
    let lines = told(world, curfew, &person, &policy_of(&id)).await;
    assert_eq!((&lines[0]["grant.id"], &lines[0]["done"]), (&json!(id), &json!("ended")), "{lines:?}");
}

#[tokio::test]
async fn a_live_grant_that_somebody_widened_is_ended() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Watchful).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    put(&world.root(), &person, &policy_of(&id), &for_ever(world)).await;

    let record = ends_with(curfew, &id, &["DriftFound", "RevocationRequested", "Revoked"]).await;
    assert_found(&record, Drift::Edited, DriftResponse::Close);
    assert_bare(&world.root(), &person.principal).await;
    assert_denied(person.keys.object(&world.acme().bucket()).await);
}

/// Through the agent role, in an account that Curfew has no right in of its own.
#[tokio::test]
async fn a_grant_in_a_tenants_account_that_somebody_cut_off_is_ended() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Watchful).await;
    let person = world.person_abroad().await;
    let id = curfew.grant(&Approval::of(&person, "globex", "reader")).await;
    let root = world.root_of(world.globex().account());
    delete(&root, &person, &policy_of(&id)).await;

    let record = ends_with(curfew, &id, &["DriftFound", "RevocationRequested", "Revoked"]).await;
    assert_found(&record, Drift::Missing, DriftResponse::Close);
    assert_bare(&root, &person.principal).await;
}

#[tokio::test]
async fn what_somebody_took_or_edited_is_put_back_where_that_is_configured() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Restoring).await;
    let (cut_off, widened) = (world.person().await, world.person().await);
    let mut ids = Vec::new();
    for person in [&cut_off, &widened] {
        ids.push(curfew.grant(&Approval::of(person, "acme", "reader")).await);
    }
    delete(&world.root(), &cut_off, &policy_of(&ids[0])).await;
    put(&world.root(), &widened, &policy_of(&ids[1]), &for_ever(world)).await;

    for (id, person, drift) in [(&ids[0], &cut_off, Drift::Missing), (&ids[1], &widened, Drift::Edited)] {
        let record = ends_with(curfew, id, &["Activated", "DriftFound", "Activated"]).await;
        assert_found(&record, drift, DriftResponse::Restore);
        assert_eq!(record.state(), "active");
        let there = world.root().inline_policy(&person.principal, &policy_of(id)).await;
        assert_eq!(there, Ok(document(&record)), "as the ledger says, to the letter");
        person.keys.object(&world.acme().bucket()).await.expect("what was approved is allowed again");
        assert!(curfew.has_schedule(id).await, "and still ends");
    }
}

#[tokio::test]
async fn what_curfew_did_not_make_is_told_and_never_touched() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Watchful).await;
    let (root, person) = (world.root(), world.person().await);
    let (unknown, managed) = (format!("curfew-g-{}", "z".repeat(26)), world.auditor_policy(world.acme()));
    // Somebody else's; one under a name like Curfew's; a managed policy that roles of Curfew's give, by hand;
    // and what another Curfew gave, which is alive and well.
    put(&root, &person, "their-own", &for_ever(world)).await;
    put(&root, &person, &unknown, &for_ever(world)).await;
    let parameters = [("UserName", name_of(&person)), ("PolicyArn", &managed)];
    root.query("iam", "AttachUserPolicy", &parameters).await.expect("an attachment");
    let other = world.curfew(Flavour::Scheduler).await.grant(&Approval::of(&person, "acme", "reader")).await;

    sweeping(curfew, "everything strange is told", async || {
        for policy in [&unknown, &managed, &policy_of(&other)] {
            if told(world, curfew, &person, policy).await.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
    for policy in [&unknown, &managed, &policy_of(&other)] {
        let lines = told(world, curfew, &person, policy).await;
        let [line] = lines.as_slice() else { panic!("told once: {lines:?}") };
        assert_eq!((&line["done"], &line["grant.id"]), (&json!("told"), &json!("")), "{line}");
        let message = line["message"].as_str().unwrap_or_default();
        assert!(message.contains("left alone") && message.contains("by hand"), "{message}");
    }
    assert_eq!(told(world, curfew, &person, "their-own").await, [] as [Value; 0]);

    let mut inline = root.inline_policies(&person.principal).await.expect("a listing");
    inline.sort();
    let mut expected = vec!["their-own".to_owned(), unknown, policy_of(&other)];
    expected.sort();
    assert_eq!(inline, expected, "all of it is still there");
    assert_eq!(root.attached_policies(&person.principal).await, Ok(vec![managed]));
}
