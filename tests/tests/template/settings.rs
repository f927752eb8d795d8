//! How the ledger is kept, and what the functions are told.

use std::cell::RefCell;
use std::collections::BTreeSet;

use curfew_domain::transition::CLOSER_HEADSTART;
use curfew_runtime::config::{
    AuditConfig, CommonConfig, ConsoleConfig, DRIFT_EVERY_DEFAULT, DRIFT_MARGIN_DEFAULT, GrantConfig,
    SOURCE_PER_MINUTE_DEFAULT, SWEEP_GRACE_DEFAULT, SweepConfig,
};
use curfew_runtime::invocation::{LEASE_GRACE, WIND_DOWN};
use curfew_runtime::telemetry::LOG_VARIABLE;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::document::{listed, possibilities, resources, template};

#[test]
fn the_ledger_is_encrypted_and_outlives_mistakes() {
    let template = template("template.yaml");
    let [(_, ledger)] = resources(&template, "AWS::DynamoDB::Table").try_into().expect("one table");
    // Not `RetainExceptOnCreate`: a protected table can not be deleted, and a rollback that tries fails.
    assert_eq!(ledger["DeletionPolicy"], "Retain");
    assert_eq!(ledger["UpdateReplacePolicy"], "Retain");
    let properties = &ledger["Properties"];
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(properties["SSESpecification"]["SSEType"], "KMS");
    // On, unless somebody says otherwise.
    assert_eq!(properties["DeletionProtectionEnabled"], json!({ "Fn::If": ["ProtectsLedger", true, false] }));
    let protects = json!({ "Fn::Equals": [{ "Ref": "DeletionProtection" }, "true"] });
    assert_eq!(template["Conditions"]["ProtectsLedger"], protects);
    assert_eq!(template["Parameters"]["DeletionProtection"]["Default"], "true");
    // Found through an index, decided on the item: nothing of it is copied but what the console shows, and of that nothing
    // that changes without the console's having to show it.
    for index in properties["GlobalSecondaryIndexes"].as_array().expect("indexes") {
        let projection = &index["Projection"];
        if ["live_by_tenant", "reviews"].contains(&index["IndexName"].as_str().unwrap_or_default()) {
            assert_eq!(projection["ProjectionType"], "INCLUDE", "{index}");
            for inner in ["grant", "claim", "version", "due_order", "lease_until"] {
                assert!(
                    !listed(&projection["NonKeyAttributes"]).contains(&&json!(inner)),
                    "{index}: {inner}"
                );
            }
        } else {
            assert_eq!(*projection, json!({ "ProjectionType": "KEYS_ONLY" }), "{index}");
        }
    }
}

#[test]
fn queues_are_encrypted_and_the_secret_is_born_without_a_source() {
    let template = template("template.yaml");
    for (name, queue) in resources(&template, "AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
        assert_eq!(
            queue["Properties"]["MessageRetentionPeriod"], 1_209_600,
            "{name}: as long as SQS keeps it"
        );
    }
    let [(_, secret)] = resources(&template, "AWS::SecretsManager::Secret").try_into().expect("one secret");
    assert_eq!(secret["Properties"]["SecretString"], "{}");
}

/// What a configuration asks the environment for.
fn asked(read: impl FnOnce(&dyn Fn(&str) -> Option<String>)) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    read(&|name| {
        names.borrow_mut().insert(name.to_owned());
        None
    });
    names.into_inner()
}

#[test]
fn functions_are_told_what_they_read_and_nothing_else() {
    let template = template("template.yaml");
    let variables = |value: &Value| -> BTreeSet<String> {
        let variables = value["Environment"]["Variables"].as_object().into_iter().flatten();
        variables.map(|(name, _)| name.clone()).collect()
    };
    let everyone = variables(&template["Globals"]["Function"]);
    let set = |function: &str| -> BTreeSet<String> {
        let own = variables(&template["Resources"][function]["Properties"]);
        assert!(own.is_disjoint(&everyone), "{function} is told twice: {own:?}");
        // Lambda's own, and what is rightly left at its default: it is in the package.
        let defaults = ["AWS_LAMBDA_FUNCTION_NAME"].map(str::to_owned);
        everyone.iter().cloned().chain(own).chain(defaults).collect()
    };
    let logging = |mut asked: BTreeSet<String>| {
        asked.insert(LOG_VARIABLE.to_owned());
        asked
    };
    let packaged = |mut asked: BTreeSet<String>, folders: &[&str]| {
        assert!(asked.remove("LAMBDA_TASK_ROOT") && folders.iter().all(|folder| asked.remove(*folder)));
        asked.insert(LOG_VARIABLE.to_owned());
        asked
    };
    let grant = asked(|lookup| drop(GrantConfig::read(lookup)));
    let grant = packaged(grant, &["CURFEW_CATALOG", "CURFEW_GUARDRAILS", "CURFEW_SENDERS"]);
    assert_eq!(set("GrantFunction"), grant);
    let sweep = asked(|lookup| drop(SweepConfig::read(lookup)));
    assert_eq!(set("SweepFunction"), packaged(sweep, &["CURFEW_CATALOG"]));
    assert_eq!(set("RevokeFunction"), logging(asked(|lookup| drop(CommonConfig::read(lookup)))));
    // It tells no metrics, and so need not know what it is called.
    let mut console = logging(asked(|lookup| drop(ConsoleConfig::read(lookup))));
    console.insert("AWS_LAMBDA_FUNCTION_NAME".to_owned());
    assert_eq!(set("ConsoleFunction"), console);
    let mut audit = logging(asked(|lookup| drop(AuditConfig::read(lookup))));
    assert!(audit.remove("AWS_REGION"), "Lambda's own, too");
    assert_eq!(set("AuditFunction"), audit);
}

/// Whoever starts a function without the template gets what the template says.
#[test]
fn defaults_are_the_same_in_the_template_and_in_the_functions() {
    let template = template("template.yaml");
    let default = |parameter: &str| template["Parameters"][parameter]["Default"].clone();
    assert_eq!(default("SweepGraceSeconds"), SWEEP_GRACE_DEFAULT.as_secs());
    assert_eq!(default("SourcePerMinute"), SOURCE_PER_MINUTE_DEFAULT);
    assert_eq!(default("DriftMinutes"), DRIFT_EVERY_DEFAULT.as_mins());
    assert_eq!(default("DriftMarginSeconds"), DRIFT_MARGIN_DEFAULT.as_secs());
    assert_eq!(default("DriftResponse"), "close");
}

fn seconds(value: &Value) -> SignedDuration {
    SignedDuration::from_secs(value.as_i64().unwrap_or_else(|| panic!("{value} is not a number of seconds")))
}

#[test]
fn functions_end_before_whoever_waits_for_them_gives_up() {
    let template = template("template.yaml");
    let timeout = |function: &str| seconds(&template["Resources"][function]["Properties"]["Timeout"]);
    let event = &template["Resources"]["GrantFunction"]["Properties"]["Events"]["Webhook"]["Properties"];
    let gateway = SignedDuration::from_millis(event["TimeoutInMillis"].as_i64().expect("a time limit"));
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    assert!(gateway <= SignedDuration::from_secs(30), "an HTTP API waits for 30 s at most");
    assert!(timeout("GrantFunction") < gateway, "the sender hears the function and not the gateway");
    // Whoever began a removal has it for themselves until it can't be running any more.
    for function in ["GrantFunction", "RevokeFunction"] {
        assert!(timeout(function) <= CLOSER_HEADSTART, "{function}");
    }
    let sweep = &template["Resources"]["SweepFunction"]["Properties"];
    assert_eq!(sweep["Events"]["EveryMinute"]["Properties"]["Schedule"], "rate(1 minute)");
    assert!(timeout("SweepFunction") < SignedDuration::from_mins(1), "laps don't overlap");
    assert!(timeout("SweepFunction") > WIND_DOWN + WIND_DOWN, "most of a lap is for work");
    assert!(LEASE_GRACE > SignedDuration::ZERO, "a lease outlives its invocation");
    assert_eq!(sweep["EventInvokeConfig"]["MaximumRetryAttempts"], 0, "the next lap is the retry");
}

/// What one function uses up must not stop another, least of all what ends access.
#[test]
fn every_function_has_its_part_of_the_accounts_concurrency() {
    let template = template("template.yaml");
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let short = name.strip_suffix("Function").expect("a function's name");
        let parameter = format!("{short}ReservedConcurrency");
        let reserved = json!({
            "Fn::If": [format!("ReservesFor{short}"), { "Ref": parameter }, { "Ref": "AWS::NoValue" }],
        });
        assert_eq!(function["Properties"]["ReservedConcurrentExecutions"], reserved, "{name}");
        let default = template["Parameters"][&parameter]["Default"].as_str().unwrap_or_default();
        assert!(default.parse::<u16>().is_ok_and(|some| some > 0), "{name}: {default:?}");
        // 0 would switch off what ends access, or what keeps the evidence.
        if ["RevokeFunction", "SweepFunction", "AuditFunction"].contains(&name) {
            let pattern = &template["Parameters"][&parameter]["AllowedPattern"];
            assert_eq!(pattern, "^([1-9][0-9]{0,3})?$", "{name}");
        }
    }
    // A lap may begin while Lambda still clears away the one before.
    assert_eq!(template["Parameters"]["SweepReservedConcurrency"]["Default"], "2");
}

/// A failure that nobody is told of is none that anybody mends.
#[test]
fn every_function_logs_where_logs_are_kept_and_failures_have_a_queue_and_an_alarm() {
    let template = template("template.yaml");
    let functions = resources(&template, "AWS::Serverless::Function");
    assert_eq!(functions.len(), 5);
    for (name, function) in functions {
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str().expect("a log group");
        let retention = &template["Resources"][group]["Properties"]["RetentionInDays"];
        assert_eq!(*retention, json!({ "Ref": "LogRetentionDays" }), "{name}");
        // API Gateway waits for `grant`, the dashboard and the terminal wait for `console`.
        if name != "GrantFunction" && name != "ConsoleFunction" {
            let failed =
                &function["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"];
            assert_eq!(*failed, json!({ "Fn::GetAtt": "FailedInvocations.Arn" }), "{name}");
        }
    }
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    for (name, alarm) in &alarms {
        let actions = possibilities(&alarm["Properties"]["AlarmActions"]);
        assert_eq!(actions, [&json!([{ "Ref": "AlarmTopicArn" }])], "{name}");
    }
    for queue in ["TimerDeadLetters", "FailedInvocations"] {
        let attribute = json!({ "Fn::GetAtt": format!("{queue}.QueueName") });
        let watched =
            alarms.iter().any(|(_, alarm)| alarm["Properties"]["Dimensions"][0]["Value"] == attribute);
        assert!(watched, "nobody watches {queue}");
    }
    // Behind the HTTP API and behind the function's own URL, which does not pass it; and what the sweep finds out.
    for metric in ["5xx", "Url5xxCount", "RevocationFailures", "SweepBacklog", "DriftFound", "DriftUnchecked"]
    {
        let watched = alarms.iter().any(|(_, alarm)| alarm["Properties"]["MetricName"] == metric);
        assert!(watched, "nobody hears of {metric}");
    }
}
