//! What the functions log: lines that machines read, about grants that can be found, without a secret in any.

use curfew_cli::artifacts::Function;
use curfew_tests::{Approval, Curfew, Flavour, World, minute_after, now, reached, ticket_closed, world};
use serde_json::{Value, json};

/// What Lambda itself writes around an invocation.
fn is_lambdas(line: &str) -> bool {
    ["START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_START"]
        .iter()
        .any(|word| line.starts_with(word))
}

async fn lines(world: &World, curfew: &Curfew, function: Function) -> Vec<Value> {
    let lines = curfew.deployment().log(world.stack(), function).await.expect("a log");
    let own =
        lines.iter().flat_map(|message| message.lines()).filter(|line| !line.is_empty() && !is_lambdas(line));
    own.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

/// As CloudWatch reads it: whatever is not right it drops in silence.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn assert_metric(line: &Value, function: &str) {
    let written = line["_aws"]["Timestamp"].as_i64().expect("milliseconds");
    assert!((now().as_millisecond() - written).abs() < 3_600_000, "{line}");
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().expect("directives");
    assert_eq!(directives.len(), 1, "{line}");
    for directive in directives {
        assert_eq!(directive["Namespace"], "Curfew");
        for name in directive["Dimensions"]
            .as_array()
            .expect("dimension sets")
            .iter()
            .flat_map(Value::as_array)
            .flatten()
        {
            assert!(
                line[name.as_str().expect("a name")].is_string(),
                "no value for dimension {name}: {line}"
            );
        }
        let metrics = directive["Metrics"].as_array().expect("metrics");
        assert!(!metrics.is_empty(), "{line}");
        for metric in metrics {
            assert!(
                line[metric["Name"].as_str().expect("a name")].is_number(),
                "no value of {metric}: {line}"
            );
        }
    }
    assert_eq!(line["Function"], function, "{line}");
}

fn count(lines: &[Value], metric: &str) -> u64 {
    lines.iter().filter_map(|line| line[metric].as_u64()).sum()
}

#[tokio::test]
async fn logs_are_json_name_their_grant_and_hold_no_secret() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let ends = minute_after(12);
    let approval = Approval::of(&person, "acme", "reader").until(ends);
    let id = curfew.grant(&approval).await;
    let other = Approval::of(&person, "acme", "table-reader");
    curfew.grant(&other).await;
    curfew.post(&ticket_closed(other.ticket_id())).await;
    curfew
        .approve(&Approval::of(&person, "acme", "reader").with("requester", json!("nobody@example.test")))
        .await;
    let forged = curfew.secret().sign("msg_forged", now(), b"{}").expect("a signature");
    let forged = curfew_cli::webhook::Delivery { body: b"[]".to_vec(), ..forged };
    assert_eq!(forged.post(&curfew.url()).await.expect("an answer").status, 401);
    // Every other test of this binary adds its lines meanwhile.
    reached(ends).await;
    curfew.record_in("closed", &id, crate::support::TIMER_PATIENCE).await;
    curfew.invoke(Function::Sweep, &json!({})).await;

    let mut all = Vec::new();
    for function in [Function::Grant, Function::Revoke, Function::Sweep] {
        let name = curfew.deployment().function(function).expect("an output").to_owned();
        let lines = lines(world, curfew, function).await;
        assert!(!lines.is_empty(), "{name} logs nothing");
        for line in &lines {
            if line["_aws"].is_object() {
                assert_metric(line, &name);
            } else {
                for field in ["timestamp", "level", "message"] {
                    assert!(line[field].is_string(), "no `{field}`: {line}");
                }
            }
        }
        all.push(lines);
    }
    let [grant, revoke, sweep] = all.as_slice() else { panic!("three functions") };
    assert!(count(grant, "Requested") >= 3 && count(grant, "Activated") >= 2 && count(grant, "Revoked") >= 1);
    assert!(grant.iter().any(|line| line["Denied"] == 1 && line["Reason"] == "unknown-person"));
    assert!(grant.iter().any(|line| line["Unverified"] == 1 && line["Reason"].is_string()));
    assert!(count(revoke, "Revoked") >= 1 && revoke.iter().any(|line| line["RevocationLagSeconds"].is_u64()));
    assert!(sweep.iter().any(|line| line["SweepBacklog"].is_u64()));
    for lines in [grant, revoke] {
        let about = |line: &&Value| line["grant.id"] == id.as_str() && line["ticket"] == approval.ticket_id();
        let told = lines.iter().find(about).unwrap_or_else(|| panic!("no line about grant {id}"));
        assert!(told["message"].as_str().is_some_and(|message| message.contains(&id)), "{told}");
    }

    let everything = json!(all).to_string();
    let secrets = [curfew.secret().reveal(), curfew.secret().reveal().trim_start_matches("whsec_")];
    let shapes = ["whsec_", "SecretAccessKey", "SessionToken", "AWS4-HMAC-SHA256", "x-amz-security-token"];
    for secret in secrets.into_iter().chain(shapes).chain([
        person.keys.credentials().secret_access_key.as_str(),
        forged.signature.trim_start_matches("v1,"),
    ]) {
        assert!(!everything.contains(secret), "the logs hold `{}…`", &secret[..secret.len().min(12)]);
    }
    // Nor a document or a body, which nobody needs there.
    assert!(!everything.contains("aws:CurrentTime") && !everything.contains("justification"));
}
