//! What ends access, and what watches over it: removals, the sweep, drift, timers.

use curfew_cli::artifacts::Function;
use curfew_tests::proxy::{Fault, Rule};
use curfew_tests::{Approval, until};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::page::Page;
use super::watch::{Alarm, Query, lines};
use super::{YOU, names, rule, switch_the_sweep, turn, user_of};
use crate::support::{assert_gone, operator};

/// A minute until the next comparison begins, and a busy machine.
const DRIFT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(180);

/// The condition is real: without the boundary on the principal, Curfew's role may not touch it.
#[tokio::test]
async fn a_removal_that_aws_refuses_is_told_until_its_page_ends_it() {
    let turn = turn().await;
    let person = turn.world.person().await;
    let id = turn.curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let root = turn.world.root();
    let user = [("UserName", user_of(&person))];
    root.query("iam", "DeleteUserPermissionsBoundary", &user).await.expect("a user without a boundary");

    let asked = turn.curfew.invoke(Function::Revoke, &operator(&id)).await;
    assert_eq!(asked.payload["grants"][0]["result"], "unproven", "{asked:?}");
    turn.age(&id, SignedDuration::from_mins(10)).await;
    let sweep = turn.wired(Function::Sweep).await;
    let swept = turn.lap(&sweep).await;
    assert_eq!(swept["failed"], 1, "{swept}");
    let told = lines(&sweep.lambda.log().expect("a log"));
    let (first, lasting) = (Alarm::of("AccessNotRemoved"), Alarm::of("RemovalUnproven"));
    assert!(first.trips(&told) && lasting.trips(&told), "{told:#?}");
    Query::saved("WhatTheSweepCouldNotFinish").assert_finds(&told, &[]);

    // What the page shows first, by the stack's own sweep.
    turn.age(&id, SignedDuration::from_mins(30)).await;
    let swept = Page::of("AccessNotRemoved").run("Remedy", turn.curfew, &[]).await;
    assert_eq!(swept[0]["failed"], 1, "no hiccup: {swept:?}");
    let seen = Page::of("AccessNotRemoved").run("First look", turn.curfew, &[]).await;
    assert!(names(&seen[0], &id), "{seen:?}");
    let page = Page::of("RemovalUnproven");
    let seen = page.run("First look", turn.curfew, &[("grant", &id)]).await;
    assert!(names(&seen[0], &id) && seen[1].to_string().contains("RevocationFailed"), "{seen:?}");

    // By the table of causes: the boundary is put back. The next try would be minutes away.
    let boundary = turn.world.acme().boundary_arn();
    let put = [user[0], ("PermissionsBoundary", boundary.as_str())];
    root.query("iam", "PutUserPermissionsBoundary", &put).await.expect("a boundary");
    let waiting = turn.lap(&sweep).await;
    assert_eq!(waiting["due"], 0, "it pauses: {waiting}");
    let answered = page.run("Remedy", turn.curfew, &[("grant", &id), YOU]).await;
    assert_eq!((&answered[0]["ok"], &answered[0]["grants"][0]["result"]), (&json!(true), &json!("removed")));
    assert_gone("after the remedy", turn.curfew, &person, &id, "revoked").await;
    let before = sweep.lambda.log().expect("a log").len();
    turn.lap(&sweep).await;
    let told = lines(&sweep.lambda.log().expect("a log")[before..]);
    assert!(!first.trips(&told) && !lasting.trips(&told), "{told:#?}");
}

#[tokio::test]
async fn more_than_a_lap_gets_through_is_told_lap_by_lap_and_drained() {
    let turn = turn().await;
    let person = turn.world.person().await;
    let id = turn.curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    turn.curfew.lose_schedule(&id).await;
    turn.age(&id, SignedDuration::from_hours(2)).await;
    let sweep = turn.wired(Function::Sweep).await;
    sweep.proxy.add(Rule::on("DeleteUserPolicy", Fault::Throttle));
    let alarm = Alarm::of("GrantsOverdue");
    let mut before = 0;
    for _ in 0..2 {
        let swept = turn.lap(&sweep).await;
        assert_eq!((&swept["throttled"], &swept["failed"]), (&json!(1), &json!(0)), "{swept}");
        let log = sweep.lambda.log().expect("a log");
        assert!(alarm.trips(&lines(&log[before..])), "{log}");
        before = log.len();
        // Being throttled gives a removal no pause, but whoever began it a headstart.
        turn.age(&id, SignedDuration::from_mins(2)).await;
    }
    // The stack's own sweep is not throttled.
    let seen = Page::of("GrantsOverdue").run("Remedy", turn.curfew, &[]).await;
    assert_eq!(seen[0]["backlog"], 0, "{seen:?}");
    // Its claim was made older than its events, so its story is in no order any more: looked at is what is left.
    let record = turn.curfew.record(&id).await.expect("a grant");
    assert_eq!((record.state(), &record.item["outcome"]), ("closed", &json!("expired")));
    assert_eq!(turn.world.root().inline_policies(&person.principal).await, Ok(vec![]));
    let before = sweep.lambda.log().expect("a log").len();
    turn.lap(&sweep).await;
    assert!(!alarm.trips(&lines(&sweep.lambda.log().expect("a log")[before..])));
}

#[tokio::test]
async fn a_sweep_that_nobody_calls_is_found_by_its_rule_and_called_again() {
    let turn = turn().await;
    let alarm = Alarm::of("SweepSilent");
    alarm.watches("AWS/Lambda", "Invocations");
    // Since these tests began: nobody calls it.
    assert!(alarm.is_beyond(0.0));
    let page = Page::of("SweepSilent");
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert!(seen[0]["due"].is_u64(), "it runs if it is called: {seen:?}");
    assert_eq!(seen[1]["Rules"][0]["State"], "DISABLED", "{seen:?}");
    let rule = rule(turn.world, turn.curfew, "SweepFunctionEveryMinute").await;
    page.run("Remedy", turn.curfew, &[("rule", &rule)]).await;
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert_eq!(seen[1]["Rules"][0]["State"], "ENABLED", "{seen:?}");
    switch_the_sweep(turn.world, turn.curfew, "DisableRule").await;
}

#[tokio::test]
async fn what_nobody_accounts_for_is_told_and_deleted_by_hand() {
    let turn = turn().await;
    let (person, other) = (turn.world.person().await, turn.world.person().await);
    let live = turn.curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let policy = format!("curfew-g-{}", "s".repeat(26));
    let statement = json!({ "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*" });
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let user = ("UserName", user_of(&other));
    let stray = [user, ("PolicyName", policy.as_str()), ("PolicyDocument", document.as_str())];
    turn.world.root().query("iam", "PutUserPolicy", &stray).await.expect("a stray policy");

    let sweep = turn.wired(Function::Sweep).await;
    let told = until("the stray is found", DRIFT_PATIENCE, async || {
        turn.lap(&sweep).await;
        let told = lines(&sweep.lambda.log().expect("a log"));
        told.iter().any(|line| line["policy"] == policy.as_str()).then_some(told)
    })
    .await;
    assert!(Alarm::of("DriftFound").trips(&told), "{told:#?}");
    Query::saved("DriftByPrincipal").assert_finds(&told, &[]);
    let page = Page::of("DriftFound");
    page.run("First look", turn.curfew, &[]).await;
    let seen = page.first_look(&sweep.lambda.log().expect("a log")).join("\n");
    assert!(seen.contains(&policy), "{seen}");
    let filled = [("person", person.email.as_str()), YOU, ("user", user_of(&other)), ("policy", &policy)];
    let answered = page.run("Remedy", turn.curfew, &filled).await;
    assert_eq!(answered[0]["ok"], true, "{answered:?}");
    assert_gone("all that they had", turn.curfew, &person, &live, "revoked").await;
    assert_eq!(turn.world.root().inline_policies(&other.principal).await, Ok(vec![]));
}

#[tokio::test]
async fn an_account_that_can_not_be_read_is_told_until_it_can() {
    let turn = turn().await;
    let sweep = turn.wired(Function::Sweep).await;
    sweep.proxy.add(Rule::on("GetAccountAuthorizationDetails", Fault::Refuse(403, "AccessDenied")));
    let told = until("an account is not read", DRIFT_PATIENCE, async || {
        let swept = turn.lap(&sweep).await;
        (swept["drift"]["unchecked"] != 0).then(|| lines(&sweep.lambda.log().expect("a log")))
    })
    .await;
    assert!(Alarm::of("DriftUnchecked").trips(&told), "{told:#?}");
    let page = Page::of("DriftUnchecked");
    let pattern = page.commands("First look")[0].last().expect("a pattern").trim_matches('"').to_owned();
    let of_the_account =
        |line: &&Value| line["message"].as_str().is_some_and(|message| message.contains(&pattern));
    let line =
        told.iter().find(of_the_account).unwrap_or_else(|| panic!("no line with `{pattern}`: {told:#?}"));
    assert!(line["account"].is_string(), "{line}");
    page.run("First look", turn.curfew, &[]).await;
    // The permission is there again; the page's own command has the stack's sweep look.
    let swept = until("it is read again", DRIFT_PATIENCE, async || {
        let swept = page.run("Remedy", turn.curfew, &[]).await.remove(0);
        (swept["drift"]["pages"] != 0).then_some(swept)
    })
    .await;
    assert_eq!(swept["drift"]["unchecked"], 0, "{swept}");
}

/// The stack has no timers that can't be delivered: a message as Scheduler leaves it is put into the queue by hand.
#[tokio::test]
async fn a_timer_that_could_not_be_delivered_is_found_and_done_by_hand() {
    let turn = turn().await;
    let person = turn.world.person().await;
    let id = turn.curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    turn.curfew.lose_schedule(&id).await;
    turn.age(&id, SignedDuration::from_hours(2)).await;
    let attribute = |value: &str| json!({ "DataType": "String", "StringValue": value });
    let message = json!({
        "QueueUrl": turn.curfew.output("TimerDeadLettersUrl"),
        "MessageBody": json!({ "grant_id": id, "trigger": "timer" }).to_string(),
        "MessageAttributes": { "ERROR_CODE": attribute("AccessDeniedException"), "ERROR_MESSAGE": attribute("no") },
    });
    turn.world.root().json("sqs", "AmazonSQS.SendMessage", &message).await.expect("a message");
    let alarm = Alarm::of("TimersUndelivered");
    alarm.watches("AWS/SQS", "ApproximateNumberOfMessagesVisible");
    assert!(alarm.is_beyond(turn.waiting("TimerDeadLettersUrl").await));

    let page = Page::of("TimersUndelivered");
    let seen = page.run("First look", turn.curfew, &[("grant", &id)]).await;
    assert!(seen[0]["Messages"][0]["Body"].as_str().is_some_and(|body| body.contains(&id)), "{seen:?}");
    assert_eq!(
        seen[0]["Messages"][0]["MessageAttributes"]["ERROR_CODE"]["StringValue"],
        "AccessDeniedException"
    );
    assert_eq!(seen[1]["Item"]["state"]["S"], "active", "{seen:?}");
    let answered = page.run("Remedy", turn.curfew, &[("grant", &id)]).await;
    assert_eq!(answered[0]["ok"], true, "{answered:?}");
    assert_gone("after the remedy", turn.curfew, &person, &id, "expired").await;
    assert!(!alarm.is_beyond(turn.waiting("TimerDeadLettersUrl").await));
}
