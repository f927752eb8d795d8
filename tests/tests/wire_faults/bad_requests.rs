//! Approvals of a sender that is believed, and that must not be granted: told why, and what to do; those that could be
//! read are written down under their ticket as denied. Over the real HTTP API.

use std::path::Path;

use curfew_cli::artifacts::Function;
use curfew_cli::http::Reply;
use curfew_cli::seed::TENANT_TAG;
use curfew_tests::curfew::fresh_delivery;
use curfew_tests::{Approval, Curfew, Flavour, now, world};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{assert_gone, grants_of, ledger_size};

/// Who and what the payloads speak of.
const CATALOG: &str = r#"
[tenant.acme-prod]
account = "000000000000"
region = "us-east-1"

[role.prod-readonly]
description = "What the payloads ask for"
permissions = ["read_bucket"]
max_duration = "4h"
default_duration = "1h"
eligible = ["engineering"]

[person."ana@example.com"]
groups = ["engineering"]
principals = ["arn:aws:iam::000000000000:user/ana"]

[person."bo@example.com"]

[person."ghost@example.test"]
groups = ["engineering"]
principals = ["arn:aws:iam::000000000000:user/ghost"]

[person."bare@example.test"]
groups = ["engineering"]
principals = ["arn:aws:iam::000000000000:user/bare"]
"#;

/// Payloads that are denied by a rule.
const DENIED: [(&str, u16, &str); 12] = [
    ("approved-backward-window", 422, "window-empty"),
    ("approved-no-approvals", 403, "no-approval"),
    ("approved-past-window", 422, "window-over"),
    ("approved-principal", 403, "principal-not-theirs"),
    ("approved-self-approval", 403, "self-approval"),
    ("approved-too-long-window", 422, "window-too-long"),
    ("approved-unknown-person", 403, "unknown-person"),
    ("approved-unknown-role", 422, "unknown-role"),
    ("approved-unknown-tenant", 422, "unknown-tenant"),
    ("break-glass", 403, "not-permitted-by-guardrails"),
    ("break-glass-with-approval", 403, "not-permitted-by-guardrails"),
    ("on-call", 403, "not-permitted-by-guardrails"),
];

/// Payloads that are granted.
const GRANTED: [&str; 9] = [
    "approved",
    "approved-basis-named",
    "approved-defaults",
    "approved-duration",
    "approved-duration-iso",
    "approved-offset-times",
    "approved-two-approvals",
    "approved-unicode-justification",
    "approved-upper-case-people",
];

/// Payloads that close a ticket, whatever else they say.
const CLOSING: [&str; 9] = [
    "ticket-closed",
    "ticket-closed-bidi-reason",
    "ticket-closed-blank-reason",
    "ticket-closed-long-reason",
    "ticket-closed-minimal",
    "ticket-closed-null-fields",
    "ticket-closed-objects",
    "ticket-closed-unknown-field",
    "ticket-closed-unusable-closer",
];

/// What the payloads' times were written for.
const WRITTEN_FOR: &str = "2026-11-21T09:00:00Z";

fn payloads() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads");
    let mut payloads = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the payloads") {
        let path = entry.expect("a payload").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_prefix("curfew-") {
            payloads.push((name.to_owned(), std::fs::read_to_string(&path).expect("a payload")));
        }
    }
    payloads.sort();
    payloads
}

/// The same with a ticket of its own, and all times as far from now as they were from [`WRITTEN_FOR`].
fn fresh(text: &str) -> Value {
    let then: Timestamp = WRITTEN_FOR.parse().expect("a time");
    let mut body: Value = serde_json::from_str(text).expect("a body that can be read");
    move_times(&mut body, now().duration_since(then));
    body["ticket"] = json!(curfew_tests::approval::fresh_ticket());
    body
}

fn move_times(value: &mut Value, by: SignedDuration) {
    match value {
        Value::String(text) => {
            if let Ok(moved) = text.parse::<Timestamp>().and_then(|time| time.checked_add(by)) {
                *value = json!(moved);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| move_times(value, by)),
        Value::Object(fields) => fields.values_mut().for_each(|value| move_times(value, by)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn post_text(curfew: &Curfew, body: &str) -> Reply {
    let delivery = curfew.secret().sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature");
    delivery.post(&curfew.url()).await.expect("an answer of the HTTP API")
}

fn assert_problem(name: &str, reply: &Reply, status: u16, code: &str) {
    let body = reply.json();
    assert_eq!(reply.status, status, "{name}: {body}");
    assert_eq!(body["type"], format!("urn:curfew:problem:{code}"), "{name}: {body}");
    assert_eq!(body["status"], status, "{name}: {body}");
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{name}");
    for member in ["title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: no {member}: {body}");
    }
}

/// The denials that are written down under a ticket.
async fn denials(curfew: &Curfew, ticket: &str) -> Vec<Value> {
    let items = curfew.items(&format!("TICKET#{ticket}")).await;
    items.into_iter().filter(|item| item["type"] == "Denied").collect()
}

#[tokio::test]
async fn every_payload_is_answered_as_documented_and_leaves_what_it_should() {
    let world = world().await;
    let curfew = world.deploy("requests", &[("DriftMinutes", "0")], &[("payloads.toml", CATALOG)]).await;
    let boundary = world.acme().boundary_arn();
    let ana = [
        ("UserName", "ana"),
        ("PermissionsBoundary", &*boundary),
        ("Tags.member.1.Key", TENANT_TAG),
        ("Tags.member.1.Value", world.acme().name()),
    ];
    world.root().query("iam", "CreateUser", &ana).await.expect("a user");

    let mut malformed = 0;
    for (name, text) in payloads() {
        let before = ledger_size(&curfew).await;
        if let Some((_, status, code)) = DENIED.iter().find(|(denied, ..)| *denied == name) {
            let body = fresh(&text);
            let ticket = body["ticket"].as_str().expect("a ticket").to_owned();
            let mut first = Value::Null;
            for delivery in 1..=2 {
                let reply = post_text(&curfew, &body.to_string()).await;
                assert_problem(&name, &reply, *status, code);
                assert!(reply.json()["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{name}");
                let written = denials(&curfew, &ticket).await;
                let [denied] = written.as_slice() else { panic!("{name}: delivery {delivery}: {written:?}") };
                assert_eq!(denied["code"], *code, "{name}");
                if delivery == 1 {
                    first = reply.json()["detail"].clone();
                }
                assert_eq!(denied["reason"], first, "{name}");
                assert_eq!(denied["person"], body["requester"], "{name}");
            }
            assert_eq!(
                ledger_size(&curfew).await,
                before + 1,
                "{name}: a denial is one item, however often it comes"
            );
        } else if GRANTED.contains(&&*name) {
            let body = fresh(&text);
            let reply = post_text(&curfew, &body.to_string()).await;
            assert_eq!(reply.status, 201, "{name}: {}", reply.text());
            assert!(ledger_size(&curfew).await > before, "{name}");
        } else if CLOSING.contains(&&*name) {
            let reply = post_text(&curfew, &fresh(&text).to_string()).await;
            assert_eq!(
                (reply.status, &reply.json()["state"]),
                (200, &json!("closed")),
                "{name}: {}",
                reply.text()
            );
        } else {
            malformed += 1;
            let reply = post_text(&curfew, &text).await;
            assert_problem(&name, &reply, 400, "malformed");
            let problems = reply.json()["errors"].as_array().map_or(0, Vec::len);
            assert!(problems > 0, "{name}: {}", reply.text());
            assert_eq!(ledger_size(&curfew).await, before, "{name}: what can't be read is not written down");
        }
    }
    assert!(malformed > 35, "{malformed} payloads are malformed");
    let log = curfew.deployment().log(world.stack(), Function::Grant).await.expect("a log");
    assert!(log.iter().any(|line| line.contains("is malformed")), "the log says what was refused");
    assert_quiet(&curfew, &log);
}

/// Neither a secret nor what it made is in the log.
fn assert_quiet(curfew: &Curfew, log: &[String]) {
    let secret = curfew.secret().reveal().trim_start_matches("whsec_");
    assert!(!log.iter().any(|line| line.contains(secret) || line.contains("v1,")), "a secret is in the log");
}

/// What only AWS can know, or the catalog.
#[tokio::test]
async fn access_that_cannot_be_given_is_refused_with_what_to_do() {
    let world = world().await;
    let curfew = world.deploy("refusals", &[("DriftMinutes", "0")], &[("payloads.toml", CATALOG)]).await;
    let tag = [("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", world.acme().name())];
    let bare: Vec<_> = [("UserName", "bare")].into_iter().chain(tag).collect();
    world.root().query("iam", "CreateUser", &bare).await.expect("a user");
    let person = world.person().await;
    let of = |email: &str| Approval::of(&person, "acme", "reader").with("requester", json!(email));

    // IAM looks at the boundary's condition first: who is not there has none.
    let cases = [
        ("principal missing in AWS", of("ghost@example.test"), "arn:aws:iam::000000000000:user/ghost"),
        ("principal without a boundary", of("bare@example.test"), "arn:aws:iam::000000000000:user/bare"),
    ];
    for (name, approval, _) in &cases {
        let reply = curfew.approve(approval).await;
        assert_problem(name, &reply, 422, "not-permitted");
        let body = reply.json();
        assert!(
            body["remedy"].as_str().is_some_and(|remedy| remedy.contains("permissions boundary")),
            "{name}: {body}"
        );
        let [id] = grants_of(&curfew, approval).await.try_into().expect("one grant");
        let record = curfew.record(&id).await.expect("a grant");
        let closed = (record.state(), &record.item["grant"]["state"]["outcome"]);
        assert_eq!(closed, ("closed", &json!("failed")), "{name}");
        assert!(!curfew.has_schedule(&id).await, "{name}: the timer is left");
        record.verify();
        // Nothing has changed, so neither does the answer; each try is on record, up to a bound.
        assert_problem(name, &curfew.approve(approval).await, 422, "not-permitted");
        assert_eq!(grants_of(&curfew, approval).await.len(), 2, "{name}");
    }
    // With the boundary on, the very same approval is granted.
    let boundary = world.acme().boundary_arn();
    let bind = [("UserName", "bare"), ("PermissionsBoundary", &*boundary)];
    world.root().query("iam", "PutUserPermissionsBoundary", &bind).await.expect("a boundary");
    let [_, (_, approval, principal)] = &cases;
    let reply = curfew.approve(approval).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(world.root().inline_policies(principal).await.map(|policies| policies.len()), Ok(1));

    let before = ledger_size(&curfew).await;
    let too_large = Approval::of(&person, "acme", "too-large");
    let reply = curfew.approve(&too_large).await;
    assert_problem("policy too large", &reply, 422, "policy-too-large");
    assert!(
        reply.json()["detail"].as_str().is_some_and(|detail| detail.contains("2048")),
        "{}",
        reply.text()
    );
    assert_eq!(denials(&curfew, too_large.ticket_id()).await.len(), 1);
    assert_eq!(ledger_size(&curfew).await, before + 1, "the denial alone is written");
}

/// A try that failed may be tried again, but not for ever: a sender that never gives up fills no ledger.
#[tokio::test]
async fn an_approval_that_always_fails_is_given_up() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let name = person.principal.rsplit('/').next().unwrap_or_default();
    world
        .root()
        .query("iam", "DeleteUserPermissionsBoundary", &[("UserName", name)])
        .await
        .expect("no boundary");
    let approval = Approval::of(&person, "acme", "reader");
    let mut replies = Vec::new();
    for _ in 0..10 {
        let reply = curfew.approve(&approval).await;
        replies.push(
            reply.json()["type"]
                .as_str()
                .unwrap_or_default()
                .trim_start_matches("urn:curfew:problem:")
                .to_owned(),
        );
    }
    let expected: Vec<&str> =
        std::iter::repeat_n("not-permitted", 8).chain(["too-many-attempts"; 2]).collect();
    assert_eq!(replies, expected);
    let ids = grants_of(curfew, &approval).await;
    assert_eq!(ids.len(), 8);
    for id in ids {
        assert_gone("given up", curfew, &person, &id, "failed").await;
    }
}
