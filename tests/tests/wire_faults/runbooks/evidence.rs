//! The archive, its seals, and what can't be put there.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::stack::ACCOUNT;
use curfew_domain::retry::CHECKPOINT_MARGIN;
use curfew_tests::curfew::SOURCE;
use curfew_tests::wait::later;
use curfew_tests::{Approval, now, reached, until};
use http::Method;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::page::Page;
use super::watch::{Alarm, lines, values};
use super::{Turn, rule, turn};
use crate::support::Wired;

/// The stream's poll, a batching window, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

impl Turn {
    /// A grant, and its events as the ledger's stream would bring them.
    async fn events(&self) -> (String, Value) {
        let person = self.world.person().await;
        let id = self.curfew.grant(&Approval::of(&person, "acme", "reader")).await;
        let query = json!({
            "TableName": self.curfew.table(),
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :event)",
            "ExpressionAttributeValues": { ":pk": { "S": format!("GRANT#{id}") }, ":event": { "S": "EVENT#" } },
        });
        let said =
            self.world.root().json("dynamodb", "DynamoDB_20120810.Query", &query).await.expect("events");
        let records = said["Items"].as_array().expect("items").iter().enumerate();
        let records: Vec<Value> = records.map(|(n, item)| record(n, item)).collect();
        (id, json!({ "Records": records }))
    }

    async fn objects(&self) -> usize {
        let bucket = self.curfew.output("ArchiveBucketName");
        let list = ["s3api", "list-objects-v2", "--bucket", bucket, "--prefix", "events/"];
        let said = self.world.command_line(ACCOUNT).call(list).await.expect("the archive's objects");
        said["Contents"].as_array().map_or(0, Vec::len)
    }
}

/// The archive's policy lets in the audit function alone; on the local stack root is above policies.
#[tokio::test]
async fn what_somebody_put_into_the_archive_is_told() {
    let turn = turn().await;
    let audit = turn.wired(Function::Audit).await;
    let sealed = audit.invoke(&json!({ "checkpoint": true })).await;
    assert_eq!(sealed.error, None, "{sealed:?}");
    // The next checkpoint's period begins where this one's ended: a margin ago, in whole seconds.
    let at = later(now(), 1) - CHECKPOINT_MARGIN;
    let name = format!("events/day={}/{at:.3}-somebodys", at.to_zoned(TimeZone::UTC).date());
    let path = format!("/{}/{name}", turn.curfew.output("ArchiveBucketName"));
    let path = path.replace('=', "%3D").replace(':', "%3A");
    turn.world.root().rest("s3", Method::PUT, &path, &[], b"?").await.expect("an object");
    reached(later(now(), 3)).await;
    let sealed = audit.invoke(&json!({ "checkpoint": true })).await;
    assert_eq!(sealed.error, None, "{sealed:?}");
    let alarm = Alarm::of("ArchiveForeign");
    let log = audit.lambda.log().expect("a log");
    assert!(alarm.trips(&lines(&log)), "{log}");

    let page = Page::of("ArchiveForeign");
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert!(seen[0]["events"].is_array(), "{seen:?}");
    assert!(page.first_look(&log).iter().any(|line| line.contains(&name)), "{log}");
    page.run("Remedy", turn.curfew, &[]).await;
    audit.invoke(&json!({ "checkpoint": true })).await;
    let after = audit.lambda.log().expect("a log");
    assert!(!alarm.trips(&lines(&after[log.len()..])), "it is told once: {after}");
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
fn record(n: usize, item: &Value) -> Value {
    json!({
        "eventID": format!("event-{n}"),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": { "pk": item["pk"], "sk": item["sk"] },
            "NewImage": item,
            "SequenceNumber": format!("{:021}", 1000 + n),
            "StreamViewType": "NEW_IMAGE",
        },
    })
}

fn told(audit: &Wired) -> Vec<Value> {
    lines(&audit.lambda.log().expect("a log"))
}

#[tokio::test]
async fn what_is_no_event_is_kept_whole_with_its_reason() {
    let turn = turn().await;
    let (id, mut batch) = turn.events().await;
    batch["Records"][0]["dynamodb"]["NewImage"]["body"] = json!({ "S": "{\"fact\":\"made up\"}" });
    let audit = turn.wired(Function::Audit).await;
    let delivered = audit.invoke(&batch).await;
    assert_eq!(delivered.payload["batchItemFailures"], json!([]), "it blocks nothing: {delivered:?}");
    let alarm = Alarm::of("RecordsUnreadable");
    alarm.watches("AWS/SQS", "ApproximateNumberOfMessagesVisible");
    assert!(alarm.is_beyond(turn.waiting("UnreadableRecordsUrl").await));
    assert_eq!(values(&told(&audit), "RecordsSetAside"), [1.0]);

    let page = Page::of("RecordsUnreadable");
    let seen = page.run("First look", turn.curfew, &[]).await;
    let body = seen[0]["Messages"][0]["Body"].as_str().expect("a message");
    assert!(body.contains("made up") && body.contains(&id), "{body}");
    let done = page.run("Remedy", turn.curfew, &[("grant", &id)]).await;
    assert_eq!(done[0]["records"], 3, "{done:?}");
    assert!(!alarm.is_beyond(turn.waiting("UnreadableRecordsUrl").await));
}

#[tokio::test]
async fn an_archive_that_takes_nothing_is_told_and_goes_on_from_there() {
    let turn = turn().await;
    let (id, batch) = turn.events().await;
    turn.deny("AuditRoleArn", Some("s3:PutObject")).await;
    let audit = turn.wired(Function::Audit).await;
    let delivered = audit.invoke(&batch).await;
    let first = &batch["Records"][0]["dynamodb"]["SequenceNumber"];
    assert_eq!(delivered.payload["batchItemFailures"][0]["itemIdentifier"], *first, "{delivered:?}");
    let alarm = Alarm::of("ArchiveBehind");
    alarm.watches("AWS/Lambda", "IteratorAge");
    assert!(alarm.is_beyond(300_001.0) && !alarm.is_beyond(300_000.0), "milliseconds");
    let lines = told(&audit);
    assert_eq!(values(&lines, "DeliveryFailures"), [1.0]);
    let page = Page::of("ArchiveBehind");
    let pattern = page.commands("First look")[0].last().expect("a pattern").trim_matches('"').to_owned();
    let of_it = |line: &&Value| line["message"].as_str().is_some_and(|message| message.contains(&pattern));
    let line = lines.iter().find(of_it).unwrap_or_else(|| panic!("no line with `{pattern}`: {lines:#?}"));
    assert!(line["message"].to_string().contains("PutObject"), "{line}");
    page.run("First look", turn.curfew, &[]).await;
    assert!(!page.first_look(&audit.lambda.log().expect("a log")).is_empty());

    turn.deny("AuditRoleArn", None).await;
    let delivered = audit.invoke(&batch).await;
    assert_eq!(delivered.payload["batchItemFailures"], json!([]), "{delivered:?}");

    // As if it had been given up: it is found in the ledger by its times, and written again.
    let person = turn.world.person().await;
    let approval = Approval::of(&person, "acme", "no-such-role");
    assert_eq!(turn.curfew.approve(&approval).await.status, 422);
    let (from, until) = (later(now(), -3600).to_string(), later(now(), 60).to_string());
    let filled = [
        ("grant", id.as_str()),
        ("source", SOURCE),
        ("ticket", approval.ticket_id()),
        ("from", &from),
        ("until", &until),
    ];
    let done = page.run("Remedy", turn.curfew, &filled).await;
    let found = done[0].as_array().expect("keys");
    for seq in 1..=3 {
        assert!(found.contains(&json!([format!("GRANT#{id}"), format!("EVENT#{seq:06}")])), "{found:?}");
    }
    let denied = format!("{SOURCE}#DENIED#");
    let is_denial = |key: &&Value| {
        key[0] == format!("TICKET#{}", approval.ticket_id())
            && key[1].as_str().is_some_and(|sk| sk.starts_with(&denied))
    };
    assert_eq!(found.iter().filter(is_denial).count(), 1, "{found:?}");
    assert_eq!((&done[1]["records"], &done[2]["records"]), (&json!(3), &json!(1)), "{done:?}");
}

#[tokio::test]
async fn a_mapping_that_is_switched_off_is_found_and_switched_on() {
    let turn = turn().await;
    let page = Page::of("ArchiveSilent");
    let seen = page.run("First look", turn.curfew, &[]).await;
    let mapping = seen[0]["EventSourceMappings"][0]["UUID"].as_str().expect("a mapping").to_owned();
    let root = turn.world.command_line(ACCOUNT);
    let off = ["lambda", "update-event-source-mapping", "--uuid", &mapping, "--no-enabled"];
    root.run(off).await.expect("a mapping that is switched off");
    let (id, _) = turn.events().await;
    let alarm = Alarm::of("ArchiveSilent");
    assert_eq!(alarm.expression(), "IF(archived == 0, granted, 0)");
    assert!(alarm.is_beyond(1.0) && !alarm.is_beyond(0.0));
    // What keeps that expression from having nothing to say: a checkpoint tells zero.
    let audit = turn.wired(Function::Audit).await;
    audit.invoke(&json!({ "checkpoint": true })).await;
    assert_eq!(values(&told(&audit), "RecordsArchived"), [0.0]);

    let seen = page.run("First look", turn.curfew, &[]).await;
    let state = seen[0]["EventSourceMappings"][0]["State"].as_str().unwrap_or_default();
    assert!(state.starts_with("Disabl"), "{seen:?}");
    let done = page.run("Remedy", turn.curfew, &[("mapping", &mapping), ("grant", &id)]).await;
    assert_eq!(done[1]["records"], 3, "{done:?}");
    let before = turn.objects().await;
    turn.events().await;
    until("the stream is archived again", PATIENCE, async || (turn.objects().await > before).then_some(()))
        .await;
    page.run("It is over when", turn.curfew, &[]).await;
}

#[tokio::test]
async fn an_archive_that_nobody_seals_is_told_and_sealed() {
    let turn = turn().await;
    let alarm = Alarm::of("CheckpointsMissing");
    alarm.watches("Curfew", "CheckpointAgeSeconds");
    turn.deny("AuditRoleArn", Some("kms:*")).await;
    let audit = turn.wired(Function::Audit).await;
    let sealed = audit.invoke(&json!({ "checkpoint": true })).await;
    assert!(sealed.error.is_some(), "{sealed:?}");
    // Nothing is told, and nothing counts as too old.
    assert!(values(&told(&audit), "CheckpointAgeSeconds").is_empty());
    assert!(alarm.is_beyond(7201.0) && !alarm.is_beyond(7200.0));

    turn.deny("AuditRoleArn", None).await;
    let page = Page::of("CheckpointsMissing");
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert!(seen[0]["sealed_until"].is_string(), "{seen:?}");
    let hourly = rule(turn.world, turn.curfew, "AuditFunctionEveryHour").await;
    page.run("Remedy", turn.curfew, &[("rule", &hourly)]).await;
    let sealed = audit.invoke(&json!({ "checkpoint": true })).await;
    assert_eq!(sealed.error, None, "{sealed:?}");
    let ages = told(&audit);
    assert!(!values(&ages, "CheckpointAgeSeconds").is_empty() && !alarm.trips(&ages), "{ages:#?}");
}
