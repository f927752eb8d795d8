//! Deliveries that are not believed, not granted or not answered.

use curfew_cli::artifacts::Function;
use curfew_cli::stack::ACCOUNT;
use curfew_cli::webhook::SigningSecret;
use curfew_tests::curfew::{SOURCE, fresh_delivery};
use curfew_tests::{Approval, now};
use serde_json::{Value, json};

use super::document::template;
use super::page::Page;
use super::watch::{Alarm, Query, lines, values};
use super::{Turn, YOU, turn};
use crate::support::{Heard, Wired, assert_gone, event, operator};

impl Turn {
    /// Delivers something as its source would, signed by a secret, to a function that has not seen one before.
    async fn deliver(&self, grant: &Wired, secret: &SigningSecret, body: &Value) -> Heard {
        let body = body.to_string();
        let signed = secret.sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature");
        Heard::of(&grant.invoke(&event(&signed)).await)
    }

    async fn set_secret(&self, value: &str) {
        let id = self.curfew.output("WebhookSecretName");
        let put = ["secretsmanager", "put-secret-value", "--secret-id", id, "--secret-string", value];
        self.world.command_line(ACCOUNT).run(put).await.expect("a secret that is written");
    }
}

#[tokio::test]
async fn a_secret_that_was_changed_on_one_side_is_told_by_source_and_rotated() {
    let turn = turn().await;
    let person = turn.world.person().await;
    let new = SigningSecret::generate().expect("a secret");
    let grant = turn.wired(Function::Grant).await;
    for _ in 0..5 {
        let heard = turn.deliver(&grant, &new, Approval::of(&person, "acme", "reader").body()).await;
        assert_eq!(heard.status, 401, "{heard:?}");
    }
    let told = lines(&grant.lambda.log().expect("a log"));
    let alarm = Alarm::of("SignaturesFailing");
    assert!(alarm.trips(&told) && !alarm.is_beyond(4.0), "{told:#?}");
    assert!(told.iter().any(|line| line["SignatureFailures"] == 1 && line["Source"] == SOURCE), "{told:#?}");
    Query::saved("SignatureFailuresBySource").assert_finds(&told, &[]);

    let page = Page::of("SignaturesFailing");
    page.run("First look", turn.curfew, &[]).await;
    let seen = page.first_look(&grant.lambda.log().expect("a log")).join("\n");
    assert!(seen.contains(SOURCE) && seen.contains("signature-mismatch"), "{seen}");
    let filled = [("source", SOURCE), ("new", new.reveal()), ("old", turn.curfew.secret().reveal())];
    page.run("Remedy", turn.curfew, &filled).await;
    let grant = turn.wired(Function::Grant).await;
    for secret in [&new, turn.curfew.secret()] {
        let heard = turn.deliver(&grant, secret, Approval::of(&person, "acme", "reader").body()).await;
        assert!([200, 201, 409].contains(&heard.status), "{heard:?}");
    }
    assert!(!alarm.trips(&lines(&grant.lambda.log().expect("a log"))));
}

#[tokio::test]
async fn many_denials_are_told_with_their_reasons_and_a_person_with_their_day() {
    let turn = turn().await;
    let person = turn.world.person().await;
    let (grant, revoke) = (turn.wired(Function::Grant).await, turn.wired(Function::Revoke).await);
    for _ in 0..9 {
        let unknown = Approval::of(&person, "acme", "reader").with("requester", json!("nobody@example.test"));
        assert_eq!(grant.approve(turn.curfew, &unknown).await.status, 403);
    }
    let wrong = Approval::of(&person, "acme", "no-such-role");
    assert_eq!(grant.approve(turn.curfew, &wrong).await.code(), Some("unknown-role"));
    let unread = turn.deliver(&grant, turn.curfew.secret(), &json!({ "no": "approval" })).await;
    assert_eq!(unread.code(), Some("malformed"), "{unread:?}");
    let log = grant.lambda.log().expect("a log");
    let denials = lines(&log);
    let alarm = Alarm::of("DenialsSpiking");
    assert_eq!(alarm.expression(), "IF(denied >= 10 AND denied > FILL(granted, 0), denied, 0)");
    let denied: f64 = values(&denials, "Denied").iter().sum();
    assert!(
        denied >= 10.0 && values(&denials, "Activated").is_empty() && alarm.is_beyond(denied),
        "{denials:#?}"
    );
    for query in ["DenialsByReason", "LatestDenials"] {
        Query::saved(query).assert_finds(&denials, &[]);
    }

    let page = Page::of("DenialsSpiking");
    page.run("First look", turn.curfew, &[]).await;
    let seen = lines(&page.first_look(&log).join("\n"));
    for code in ["unknown-person", "unknown-role", "malformed"] {
        let of_source = |line: &&Value| line["code"] == code && line["source"] == SOURCE;
        assert!(seen.iter().any(|line| of_source(&line)), "{code}: {seen:#?}");
    }
    let heard = grant.approve(turn.curfew, &Approval::of(&person, "acme", "reader")).await;
    let id = heard.body["grant_id"].as_str().expect("a grant").to_owned();
    let seen = page.run("Remedy", turn.curfew, &[("person", &person.email), YOU]).await;
    assert_eq!(seen[0]["grants"][0]["result"], "would-end", "{seen:?}");

    // The other saved queries, on what a grant's whole life leaves.
    let ended = revoke.invoke(&operator(&id)).await;
    assert_eq!(ended.payload["ok"], true, "{ended:?}");
    let mut all = lines(&grant.lambda.log().expect("a log"));
    all.extend(lines(&revoke.lambda.log().expect("a log")));
    Query::saved("OneGrantsStory").assert_finds(&all, &[("g-REPLACE-BY-THE-GRANTS-ID", &id)]);
    Query::saved("OnePersonsDay").assert_finds(&all, &[("REPLACE@example.com", &person.email)]);
    Query::saved("SlowestRevocations").assert_finds(&all, &[]);
}

#[tokio::test]
async fn a_secret_that_can_not_be_used_is_put_right_and_deliveries_are_answered() {
    let turn = turn().await;
    let person = turn.world.person().await;
    turn.set_secret(&json!({ SOURCE: { "current": "no secret at all" } }).to_string()).await;
    let grant = turn.wired(Function::Grant).await;
    let approval = Approval::of(&person, "acme", "reader");
    let heard = grant.approve(turn.curfew, &approval).await;
    assert_eq!((heard.status, heard.code()), (503, Some("secrets-invalid")), "{heard:?}");
    for (alarm, namespace, metric) in [
        ("WebhooksUnanswered", "AWS/ApiGateway", "5xx"),
        ("FunctionUrlUnanswered", "AWS/Lambda", "Url5xxCount"),
    ] {
        let alarm = Alarm::of(alarm);
        alarm.watches(namespace, metric);
        assert!(alarm.is_beyond(1.0) && !alarm.is_beyond(0.0));
    }

    let page = Page::of("WebhooksUnanswered");
    let log = grant.lambda.log().expect("a log");
    for page in [&page, &Page::of("FunctionUrlUnanswered")] {
        page.run("First look", turn.curfew, &[]).await;
        let seen = lines(&page.first_look(&log).join("\n"));
        assert!(seen.iter().any(|line| line["code"] == "secrets-invalid"), "{log}");
    }
    // A grant whose ticket's closing was not answered.
    let waiting = Approval::of(&person, "acme", "table-reader");
    let secret = turn.curfew.secret().reveal();
    let filled = [("source", SOURCE), ("new", secret), ("ticket", waiting.ticket_id()), YOU];
    turn.set_secret(&json!({ SOURCE: { "current": secret } }).to_string()).await;
    let grant = turn.wired(Function::Grant).await;
    let id =
        grant.approve(turn.curfew, &waiting).await.body["grant_id"].as_str().expect("a grant").to_owned();
    turn.set_secret("nothing that is JSON").await;

    let done = page.run("Remedy", turn.curfew, &filled).await;
    assert_eq!((&done[1]["ok"], &done[1]["grants"][0]["grant_id"]), (&json!(true), &json!(id)), "{done:?}");
    assert_gone("its ticket was closed", turn.curfew, &person, &id, "revoked").await;
    let again = Page::of("FunctionUrlUnanswered").run("Remedy", turn.curfew, &filled).await;
    assert_eq!(again[0]["grants"][0]["result"], "already-closed", "{again:?}");
    let grant = turn.wired(Function::Grant).await;
    let heard = grant.approve(turn.curfew, &approval).await;
    assert_eq!(heard.status, 201, "{heard:?}");
}

/// The HTTP API writes its own log; what a line of it has, the template says.
#[test]
fn the_query_on_the_apis_log_reads_what_the_api_writes() {
    let format =
        &template("template.yaml")["Resources"]["WebhookApi"]["Properties"]["AccessLogSettings"]["Format"];
    let mut line: Value = serde_json::from_str(format.as_str().expect("a format")).expect("JSON");
    line["status"] = json!("503");
    Query::saved("WebhooksWithoutSuccess").assert_finds(&[line], &[]);
}
