//! The evidence: the archive, the key that seals it, the bus that tells of it.

use curfew_cli::artifacts::Function;
use curfew_domain::event::Event;
use curfew_tests::{Approval, ticket_closed};

use super::*;
use crate::support::Wired;

const AUDIT: &str = "AuditRoleArn";

/// A retention that is over at once.
const SHORT: &str =
    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2020-01-01T00:00:00Z</RetainUntilDate></Retention>";

#[tokio::test]
async fn the_archive_is_added_to_by_the_audit_function_alone_and_nobody_takes_from_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let bucket = curfew.output("ArchiveBucketName");
    let foreign = world.curfew(Flavour::Eager).await.output("ArchiveBucketName");
    let evidence = "events/day=2026-11-21/climb.jsonl";
    let path = |key: &str| format!("/{bucket}/{key}");
    let root = world.root();
    let kept = root.rest("s3", Method::PUT, &path(evidence), &[], b"evidence").await.expect("evidence");
    let version = kept.headers["x-amz-version-id"].to_str().expect("a version").to_owned();
    let versioned = format!("{}?versionId={version}", path(evidence));
    let bypass = [("x-amz-bypass-governance-retention", "true")];

    for intruder in intruders(world, curfew).await {
        let is_audit = intruder.role == AUDIT;
        let s3 = async |method: Method, path: &str, body: &str| intruder.send("s3", method, path, body).await;
        for folder in ["events", "checkpoints", "keys"] {
            let key = path(&format!("{folder}/{}", intruder.role));
            intruder.assert_allowed_if(is_audit, "add to the archive", s3(Method::PUT, &key, "x").await);
        }
        intruder.assert_refused("put something beside it", s3(Method::PUT, &path("elsewhere"), "x").await);
        let elsewhere = s3(Method::PUT, &format!("/{foreign}/events/x"), "x").await;
        intruder.assert_refused("write another stack's archive", elsewhere);
        intruder.assert_allowed_if(is_audit, "read the archive", s3(Method::GET, &path(evidence), "").await);
        intruder.assert_allowed_if(is_audit, "list it", s3(Method::GET, &format!("/{bucket}"), "").await);

        intruder.assert_refused("hide it", s3(Method::DELETE, &path(evidence), "").await);
        intruder.assert_refused("delete it", s3(Method::DELETE, &versioned, "").await);
        let bypassed = intruder.client.rest("s3", Method::DELETE, &versioned, &bypass, b"").await.map(drop);
        intruder.assert_refused("delete it past its retention", bypassed);
        let shortened = format!("{}?retention&versionId={version}", path(evidence));
        let short = intruder.client.rest("s3", Method::PUT, &shortened, &bypass, SHORT.as_bytes()).await;
        intruder.assert_refused("shorten its retention", short.map(drop));
        for (what, method, query, body) in [
            ("change the retention", Method::PUT, "object-lock", "<ObjectLockConfiguration/>"),
            ("stop versioning", Method::PUT, "versioning", "<VersioningConfiguration/>"),
            ("change the policy", Method::PUT, "policy", EVERYTHING),
            ("remove the policy", Method::DELETE, "policy", ""),
            ("have it tidied up", Method::PUT, "lifecycle", "<LifecycleConfiguration/>"),
            ("have it copied away", Method::PUT, "replication", "<ReplicationConfiguration/>"),
            ("open it to the public", Method::DELETE, "publicAccessBlock", ""),
        ] {
            intruder.assert_refused(what, s3(method, &format!("/{bucket}?{query}"), body).await);
        }
        intruder.assert_refused("delete the archive", s3(Method::DELETE, &format!("/{bucket}"), "").await);
    }

    // Object Lock itself holds against those whom no policy holds.
    for headers in [&[][..], &bypass] {
        let deleted =
            root.rest("s3", Method::DELETE, &versioned, headers, b"").await.expect_err("it is locked");
        assert_eq!(deleted.code, "AccessDenied", "{deleted:?}");
    }
    let shortened = format!("{}?retention&versionId={version}", path(evidence));
    root.rest("s3", Method::PUT, &shortened, &bypass, SHORT.as_bytes()).await.expect_err("it is locked");
    let read = root.rest("s3", Method::GET, &versioned, &[], b"").await.expect("it is there");
    assert_eq!(read.text(), "evidence");
    // What is written over it is another version.
    root.rest("s3", Method::PUT, &path(evidence), &[], b"changed").await.expect("a version more");
    let read = root.rest("s3", Method::GET, &versioned, &[], b"").await.expect("it is there");
    assert_eq!(read.text(), "evidence");
}

#[tokio::test]
async fn the_checkpoint_key_signs_for_the_audit_function_alone() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let key = curfew.output("CheckpointKeyArn");
    let foreign = world.curfew(Flavour::Eager).await.output("CheckpointKeyArn");
    for intruder in intruders(world, curfew).await {
        let is_audit = intruder.role == AUDIT;
        let kms = async |action: &str, body: Value| {
            intruder.json("kms", &format!("TrentService.{action}"), body).await
        };
        let sign = |key: &str, algorithm: &str| json!({ "KeyId": key, "Message": "aGFzaA==", "MessageType": "RAW", "SigningAlgorithm": algorithm });
        let signed = kms("Sign", sign(key, "ECDSA_SHA_256")).await;
        intruder.assert_allowed_if(is_audit, "sign", signed);
        intruder.assert_refused("sign otherwise", kms("Sign", sign(key, "ECDSA_SHA_512")).await);
        intruder.assert_refused("sign for another stack", kms("Sign", sign(foreign, "ECDSA_SHA_256")).await);
        let public = kms("GetPublicKey", json!({ "KeyId": key })).await;
        intruder.assert_allowed_if(is_audit, "read the public key", public);
        let policy = json!({ "KeyId": key, "PolicyName": "default", "Policy": EVERYTHING });
        intruder.assert_refused("change who may sign", kms("PutKeyPolicy", policy).await);
        let grant = json!({ "KeyId": key, "GranteePrincipal": curfew.output(AUDIT), "Operations": ["Sign"] });
        intruder.assert_refused("hand the signing on", kms("CreateGrant", grant).await);
        let disable = kms("DisableKey", json!({ "KeyId": key })).await;
        intruder.assert_refused("stop the sealing", disable);
        let delete = kms("ScheduleKeyDeletion", json!({ "KeyId": key, "PendingWindowInDays": 7 })).await;
        intruder.assert_refused("delete the key", delete);
    }
    // An administrator's policies in IAM do not reach it either: the key's own policy leaves the signing out.
    let root = world.root();
    root.query("iam", "CreateUser", &[("UserName", "administrator")]).await.expect("a user");
    let everything = [("UserName", "administrator"), ("PolicyName", "all"), ("PolicyDocument", EVERYTHING)];
    root.query("iam", "PutUserPolicy", &everything).await.expect("a policy");
    let said = root.query("iam", "CreateAccessKey", &[("UserName", "administrator")]).await.expect("a key");
    let credentials = curfew_cli::aws::Credentials {
        access_key_id: curfew_tests::client::tag(&said, "AccessKeyId"),
        secret_access_key: curfew_tests::client::tag(&said, "SecretAccessKey"),
        session_token: None,
    };
    let administrator = Intruder { role: "an administrator", client: world.client(credentials) };
    let sign = json!({ "KeyId": key, "Message": "aGFzaA==", "SigningAlgorithm": "ECDSA_SHA_256" });
    let signed = administrator.json("kms", "TrentService.Sign", sign).await;
    administrator.assert_refused("sign", signed);
    let described = administrator.json("kms", "TrentService.DescribeKey", json!({ "KeyId": key })).await;
    described.expect("to administer it");
    // Nor do they write the evidence, or what is told of it.
    let bucket = curfew.output("ArchiveBucketName");
    let path = format!("/{bucket}/events/forged");
    administrator.assert_refused("forge evidence", administrator.send("s3", Method::PUT, &path, "x").await);
    let told = administrator.events("PutEvents", event(curfew.output("EventBusName"))).await;
    administrator.assert_refused("forge an event", told);
}

fn event(bus: &str) -> Value {
    json!({ "Entries": [{ "Source": "curfew", "DetailType": "Activated", "Detail": "{}", "EventBusName": bus }] })
}

#[tokio::test]
async fn what_is_told_on_the_bus_comes_from_the_audit_function_alone() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let bus = curfew.output("EventBusName");
    let foreign = world.curfew(Flavour::Eager).await.output("EventBusName");
    for intruder in intruders(world, curfew).await {
        let told = intruder.events("PutEvents", event(bus)).await;
        intruder.assert_allowed_if(intruder.role == AUDIT, "tell of something", told);
        for elsewhere in [foreign, "default"] {
            let told = intruder.events("PutEvents", event(elsewhere)).await;
            intruder.assert_refused(&format!("tell {elsewhere} of something"), told);
        }
        let rule =
            json!({ "Name": "listen", "EventBusName": bus, "EventPattern": "{\"source\":[\"curfew\"]}" });
        intruder.assert_refused("listen to everything", intruder.events("PutRule", rule).await);
        let open = json!({ "EventBusName": bus, "StatementId": "s", "Principal": "*", "Action": "events:PutEvents" });
        intruder.assert_refused("open the bus", intruder.events("PutPermission", open).await);
        let removed = intruder.events("DeleteEventBus", json!({ "Name": bus })).await;
        intruder.assert_refused("delete the bus", removed);
    }
}

/// An item, as the stream would bring it if the ledger had it.
fn claimed(item: &Value) -> Value {
    json!({
        "eventID": "climb",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": { "pk": item["pk"], "sk": item["sk"] },
            "NewImage": item,
            "SequenceNumber": "000000000000000000001",
            "StreamViewType": "NEW_IMAGE",
        },
    })
}

fn event_item(event: &Event) -> Value {
    json!({
        "pk": { "S": format!("GRANT#{}", event.grant_id) }, "sk": { "S": format!("EVENT#{:06}", event.seq) },
        "type": { "S": event.fact.name() }, "body": { "S": event.canonical() },
    })
}

/// To invoke the audit function is not to write evidence: runbooks have people invoke it.
#[tokio::test]
async fn whoever_invokes_the_audit_function_brings_nothing_into_the_archive_or_onto_the_bus() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let grant = curfew.grant(&approval).await;
    let closed = curfew.post(&ticket_closed(approval.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    let events = curfew.record(&grant).await.expect("a grant").events;
    let last = events.last().expect("events");

    // What nothing contradicts: one more event of a closed grant, in its chain.
    let changed = |event: &Event, changes: Value| -> Event {
        let mut fields = serde_json::to_value(event).expect("JSON");
        fields.as_object_mut().expect("an object").extend(changes.as_object().expect("fields").clone());
        serde_json::from_value(fields).expect("an event")
    };
    let one_more = changed(last, json!({ "seq": last.seq + 1, "prev": last.digest() }));
    let another = changed(&events[2], json!({ "at": "2026-11-21T00:00:00Z" }));
    let of_nothing = changed(&events[0], json!({ "grant_id": "g-aaaaaaaaaaaaaaaaaaaaaaaaa7" }));
    let denied = json!({
        "pk": { "S": "TICKET#CHG-climb" }, "sk": { "S": "itsm#DENIED#00ff#self-approval" },
        "type": { "S": "Denied" }, "person": { "S": "eve@example.test" }, "tenant": { "S": "acme" },
        "role": { "S": "reader" }, "delivery": { "S": "climb" }, "code": { "S": "self-approval" },
        "reason": { "S": "made up" }, "at": { "S": "2026-11-21T00:00:00Z" },
    });
    let forged = [event_item(&one_more), event_item(&another), event_item(&of_nothing), denied];

    let audit = Wired::start(curfew, Function::Audit).await;
    let reached = async |items: &[Value]| -> Vec<String> {
        let records: Vec<Value> = items.iter().map(claimed).collect();
        let invoked = audit.invoke(&json!({ "Records": records })).await;
        assert_eq!(invoked.payload["batchItemFailures"], json!([]), "{invoked:?}");
        let calls = audit.proxy.take_calls().0.into_iter().map(|call| call.service);
        calls.filter(|service| service != "dynamodb").collect()
    };
    // People hear of each, and nobody else.
    assert_eq!(reached(&forged).await, ["sqs"; 4]);
    // What the ledger has goes the whole way, whoever brings it.
    let real: Vec<Value> = events.iter().take(1).map(event_item).collect();
    assert_eq!(reached(&real).await, ["s3", "events"]);
}
