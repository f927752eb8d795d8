//! Functions that fail, and functions that are not let run.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_tests::until;
use http::Method;
use serde_json::{Value, json};

use super::document::template;
use super::page::Page;
use super::watch::Alarm;
use super::{Turn, names, turn};

/// How Lambda invokes what nobody waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Lambda says of an invocation: that it was taken, or the code it was refused with.
async fn invoked(turn: &Turn, function: Function, kind: &str) -> Result<(), String> {
    let name = turn.curfew.deployment().function(function).expect("an output");
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let kind = [("x-amz-invocation-type", kind)];
    let said = turn.world.root().rest("lambda", Method::POST, &path, &kind, b"{}").await;
    said.map(drop).map_err(|refused| refused.code)
}

#[tokio::test]
async fn a_lap_that_fails_is_kept_with_its_error_until_it_is_understood() {
    let turn = turn().await;
    turn.deny("SweepRoleArn", Some("dynamodb:Query")).await;
    assert_eq!(invoked(&turn, Function::Sweep, "Event").await, Ok(()));
    let failed = Alarm::of("InvocationsFailed");
    failed.watches("AWS/SQS", "ApproximateNumberOfMessagesVisible");
    until("what failed is kept", PATIENCE, async || {
        failed.is_beyond(turn.waiting("FailedInvocationsUrl").await).then_some(())
    })
    .await;
    let direct = turn.curfew.invoke(Function::Sweep, &json!({})).await;
    assert!(direct.error.is_some(), "{direct:?}");
    let failing = Alarm::of("FunctionsFailing");
    failing.sums("Errors");
    assert!(failing.is_beyond(1.0) && !failing.is_beyond(0.0));

    let page = Page::of("InvocationsFailed");
    let seen = page.run("First look", turn.curfew, &[]).await;
    let body: Value =
        serde_json::from_str(seen[0]["Messages"][0]["Body"].as_str().expect("a message")).expect("JSON");
    assert!(
        body["requestContext"]["functionArn"].as_str().is_some_and(|arn| arn.contains("-sweep")),
        "{body}"
    );
    assert!(body["responsePayload"]["errorMessage"].is_string(), "{body}");
    let killed = "2026-11-21T03:00:00.000Z 5b0c Task timed out after 55.00 seconds\nRequestId: 5b0c Error: Runtime exited \
                  with error: signal: killed";
    assert_eq!(
        Page::of("FunctionsFailing").first_look(killed).len(),
        2,
        "what Lambda itself says of a function's end"
    );
    let seen = Page::of("FunctionsFailing").run("First look", turn.curfew, &[]).await;
    assert!(names(&seen[0], "could not find out what is due"), "{seen:?}");

    turn.deny("SweepRoleArn", None).await;
    let swept = Page::of("FunctionsFailing").run("Remedy", turn.curfew, &[]).await;
    assert!(swept[0]["due"].is_u64(), "{swept:?}");
    let any = turn.world.person().await;
    let id = turn.curfew.grant(&curfew_tests::Approval::of(&any, "acme", "reader")).await;
    let done = page.run("Remedy", turn.curfew, &[("grant", &id)]).await;
    assert!(done[0]["due"].is_u64() && done[1]["records"].as_u64() > Some(0), "{done:?}");
    assert!(!failed.is_beyond(turn.waiting("FailedInvocationsUrl").await));
}

#[tokio::test]
async fn a_function_that_somebody_stopped_is_found_and_let_go() {
    let turn = turn().await;
    let name = turn.curfew.deployment().function(Function::Revoke).expect("an output");
    let stop = [
        "lambda",
        "put-function-concurrency",
        "--function-name",
        name,
        "--reserved-concurrent-executions",
        "0",
    ];
    let root = turn.world.command_line(curfew_cli::stack::ACCOUNT);
    root.run(stop).await.expect("a function that is stopped");
    let refused = invoked(&turn, Function::Revoke, "RequestResponse").await;
    assert_eq!(refused, Err("TooManyRequestsException".to_owned()));
    let alarm = Alarm::of("FunctionsThrottled");
    alarm.sums("Throttles");
    assert!(alarm.is_beyond(1.0) && !alarm.is_beyond(0.0));

    let page = Page::of("FunctionsThrottled");
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert_eq!(seen[0]["ReservedConcurrentExecutions"], 0, "{seen:?}");
    assert!(seen[1]["AccountLimit"].is_object(), "{seen:?}");
    let configured = template("template.yaml")["Parameters"]["RevokeReservedConcurrency"]["Default"].clone();
    let reserved = configured.as_str().expect("a default");
    page.run("Remedy", turn.curfew, &[("reserved", reserved)]).await;
    let seen = page.run("First look", turn.curfew, &[]).await;
    assert_eq!(seen[0]["ReservedConcurrentExecutions"].to_string(), reserved, "as it was deployed: {seen:?}");
    assert_eq!(invoked(&turn, Function::Revoke, "RequestResponse").await, Ok(()));
}
