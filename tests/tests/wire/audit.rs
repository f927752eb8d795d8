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
    let evidence: Vec<String> = copy.records_of(&grant).into_iter().map(|record| record.raw_data).collect();
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

/// Takes letters to people until one is about an item and says so.
async fn letter(curfew: &Curfew, sk: &str, pk: &str, says: &str) -> Value {
    let (root, queue) = (world().await.root(), curfew.output("UnreadableRecordsUrl"));
    let is_it = |letter: &Value| {
        let keys = &letter["record"]["dynamodb"]["Keys"];
        let says = letter["reason"].as_str().is_some_and(|reason| reason.contains(says));
        keys["pk"]["S"] == pk && keys["sk"]["S"] == sk && says
    };
    until(&format!("people were told that {pk} {sk}: {says}"), PATIENCE, async || {
        received(&root, queue).await.into_iter().find(is_it)
    })
    .await
}

/// Somebody writes something into the table that is no event, and changes and deletes what was written: people get it,
/// and what comes after it still arrives.
#[tokio::test]
async fn what_somebody_does_to_the_evidence_goes_to_people_and_what_comes_after_it_arrives() {
    let (world, curfew) = (world().await, curfew().await);
    let pk = "GRANT#g-poisonpoisonpoisonpoison22";
    let item = json!({
        "pk": { "S": pk }, "sk": { "S": "EVENT#000001" }, "type": { "S": "Requested" },
        "body": { "S": "not an event \u{ffff}" }
    });
    let root = world.root();
    let table = async |action: &str, mut body: Value| {
        body["TableName"] = json!(curfew.table());
        root.json("dynamodb", &format!("DynamoDB_20120810.{action}"), &body).await.expect("it is done")
    };
    table("PutItem", json!({ "Item": item })).await;
    let person = world.person().await;
    let grant = curfew.grant(&Approval::of(&person, "acme", "reader")).await;

    let told = letter(curfew, "EVENT#000001", pk, "not in the ledger").await;
    assert_eq!(told["record"]["dynamodb"]["NewImage"], item, "whole");
    assert_eq!(told["sequence_number"], told["record"]["dynamodb"]["SequenceNumber"]);
    let copy = archived(curfew, &grant, 3).await;
    assert_eq!(copy.story(&grant), ["Requested", "Opened", "Activated"]);

    let pk = format!("GRANT#{grant}");
    let key = |sk: &str| json!({ "pk": { "S": pk }, "sk": { "S": sk } });
    let edit = json!({
        "Key": key("EVENT#000002"), "UpdateExpression": "SET body = :body",
        "ExpressionAttributeValues": { ":body": { "S": "something else" } },
    });
    table("UpdateItem", edit).await;
    let told = letter(curfew, "EVENT#000002", &pk, "somebody changed").await;
    assert_eq!(told["record"]["dynamodb"]["NewImage"]["body"]["S"], "something else");
    table("DeleteItem", json!({ "Key": key("EVENT#000003") })).await;
    letter(curfew, "EVENT#000003", &pk, "somebody deleted").await;

    // A denial that is called something else by now is told all the same, and so is one that is gone.
    let approval = Approval::of(&person, "acme", "no-such-role");
    assert_eq!(curfew.approve(&approval).await.status, 422);
    let pk = format!("TICKET#{}", approval.ticket_id());
    let items = curfew.items(&pk).await;
    let sk = items[0]["sk"].as_str().expect("a denial");
    let key = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
    let rename = json!({
        "Key": key, "UpdateExpression": "SET #type = :type", "ExpressionAttributeNames": { "#type": "type" },
        "ExpressionAttributeValues": { ":type": { "S": "Link" } },
    });
    table("UpdateItem", rename).await;
    letter(curfew, sk, &pk, "somebody changed").await;
    table("DeleteItem", json!({ "Key": key })).await;
    letter(curfew, sk, &pk, "somebody deleted").await;
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

    let refused = Approval::of(&person, "acme", "no-such-role");
    assert_eq!(curfew.approve(&refused).await.status, 422);

    let again = curfew.invoke(Function::Audit, &json!({ "archive_again": grant })).await;
    assert_eq!(again.error, None, "{}", again.payload);
    assert_eq!(again.payload["records"], STORY_OF_A_REVOCATION.len());
    let items = curfew.items(&format!("TICKET#{}", refused.ticket_id())).await;
    let (source, _) = items[0]["sk"].as_str().and_then(|sk| sk.split_once('#')).expect("a denial");
    let denied = json!({ "source": source, "ticket": refused.ticket_id() });
    let again = curfew.invoke(Function::Audit, &json!({ "archive_denials_again": denied })).await;
    assert_eq!((again.error, &again.payload["records"]), (None, &json!(1)), "{}", again.payload);
    sealed(&curfew).await;
    let copy = Copy::of(&curfew).await;
    let [first, second, third, fourth, fifth] = STORY_OF_A_REVOCATION;
    let expected = [first, first, second, second, third, third, fourth, fifth];
    assert_eq!(copy.story(&grant), expected, "three of them twice, and each the same");
    let report = copy.verified(&curfew).await;
    assert_eq!(
        (report.findings, report.records, report.duplicates),
        (vec![], STORY_OF_A_REVOCATION.len() + 1, 3)
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
