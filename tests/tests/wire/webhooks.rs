//! Webhooks that come twice, late, changed or in another order (P5), and tickets that close.

use curfew_cli::http::send;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::curfew::{SOURCE, fresh_delivery};
use curfew_tests::{Approval, Flavour, now, ticket_closed, world};
use http::Method;
use serde_json::{Value, json};

use crate::support::{STORY_OF_A_REVOCATION, assert_bare, assert_denied, assert_ended, assert_problem};

#[tokio::test]
async fn the_same_approval_again_changes_nothing_and_another_one_is_a_conflict() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let delivery = fresh_delivery();
    let first = curfew.post_as(&delivery, approval.body()).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let id = first.json()["grant_id"].clone();

    // A retry of the sender, and a new delivery of the old approval.
    for delivery in [delivery, fresh_delivery()] {
        let again = curfew.post_as(&delivery, approval.body()).await;
        assert_eq!(again.status, 200, "{}", again.text());
        assert_eq!(again.json()["duplicate"], true);
        assert_eq!(again.json()["grant_id"], id);
        assert_eq!(again.json()["state"], "active");
    }
    let changed = approval.clone().with("justification", json!("and now for something else"));
    let conflict = curfew.approve(&changed).await;
    assert_problem(&conflict, 409, "conflict");
    assert_eq!(conflict.json()["grant_id"], id);

    let id = id.as_str().expect("a grant's id");
    let policies = world.root().inline_policies(&person.principal).await;
    assert_eq!(policies, Ok(vec![format!("curfew-{id}")]));
    let record = curfew.record(id).await.expect("a grant");
    assert_eq!(record.story(), ["Requested", "Opened", "Activated"]);

    // What became of it is told even after its end.
    curfew.post(&ticket_closed(approval.ticket_id())).await;
    let late = curfew.approve(&approval).await;
    assert_eq!(late.status, 200, "{}", late.text());
    assert_eq!((&late.json()["state"], &late.json()["outcome"]), (&json!("closed"), &json!("revoked")));
    assert_bare(&world.root(), &person.principal).await;
}

#[tokio::test]
async fn deliveries_at_the_same_moment_make_one_grant() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let (a, b, c) =
        tokio::join!(curfew.approve(&approval), curfew.approve(&approval), curfew.approve(&approval));
    let mut created = 0;
    for reply in [&a, &b, &c] {
        match reply.status {
            201 => created += 1,
            200 => assert_eq!(reply.json()["duplicate"], true),
            // It found the first one at work, and is told to come again.
            503 => assert_problem(reply, 503, "try-again"),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!(created, 1);
    let links = curfew.items(&format!("TICKET#{}", approval.ticket_id())).await;
    assert_eq!(links.len(), 1, "{links:?}");
    assert_eq!(world.root().inline_policies(&person.principal).await.map(|names| names.len()), Ok(1));
}

#[tokio::test]
async fn a_closed_ticket_ends_all_that_it_justified_and_stays_closed() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let (ann, bob) = (world.person().await, world.person().await);
    let ticket = fresh_ticket();
    let reader = Approval::of(&ann, "acme", "reader").ticket(&ticket);
    let table = Approval::of(&ann, "acme", "table-reader").ticket(&ticket);
    let other = Approval::of(&bob, "acme", "reader").ticket(&ticket);
    let elsewhere = Approval::of(&ann, "acme", "reader");
    let mut ids = Vec::new();
    for approval in [&reader, &table, &other] {
        ids.push(curfew.grant(approval).await);
    }
    let kept = curfew.grant(&elsewhere).await;

    let closed = curfew.post(&ticket_closed(&ticket)).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    let body = closed.json();
    let results: Vec<&Value> =
        body["grants"].as_array().into_iter().flatten().map(|grant| &grant["result"]).collect();
    assert_eq!(results, ["removed"; 3]);
    for id in &ids {
        let record = curfew.record(id).await.expect("a grant");
        assert_eq!(record.story(), STORY_OF_A_REVOCATION);
        assert_eq!(record.item["grant"]["state"]["proof"]["found"], "deleted");
        assert_ended(curfew, &record, "revoked").await;
        assert!(!curfew.has_schedule(id).await);
    }
    let policies = world.root().inline_policies(&ann.principal).await;
    assert_eq!(policies, Ok(vec![format!("curfew-{kept}")]));
    assert_denied(bob.keys.object(&world.acme().bucket()).await);

    let again = curfew.post(&ticket_closed(&ticket)).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(again.json()["grants"].as_array().into_iter().flatten().all(|g| g["result"] == "already-closed"));
    let late = curfew.approve(&Approval::of(&bob, "acme", "table-reader").ticket(&ticket)).await;
    assert_problem(&late, 409, "ticket-closed");
    assert_bare(&world.root(), &bob.principal).await;
}

#[tokio::test]
async fn an_approval_that_comes_after_its_tickets_end_is_refused() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let ticket = fresh_ticket();
    let closed = curfew.post(&ticket_closed(&ticket)).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    assert_eq!(closed.json()["grants"], json!([]));
    let late = curfew.approve(&Approval::of(&person, "acme", "auditor").ticket(&ticket)).await;
    assert_problem(&late, 409, "ticket-closed");
    assert_eq!(world.root().attached_policies(&person.principal).await, Ok(vec![]));
    let items = curfew.items(&format!("TICKET#{ticket}")).await;
    assert_eq!(items.len(), 1, "the mark alone, and no grant: {items:?}");
}

/// A function URL sends what has no JSON content type as base64.
#[tokio::test]
async fn the_function_url_takes_webhooks_too() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let host = curfew.output("FunctionUrl").trim_start_matches("https://").split('.').next().expect("a host");
    let url = format!("{}/_aws/lambda-url/{host}/webhooks/{SOURCE}", world.stack().endpoint());
    let approval = Approval::of(&person, "acme", "reader");
    let body = approval.body().to_string();
    let signed = curfew.secret().sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature");
    let headers = signed.headers().into_iter().filter(|(name, _)| name != "content-type").collect::<Vec<_>>();
    let reply = send(Method::POST, &url, &headers, body.as_bytes()).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    person.keys.object(&world.acme().bucket()).await.expect("what was approved is allowed");
}
