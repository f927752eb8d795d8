//! Evidence on the wire: what the ledger says is in the archive and on the bus, the archive is sealed by a key of KMS,
//! and what the real verifier makes of it.

use curfew_cli::artifacts::Function;
use curfew_tests::{Approval, Client, Curfew, ticket_closed, until, world};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::evidence::{Copy, PATIENCE, archived, deployed, sealed};
use crate::support::STORY_OF_A_REVOCATION;

static CURFEW: OnceCell<Curfew> = OnceCell::const_new();

/// A Curfew whose checkpoints need no waiting of minutes.
async fn curfew() -> &'static Curfew {
    CURFEW.get_or_init(|| deployed("curfew-evidence", &[])).await
}

/// A queue that hears whatever a rule on the bus lets through.
struct Ear {
    root: Client,
    url: String,
}

impl Ear {
    /// `pattern` is the rule's.
    async fn on(curfew: &Curfew, name: &str, pattern: &Value) -> Self {
        let root = world().await.root();
        let made = root.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": name })).await;
        let url = made.expect("a queue")["QueueUrl"].as_str().expect("its URL").to_owned();
        let attributes = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let asked =
            root.json("sqs", "AmazonSQS.GetQueueAttributes", &attributes).await.expect("its attributes");
        let bus = curfew.output("EventBusName");
        let rule = json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern.to_string() });
        root.json("events", "AWSEvents.PutRule", &rule).await.expect("a rule");
        let targets = json!([{ "Id": "queue", "Arn": asked["Attributes"]["QueueArn"] }]);
        let target = json!({ "Rule": name, "EventBusName": bus, "Targets": targets });
        root.json("events", "AWSEvents.PutTargets", &target).await.expect("a target");
        Self { root, url }
    }

    /// Hears what comes until there is something to be seen in all that came so far.
    async fn heard<T>(&self, what: &str, mut look: impl FnMut(&[Value]) -> Option<T>) -> T {
        let mut all: Vec<Value> = Vec::new();
        until(what, PATIENCE, async || {
            all.extend(received(&self.root, &self.url).await);
            look(&all)
        })
        .await
    }
}

/// The bodies of the messages that a queue has now.
async fn received(root: &Client, url: &str) -> Vec<Value> {
    let receive = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
    let said = root.json("sqs", "AmazonSQS.ReceiveMessage", &receive).await.expect("messages");
    let mut bodies = Vec::new();
    for message in said["Messages"].as_array().into_iter().flatten() {
        let delete = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
        root.json("sqs", "AmazonSQS.DeleteMessage", &delete).await.expect("a message that is deleted");
        bodies.push(serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON"));
    }
    bodies
}

/// The names of a grant's events among what came over the bus, in the order in which each came first.
fn names_of(events: &[Value], grant: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for event in events {
        let name = event["detail-type"].as_str().expect("a detail type").to_owned();
        if event["detail"]["metadata"]["correlation_uid"] == grant && !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[tokio::test]
async fn a_grants_whole_life_is_archived_told_and_sealed() {
    let (world, curfew) = (world().await, curfew().await);
    let ear = Ear::on(curfew, "life", &json!({ "source": ["curfew"] })).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let grant = curfew.grant(&approval).await;
    let closed = curfew.post(&ticket_closed(approval.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());

    let copy = archived(curfew, &grant, STORY_OF_A_REVOCATION.len()).await;
    assert_eq!(copy.story(&grant), STORY_OF_A_REVOCATION);
    // The archive holds the ledger's own bytes, by which alone the story can be checked.
    let ledger = curfew.record(&grant).await.expect("a grant");
    let bytes: Vec<String> = ledger.events.iter().map(|event| event.canonical()).collect();
    let evidence: Vec<String> = copy
        .records()
        .into_iter()
        .filter(|record| record.id.to_string().starts_with(&grant))
        .map(|record| record.raw_data)
        .collect();
    assert_eq!(evidence, bytes);

    // Told in order, each with who it is about; and what was archived is what was told.
    let told = ear
        .heard("all of it was told", |all| {
            (names_of(all, &grant).len() == STORY_OF_A_REVOCATION.len()).then(|| all.to_vec())
        })
        .await;
    let mut names = names_of(&told, &grant);
    let mut expected = STORY_OF_A_REVOCATION.map(str::to_owned);
    // A queue keeps no order.
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    // Other tests' grants are told on the same bus.
    let ours = |event: &&Value| event["detail"]["metadata"]["correlation_uid"] == grant.as_str();
    let activated =
        told.iter().filter(ours).find(|event| event["detail-type"] == "Activated").expect("an event");
    assert_eq!(activated["resources"], json!([person.principal]));
    assert_eq!(activated["detail"]["user"]["email_addr"], json!(person.email));
    let archived: Vec<Value> = copy.records().into_iter().map(|record| record.ocsf).collect();
    assert!(archived.contains(&activated["detail"]), "{activated}");

    // Sealed, and again: each checkpoint follows from the one before it.
    let first = sealed(curfew).await;
    let second = sealed(curfew).await;
    let number = |reply: &Value| reply["checkpoints"][0]["number"].as_u64().expect("a checkpoint");
    assert!(number(&second) > number(&first));
    let copy = Copy::of(curfew).await;
    let report = copy.verified(curfew).await;
    assert_eq!(report.findings, []);
    let until: Timestamp = first["sealed_until"].as_str().expect("a time").parse().expect("a time");
    assert!(report.sealed_until.is_some_and(|sealed| sealed > until));
    let checkpoints = copy.checkpoints();
    for pair in checkpoints.windows(2) {
        assert_eq!(pair[1].statement.previous, pair[0].statement.digest_hex());
    }
    let heads: Vec<_> = checkpoints.iter().flat_map(|signed| &signed.statement.heads).collect();
    let head = heads.iter().find(|head| head.grant_id.as_str() == grant).expect("the grant's end is sealed");
    assert_eq!(head.digest, ledger.events.last().expect("events").digest());
    // Whoever wants to keep the digest elsewhere hears of it.
    let digest = first["checkpoints"][0]["digest"].clone();
    ear.heard("the checkpoint was told", |all| {
        all.iter().find(|event| event["detail"]["unmapped"]["curfew"]["digest"] == digest).cloned()
    })
    .await;
}

#[tokio::test]
async fn a_denial_is_evidence_too() {
    let (world, curfew) = (world().await, curfew().await);
    let ear = Ear::on(curfew, "denials", &json!({ "source": ["curfew"], "detail-type": ["Denied"] })).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "no-such-role");
    let refused = curfew.approve(&approval).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let ticket = json!(approval.ticket_id());
    let of_ticket = |ocsf: &Value| ocsf["unmapped"]["curfew"]["ticket"] == ticket;

    let told = ear
        .heard("the denial was told", |all| all.iter().find(|event| of_ticket(&event["detail"])).cloned())
        .await;
    assert_eq!(told["detail"]["status_code"], "unknown-role");
    let record = Copy::of(curfew).await.records().into_iter().find(|record| of_ticket(&record.ocsf));
    let record = record.expect("what is told is archived");
    assert_eq!(record.ocsf, told["detail"]);
    let denied = record.denied().expect("a denial of this version").expect("a denial");
    assert_eq!((denied.code.as_str(), denied.requester.as_str()), ("unknown-role", person.email.as_str()));
}

/// Somebody writes something into the table that is no event: people get it, and what comes after it still arrives.
#[tokio::test]
async fn poison_goes_to_its_queue_and_what_comes_after_it_arrives() {
    let (world, curfew) = (world().await, curfew().await);
    let pk = "GRANT#g-poisonpoisonpoisonpoison22";
    let item = json!({
        "pk": { "S": pk }, "sk": { "S": "EVENT#000001" }, "type": { "S": "Requested" },
        "body": { "S": "not an event \u{ffff}" }
    });
    let put = json!({ "TableName": curfew.table(), "Item": item });
    world.root().json("dynamodb", "DynamoDB_20120810.PutItem", &put).await.expect("an item");
    let person = world.person().await;
    let grant = curfew.grant(&Approval::of(&person, "acme", "reader")).await;

    let (root, queue) = (world.root(), curfew.output("UnreadableRecordsUrl"));
    let letter = until("people were told", PATIENCE, async || {
        let letters = received(&root, queue).await;
        letters.into_iter().find(|letter| letter["record"]["dynamodb"]["Keys"]["pk"]["S"] == pk)
    })
    .await;
    assert_eq!(letter["record"]["dynamodb"]["NewImage"], item, "whole");
    assert_eq!(letter["sequence_number"], letter["record"]["dynamodb"]["SequenceNumber"]);
    assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains("not in the ledger")), "{letter}");
    let copy = archived(curfew, &grant, 3).await;
    assert_eq!(copy.story(&grant), ["Requested", "Opened", "Activated"]);
}

/// The stream stopped in the middle of a grant's life, and what it had to bring is gone.
#[tokio::test]
async fn what_the_stream_lost_is_archived_again_from_the_ledger() {
    let world = world().await;
    let curfew = deployed("curfew-repair", &[]).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let grant = curfew.grant(&approval).await;
    archived(&curfew, &grant, 3).await;
    stop_the_stream(&world.root(), &curfew).await;
    let closed = curfew.post(&ticket_closed(approval.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    assert_eq!(curfew.record(&grant).await.expect("a grant").story(), STORY_OF_A_REVOCATION);

    let again = curfew.invoke(Function::Audit, &json!({ "archive_again": grant })).await;
    assert_eq!(again.error, None, "{}", again.payload);
    assert_eq!(again.payload["records"], STORY_OF_A_REVOCATION.len());
    sealed(&curfew).await;
    let copy = Copy::of(&curfew).await;
    let expected = [&STORY_OF_A_REVOCATION[..3], &STORY_OF_A_REVOCATION].concat();
    assert_eq!(copy.story(&grant), expected, "three of them twice, and each the same");
    let report = copy.verified(&curfew).await;
    assert_eq!(
        (report.findings, report.records, report.duplicates),
        (vec![], STORY_OF_A_REVOCATION.len(), 3)
    );

    let unknown =
        curfew.invoke(Function::Audit, &json!({ "archive_again": "g-aaaaaaaaaaaaaaaaaaaaaaaaa7" })).await;
    assert_eq!((unknown.error.is_some(), &unknown.payload["errorType"]), (true, &json!("NeedsOperator")));
}

async fn stop_the_stream(root: &Client, curfew: &Curfew) {
    let function = curfew.deployment().function(Function::Audit).expect("an output of the template");
    let path = format!("/2015-03-31/event-source-mappings/?FunctionName={function}");
    let said = root.rest("lambda", Method::GET, &path, &[], b"").await.expect("a listing").json();
    let mappings = said["EventSourceMappings"].as_array().expect("mappings");
    assert_eq!(mappings.len(), 1, "{said}");
    let id = mappings[0]["UUID"].as_str().expect("an id");
    let path = format!("/2015-03-31/event-source-mappings/{id}");
    // Not deleted: what the emulator delivers from its list of a moment ago it still delivers then.
    let disable = json!({ "Enabled": false }).to_string();
    root.rest("lambda", Method::PUT, &path, &[], disable.as_bytes())
        .await
        .expect("a mapping that is disabled");
}
