//! Deliveries that are not believed: refused before anything is read, and nothing is written, for whoever can reach the
//! endpoint could otherwise fill the ledger.

use curfew_cli::artifacts::Function;
use curfew_cli::http::{Reply, send};
use curfew_cli::seed::webhook_secret_value;
use curfew_cli::webhook::{Delivery, SigningSecret};
use curfew_tests::curfew::{SOURCE, fresh_delivery};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Flavour, Person, now, world};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Heard, Wired, event, is_allowed, ledger_size, operator};

type Headers = Vec<(String, String)>;

/// A secret of the sources that this test makes besides.
fn another_secret() -> SigningSecret {
    SigningSecret::generate().expect("a secret")
}

fn with(headers: &Headers, name: &str, value: &str) -> Headers {
    let mut changed = without(headers, name);
    changed.push((name.to_owned(), value.to_owned()));
    changed
}

fn without(headers: &Headers, name: &str) -> Headers {
    headers.iter().filter(|(key, _)| key != name).cloned().collect()
}

fn code(reply: &Reply) -> String {
    reply.json()["type"].as_str().unwrap_or_default().trim_start_matches("urn:curfew:problem:").to_owned()
}

async fn post(url: &str, headers: &Headers, body: &[u8]) -> Reply {
    send(Method::POST, url, headers, body).await.expect("an answer of the HTTP API")
}

#[tokio::test]
async fn who_is_not_believed_leaves_no_trace_in_the_ledger() {
    let world = world().await;
    let curfew = world.deploy("deliveries", &[("DriftMinutes", "0")], &[]).await;
    let other = another_secret();
    let secrets =
        json!({ SOURCE: { "current": curfew.secret().reveal() }, "jira": { "current": other.reveal() } });
    let secret_id = curfew.output("WebhookSecretName");
    webhook_secret_value(world.stack(), secret_id, &secrets.to_string()).await.expect("secrets");

    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let body = approval.body().to_string();
    let sign = |secret: &SigningSecret, at, body: &str| -> Delivery {
        secret.sign(&fresh_delivery(), at, body.as_bytes()).expect("a signature")
    };
    let good = sign(curfew.secret(), now(), &body);
    let (headers, old) = (good.headers(), sign(curfew.secret(), later(now(), -400), &body));
    let forged = sign(&other, now(), &body);
    let new_time = now().as_second() + 7;
    let changed = body.replace("the orders", "The orders");
    let itsm = curfew.url();
    let at = |source: &str| format!("{}{source}", curfew.output("WebhookUrl"));
    let base64 = good.signature.trim_start_matches("v1,");
    let large = format!(r#"{{"type":"access.approved","justification":"{}"}}"#, "x".repeat(1 << 20));
    let signed_large = sign(curfew.secret(), now(), &large);

    let plain = vec![("content-type".to_owned(), "application/json".to_owned())];
    let id_of_another = with(&headers, "webhook-id", "msg_of_another");
    #[rustfmt::skip]
    let cases: Vec<(&str, String, Headers, &str, u16, &str)> = vec![
        ("no header at all", itsm.clone(), plain.clone(), &body, 401, "unverified"),
        ("no id", itsm.clone(), without(&headers, "webhook-id"), &body, 401, "unverified"),
        ("no timestamp", itsm.clone(), without(&headers, "webhook-timestamp"), &body, 401, "unverified"),
        ("no signature", itsm.clone(), without(&headers, "webhook-signature"), &body, 401, "unverified"),
        ("an empty signature", itsm.clone(), with(&headers, "webhook-signature", "v1,"), &body, 401, "unverified"),
        ("a signature without its version", itsm.clone(), with(&headers, "webhook-signature", base64), &body, 401, "unverified"),
        ("a signature of an unknown version", itsm.clone(), with(&headers, "webhook-signature", &format!("v2,{base64}")), &body, 401, "unverified"),
        ("half a signature", itsm.clone(), with(&headers, "webhook-signature", &format!("v1,{}", &base64[..22])), &body, 401, "unverified"),
        ("another's secret", itsm.clone(), forged.headers(), &body, 401, "unverified"),
        ("another source's path", at("jira"), headers.clone(), &body, 401, "unverified"),
        ("an unknown source", at("nobody"), headers.clone(), &body, 401, "unverified"),
        ("a source that is no name", at("%2e%2e"), headers.clone(), &body, 401, "unverified"),
        ("too old", itsm.clone(), old.headers(), &body, 401, "unverified"),
        ("from the future", itsm.clone(), sign(curfew.secret(), later(now(), 400), &body).headers(), &body, 401, "unverified"),
        ("captured, with a new timestamp", itsm.clone(), with(&old.headers(), "webhook-timestamp", &new_time.to_string()), &body, 401, "unverified"),
        ("captured, with a new id", itsm.clone(), id_of_another, &body, 401, "unverified"),
        ("a timestamp that is none", itsm.clone(), with(&headers, "webhook-timestamp", "now"), &body, 401, "unverified"),
        ("a timestamp before time", itsm.clone(), with(&headers, "webhook-timestamp", "-1"), &body, 401, "unverified"),
        ("an id with a line break's code", itsm.clone(), with(&headers, "webhook-id", "msg%0Alevel=info"), &body, 401, "unverified"),
        ("a changed letter", itsm.clone(), headers.clone(), &changed, 401, "unverified"),
        ("a body cut off", itsm.clone(), headers.clone(), &body[..body.len() - 1], 401, "unverified"),
        ("a megabyte, unsigned", itsm.clone(), plain.clone(), &large, 413, "too-large"),
        ("a megabyte, signed", itsm.clone(), signed_large.headers(), &large, 413, "too-large"),
        ("not said to be JSON", itsm.clone(), with(&headers, "content-type", "text/plain"), &body, 415, "unsupported-media-type"),
    ];
    for (name, url, headers, body, status, expected) in &cases {
        let reply = post(url, headers, body.as_bytes()).await;
        assert_eq!((reply.status, code(&reply).as_str()), (*status, *expected), "{name}: {}", reply.text());
        assert_eq!(ledger_size(&curfew).await, 0, "{name}");
    }
    // The API itself knows no other path or method.
    for (method, url) in [
        (Method::GET, itsm.clone()),
        (Method::PUT, itsm.clone()),
        (Method::POST, at("")),
        (Method::POST, at("a/b")),
    ] {
        let reply = send(method.clone(), &url, &headers, body.as_bytes()).await.expect("an answer");
        assert_eq!(reply.status, 404, "{method} {url}: {}", reply.text());
    }
    assert_eq!(ledger_size(&curfew).await, 0);
    assert!(!is_allowed(world, &person).await);

    let log = curfew.deployment().log(world.stack(), Function::Grant).await.expect("a log");
    for reason in
        ["header-missing", "header-invalid", "signature-mismatch", "unknown-source", "too-old", "in-future"]
    {
        assert!(log.iter().any(|line| line.contains(reason)), "the log tells operators: {reason}");
    }
    let hidden = [curfew.secret().reveal(), other.reveal()].map(|secret| secret.trim_start_matches("whsec_"));
    let leaked =
        log.iter().find(|line| line.contains(base64) || hidden.iter().any(|hidden| line.contains(hidden)));
    assert_eq!(leaked, None, "neither secrets nor signatures are logged");

    // It was good all the time.
    let reply =
        post(&itsm, &with(&headers, "webhook-signature", &format!("v1,AAAA v1,{base64}")), body.as_bytes())
            .await;
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// Who captured a delivery can send it again while it is fresh; that changes nothing, be the access there or revoked.
#[tokio::test]
async fn a_replay_changes_nothing() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let body = Approval::of(&person, "acme", "reader").body().to_string();
    let delivery = curfew.secret().sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature");
    let first = delivery.post(&curfew.url()).await.expect("an answer");
    assert_eq!(first.status, 201, "{}", first.text());
    let id = first.json()["grant_id"].as_str().expect("a grant's id").to_owned();
    let before = curfew.items(&format!("GRANT#{id}")).await;

    let again = delivery.post(&curfew.url()).await.expect("an answer");
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)), "{}", again.text());
    assert_eq!(again.json()["grant_id"], json!(id));
    assert_eq!(curfew.items(&format!("GRANT#{id}")).await, before);

    let revoked = curfew.invoke(Function::Revoke, &operator(&id)).await;
    assert_eq!(revoked.payload["ok"], true, "{revoked:?}");
    let again = delivery.post(&curfew.url()).await.expect("an answer");
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("closed")), "{}", again.text());
    assert!(!is_allowed(world, &person).await, "a replay revives nothing");
}

/// Secrets as operators get them wrong, and a rotation as it is documented. A process reads them once, so each case is a
/// process of its own.
#[tokio::test]
async fn without_a_usable_secret_nobody_is_believed_and_two_are_valid_while_they_rotate() {
    let world = world().await;
    let curfew = world.deploy("secrets", &[("DriftMinutes", "0")], &[]).await;
    let (old, new) = (another_secret(), another_secret());
    let person = world.person().await;

    let unusable = ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "changeme"];
    for text in unusable {
        let value = json!({ SOURCE: { "current": text } }).to_string();
        let heard = hear(&curfew, &value, &person, &old).await;
        assert_eq!((heard.status, heard.code()), (503, Some("secrets-invalid")), "{text:?}: {heard:?}");
        if !text.is_empty() {
            assert!(!heard.body.to_string().contains(text), "the reply shows the secret: {heard:?}");
        }
    }
    // The first is as the template makes it: nobody is a source yet.
    for value in ["{}", " ", "not json", "[]", "{\"itsm\":{}}", "{\"itsm\":\"whsec_x\"}"] {
        let heard = hear(&curfew, value, &person, &old).await;
        assert_eq!((heard.status, heard.code()), (503, Some("secrets-invalid")), "{value:?}: {heard:?}");
    }
    // Whoever signs with the empty key is not believed by a secret that is empty.
    let body = Approval::of(&person, "acme", "reader").body().to_string();
    if let Ok(forged) = SigningSecret::from("whsec_".to_owned()).sign("msg_empty", now(), body.as_bytes()) {
        for value in ["{}".to_owned(), json!({ SOURCE: { "current": "whsec_" } }).to_string()] {
            let heard = deliver(&curfew, &value, &forged).await;
            assert_eq!((heard.status, heard.code()), (503, Some("secrets-invalid")), "{heard:?}");
        }
    }
    assert_eq!(ledger_size(&curfew).await, 0);

    let rotating = json!({ SOURCE: { "current": new.reveal(), "previous": old.reveal() } }).to_string();
    for secret in [&old, &new] {
        assert_eq!(hear(&curfew, &rotating, &person, secret).await.status, 201);
    }
    let rotated = json!({ SOURCE: { "current": new.reveal() } }).to_string();
    assert_eq!(hear(&curfew, &rotated, &person, &old).await.status, 401);
    assert_eq!(hear(&curfew, &rotated, &person, &new).await.status, 201);
}

/// What a sender with a secret hears of a function that was started with these secrets.
async fn hear(curfew: &Curfew, secrets: &str, person: &Person, secret: &SigningSecret) -> Heard {
    let body = Approval::of(person, "acme", "reader").body().to_string();
    deliver(curfew, secrets, &secret.sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature"))
        .await
}

async fn deliver(curfew: &Curfew, secrets: &str, delivery: &Delivery) -> Heard {
    let world = world().await;
    let secret_id = curfew.output("WebhookSecretName");
    webhook_secret_value(world.stack(), secret_id, secrets).await.expect("a secret's value");
    let grant = Wired::start(curfew, Function::Grant).await;
    Heard::of(&grant.invoke(&event(delivery)).await)
}

/// What the API would not let through, a function URL does.
#[tokio::test]
async fn other_paths_and_methods_are_told_so_before_anything_is_fetched() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let body = Approval::of(&person, "acme", "reader").body().to_string();
    let good = event(&curfew.secret().sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature"));
    let grant = Wired::start(curfew, Function::Grant).await;
    let changed = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("a member of the event") = value;
        event
    };
    let cases = [
        (changed("/rawPath", json!("/")), 404, "not-found"),
        (changed("/rawPath", json!("/webhooks/")), 404, "not-found"),
        (changed("/rawPath", json!("/webhooks/itsm/more")), 404, "not-found"),
        (changed("/rawPath", json!("//webhooks/itsm")), 404, "not-found"),
        (changed("/requestContext/http/method", json!("GET")), 405, "method-not-allowed"),
        (changed("/requestContext/http/method", json!("DELETE")), 405, "method-not-allowed"),
        (
            changed("/headers/content-type", json!("application/x-www-form-urlencoded")),
            415,
            "unsupported-media-type",
        ),
        (changed("/isBase64Encoded", json!(true)), 400, "malformed"),
        (changed("/body", json!("x".repeat(70_000))), 413, "too-large"),
    ];
    for (event, status, code) in cases {
        let heard = Heard::of(&grant.invoke(&event).await);
        assert_eq!((heard.status, heard.code()), (status, Some(code)), "{heard:?}");
    }
    assert_eq!(grant.proxy.take_calls().operations(), [""; 0], "nobody is asked on behalf of a stranger");
    assert_eq!(Heard::of(&grant.invoke(&good).await).status, 201);
}
