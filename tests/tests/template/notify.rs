//! The examples in `infra/notify/`, against the records that Curfew really writes: a pattern that would never match, a
//! path that is not there, or a text that would break the request goes red here and not in somebody's channel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use curfew_app::ports::DeniedRequest;
use curfew_audit::checkpoint::{Draft, Signature, Signed};
use curfew_audit::ports::Notice;
use curfew_audit::record::{Attached, Mapping, Origin, Record, Subject};
use curfew_domain::event::Event;
use curfew_domain::ids::{Email, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::document::{listed, possibilities, resources, template};

const SOURCE: &str = "tracker";

/// Words that somebody chose to break what they are put into.
const HOSTILE: &str = "\"}],\"x\":[{\"y\":\"<!channel> <https://evil.example|click> \\ \n\t\u{7}";

/// What an operator fills in.
fn parameters() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("BusName", "curfew"),
        ("SecretId", "curfew/notify"),
        ("SecretVersion", "1"),
        ("AlarmTopicArn", ""),
        ("Channel", "C024BE91L"),
        ("What", "trouble"),
        ("Site", "example.atlassian.net"),
        ("Instance", "example.service-now.com"),
        ("ResourcePath", "/api/x_curfew/note"),
        ("Endpoint", "https://http-inputs-example.splunkcloud.com/services/collector/event"),
        ("HeaderName", "Authorization"),
        ("Format", "splunk"),
        ("SourceName", SOURCE),
    ])
}

fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/notify");
    let names =
        std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| name.ends_with(".yaml"));
    names.sort();
    assert_eq!(names, ["jira.yaml", "servicenow.yaml", "siem.yaml", "slack.yaml"]);
    names
}

/// A template with its parameters filled in; conditions stay.
fn filled_in(value: &Value) -> Value {
    let parameters = parameters();
    if let Some(name) = value["Ref"].as_str().filter(|_| value.is_object()) {
        return parameters.get(name).map_or_else(|| value.clone(), |value| json!(value));
    }
    if let Some(text) = value["Fn::Sub"].as_str().filter(|_| value.is_object()) {
        let fill = |text: String, (name, value): (&&str, &&str)| text.replace(&format!("${{{name}}}"), value);
        return json!(parameters.iter().fold(text.to_owned(), fill));
    }
    match value {
        Value::Array(items) => items.iter().map(filled_in).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), filled_in(item))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Collects the names of all conditions that a value depends on.
fn conditions(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let condition = map.get("Fn::If").and_then(|branches| branches[0].as_str());
            names.extend(condition.map(str::to_owned));
            map.values().for_each(|item| conditions(item, names));
        }
        Value::Array(items) => items.iter().for_each(|item| conditions(item, names)),
        _ => {}
    }
}

/// A value where the conditions in `hold` are true, and all others false.
fn decided(value: &Value, hold: &BTreeSet<String>) -> Value {
    match value {
        Value::Object(map) => match map.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice) {
            Some([name, then, otherwise]) => {
                let holds = name.as_str().is_some_and(|name| hold.contains(name));
                decided(if holds { then } else { otherwise }, hold)
            }
            _ => {
                let fields = map.iter().map(|(key, item)| (key.clone(), decided(item, hold)));
                // A property that is not there.
                let fields = fields.filter(|(_, item)| item["Ref"] != "AWS::NoValue");
                Value::Object(fields.collect::<Map<_, _>>())
            }
        },
        Value::Array(items) => items.iter().map(|item| decided(item, hold)).collect(),
        scalar => scalar.clone(),
    }
}

/// What a value is under each combination of its conditions; first, where all of them hold.
fn variants(value: &Value) -> Vec<Value> {
    let mut names = BTreeSet::new();
    conditions(value, &mut names);
    let hold = |combination: usize| -> BTreeSet<String> {
        let held = names.iter().enumerate().filter(|(n, _)| (combination >> n) & 1 == 0);
        held.map(|(_, name)| name.clone()).collect()
    };
    (0..1_usize << names.len()).map(|combination| decided(value, &hold(combination))).collect()
}

/// A rule's pattern and target, as EventBridge has them.
struct Rule {
    example: String,
    pattern: Value,
    target: Value,
}

fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for example in examples() {
        let template = template(&format!("notify/{example}"));
        let [(_, rule)] = resources(&template, "AWS::Events::Rule").try_into().expect("one rule");
        for rule in variants(&filled_in(&rule["Properties"])) {
            assert_eq!(rule["EventBusName"], "curfew", "{example}: Curfew's bus, and not the default one");
            let targets = &rule["Targets"];
            let [target] = targets.as_array().expect("targets").as_slice() else {
                panic!("one target: {targets}")
            };
            let (pattern, target) = (rule["EventPattern"].clone(), target.clone());
            rules.push(Rule { example: example.clone(), pattern, target });
        }
    }
    assert!(rules.len() > examples().len());
    rules
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn proof() -> Value {
    json!({ "found": "deleted", "at": "2026-11-21T10:00:00Z", "aws_request_id": "r-1" })
}

/// One of each fact. That none is missing, the domain's compiler sees to where facts are matched; here it is counted.
fn facts() -> Vec<Value> {
    let request = json!({
        "source": SOURCE, "ticket": "OPS-42", "requester": "ana+x@example.com", "tenant": "acme", "role": "prod-ops",
        "window": {}, "approvals": [{ "approver": "bo@example.com", "at": "2026-11-21T09:00:00Z" }],
        "justification": HOSTILE, "delivery": "msg_1"
    });
    let window = json!({ "starts_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T11:00:00Z" });
    let timer = json!({
        "kind": "scheduler", "name": "curfew-g-1", "fires_at": "2026-11-21T11:00:00Z", "overdue_at": "2026-11-21T11:01:00Z"
    });
    let lease = "2026-11-21T10:01:00Z";
    let change = json!({
        "request": request, "catalog_digest": "c", "guardrails_digest": "g", "from": window, "to": window,
        "timer": timer, "lease_until": lease
    });
    let of = |kind: &str, fields: Value| {
        let mut fact = fields;
        fact["type"] = json!(kind);
        fact
    };
    vec![
        of("Requested", json!({ "request": request, "catalog_digest": "c", "guardrails_digest": "g" })),
        of("Opened", json!({ "access": HOSTILE, "window": window, "timer": timer, "lease_until": lease })),
        of("Activated", json!({ "attached": proof(), "timer_set": proof() })),
        of("Extended", change.clone()),
        of("Shortened", change),
        of("ChangeResumed", json!({ "lease_until": lease })),
        of("DriftFound", json!({ "drift": "edited", "response": "close" })),
        of("DriftRemoved", json!({ "access": proof() })),
        of("Expired", json!({})),
        of("RevocationRequested", json!({ "reason": HOSTILE })),
        of("OpeningFailed", json!({ "reason": HOSTILE })),
        of("ReviewOwed", json!({ "reason": HOSTILE })),
        of("Reviewed", json!({ "note": HOSTILE })),
        of("RevocationFailed", json!({ "error": HOSTILE, "failures": 3, "retry_at": lease })),
        of("Revoked", json!({ "outcome": "revoked", "access": proof() })),
    ]
}

/// A notice as it stands on the bus.
fn on_the_bus(notice: &Notice) -> Value {
    json!({
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": notice.name,
        "source": "curfew",
        "account": "111122223333",
        "time": notice.at,
        "region": "eu-central-1",
        "resources": notice.principal.iter().collect::<Vec<_>>(),
        "detail": serde_json::from_str::<Value>(&notice.detail).expect("JSON"),
    })
}

/// One of everything that Curfew puts on its bus, in a version of OCSF.
fn events(mapping: Mapping) -> Vec<Value> {
    let origin = Origin {
        stack: "curfew".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        version: "0.1.0",
    };
    let subject = Subject {
        source: Source::new(SOURCE).expect("a source"),
        ticket: TicketId::new("OPS-42").expect("a ticket"),
        requester: Email::new("ana+x@example.com").expect("an address"),
        tenant: TenantId::new("acme").expect("a tenant"),
        role: RoleName::new("prod-ops").expect("a role"),
        principal: Principal::parse("arn:aws:iam::111122223333:user/eng/ana").expect("a principal"),
        access: Attached::Inline("curfew-g-1".to_owned()),
        privileged: true,
    };
    let mut events = Vec::new();
    for (n, fact) in facts().into_iter().enumerate() {
        let event: Event = serde_json::from_value(json!({
            "grant_id": "g-aaaaaaaaaaaaaaaaaaaaaaaaa7", "seq": n + 1, "at": "2026-11-21T10:00:00Z",
            "actor": { "kind": "operator", "name": HOSTILE.replace(|c: char| !c.is_ascii_graphic(), " ") }, "fact": fact,
            "prev": "0".repeat(64)
        }))
        .expect("an event");
        let record = Record::of_event(mapping, &origin, &subject, &event.canonical()).expect("a record");
        events.push(on_the_bus(&Notice::from(&record)));
    }
    let request = serde_json::from_value(facts()[0]["request"].clone()).expect("a request");
    let denied = DeniedRequest::of(&request, "self-approval", HOSTILE, at("2026-11-21T10:00:00Z"));
    events.push(on_the_bus(&Notice::from(&Record::of_denial(mapping, &origin, &denied))));
    let (until, sealed_at) = (at("2026-11-21T10:00:00Z"), at("2026-11-21T10:05:00Z"));
    let statement = Draft::new("curfew", None, until, sealed_at).expect("a period").finish();
    let signature = Signature { algorithm: String::new(), key_id: "k".to_owned(), value: String::new() };
    events.push(on_the_bus(&Notice::from(&Signed { statement, signature })));
    events
}

/// Whether an event matches a pattern. Knows the operators that the examples use, and no others
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html>).
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, wanted)| matches(wanted, &event[name])),
        Value::Array(wanted) => wanted.iter().any(|wanted| match event {
            Value::Array(values) => values.iter().any(|value| is(wanted, value)),
            value => is(wanted, value),
        }),
        other => panic!("a leaf of a pattern is a list: {other}"),
    }
}

fn is(wanted: &Value, value: &Value) -> bool {
    let Some(operator) = wanted.as_object() else { return wanted == value };
    let [(name, operand)] = operator.iter().collect::<Vec<_>>().try_into().expect("one operator");
    match (name.as_str(), operand) {
        ("exists", Value::Bool(wanted)) => value.is_null() != *wanted,
        ("numeric", Value::Array(operands)) => match operands.as_slice() {
            [Value::String(sign), Value::Number(bound)] if sign == ">=" => {
                value.as_f64().zip(bound.as_f64()).is_some_and(|(value, bound)| value >= bound)
            }
            other => panic!("unknown here: {other:?}"),
        },
        ("anything-but", but) => {
            let wildcards = listed(&but["wildcard"]);
            assert!(!wildcards.is_empty(), "unknown here: {but}");
            value.as_str().is_some_and(|text| {
                !wildcards.iter().any(|wildcard| like(wildcard.as_str().expect("a wildcard"), text))
            })
        }
        (other, _) => panic!("unknown here: {other}"),
    }
}

/// Whether a text is like `*part*`.
fn like(wildcard: &str, text: &str) -> bool {
    let part = wildcard.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'));
    let part = part.filter(|part| !part.contains('*')).unwrap_or_else(|| panic!("unknown here: {wildcard}"));
    text.contains(part)
}

/// What is at a path; none, if the event has nothing there: then EventBridge leaves the placeholder's place empty.
fn at_path<'a>(path: &str, event: &'a Value) -> Option<&'a Value> {
    let steps = path.strip_prefix("$.").unwrap_or_else(|| panic!("not a path: {path}"));
    steps.split('.').try_fold(event, |value, step| value.get(step))
}

/// What EventBridge makes of a template: values are put in as they are, not escaped
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues>).
fn rendered(transformer: &Value, event: &Value, who: &str) -> String {
    let paths = transformer["InputPathsMap"].as_object().unwrap_or_else(|| panic!("{who}: no paths"));
    let mut text = transformer["InputTemplate"].as_str().expect("a template").to_owned();
    for (name, path) in paths {
        let path = path.as_str().expect("a path");
        let value = at_path(path, event).unwrap_or_else(|| panic!("{who}: nothing is at {path}"));
        let placeholder = format!("<{name}>");
        assert!(text.contains(&placeholder), "{who}: {placeholder} is used nowhere");
        let put_in = match value {
            Value::String(plain) => {
                let is_plain = plain.chars().all(|c| !c.is_control() && !"\"\\<>".contains(c));
                assert!(is_plain, "{who}: {path} can hold somebody's own words: {plain}");
                plain.clone()
            }
            // Whole values are JSON already; inside of a text they would not be.
            value => {
                assert!(!text.contains(&format!("\"{placeholder}")), "{who}: {placeholder} is no text");
                value.to_string()
            }
        };
        text = text.replace(&placeholder, &put_in);
    }
    text
}

#[test]
fn every_pattern_matches_something_that_curfew_tells_and_names_nothing_else() {
    for mapping in [Mapping::V1_8, Mapping::V1_9] {
        let events = events(mapping);
        assert_eq!(events.len(), 17, "all facts, a denial and a checkpoint");
        let names: BTreeSet<&str> = events.iter().filter_map(|event| event["detail-type"].as_str()).collect();
        for Rule { example, pattern, .. } in rules() {
            let matched: BTreeSet<&str> = events
                .iter()
                .filter(|event| matches(&pattern, event))
                .filter_map(|event| event["detail-type"].as_str())
                .collect();
            assert!(!matched.is_empty(), "{example}: matches nothing");
            for named in listed(&pattern["detail-type"]) {
                let named = named.as_str().expect("a name");
                assert!(names.contains(named), "{example}: there is no event {named}");
            }
            // Without conditions on more than the name, each name that is listed matches.
            if pattern["detail"]["severity_id"][0]["numeric"].is_null() {
                for named in listed(&pattern["detail-type"]) {
                    assert!(
                        matched.contains(named.as_str().expect("a name")),
                        "{example}: {named} never matches"
                    );
                }
            }
        }
    }
}

#[test]
fn each_example_tells_what_it_is_for() {
    let events = events(Mapping::V1_8);
    let told = |example: &str, variant: usize| -> Vec<String> {
        let of_example: Vec<Rule> = rules().into_iter().filter(|rule| rule.example == example).collect();
        let pattern = &of_example[variant].pattern;
        let matched = events.iter().filter(|event| matches(pattern, event));
        matched.map(|event| event["detail-type"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(told("siem.yaml", 0).len(), events.len(), "everything");
    let trouble = ["DriftFound", "DriftRemoved", "OpeningFailed", "ReviewOwed", "RevocationFailed", "Denied"]
        .map(str::to_owned);
    assert_eq!(told("slack.yaml", 0), trouble);
    assert!(told("slack.yaml", 1).len() > trouble.len());
    let answers = ["Activated", "Extended", "Shortened", "OpeningFailed", "ReviewOwed", "Revoked", "Denied"]
        .map(str::to_owned);
    assert_eq!(told("jira.yaml", 0), answers);
    assert_eq!(told("servicenow.yaml", 0), answers);
}

#[test]
fn another_sources_tickets_are_not_commented_and_no_ticket_leads_elsewhere() {
    let activated = events(Mapping::V1_8).swap_remove(2);
    for Rule { example, pattern, .. } in rules() {
        if !["jira.yaml", "servicenow.yaml"].contains(&&*example) {
            continue;
        }
        assert!(matches(&pattern, &activated), "{example}");
        let mut other = activated.clone();
        other["detail"]["unmapped"]["curfew"]["source"] = json!("another");
        assert!(!matches(&pattern, &other), "{example}");
        for ticket in ["OPS-42/../../user", "a:b", "x/transitions", "a..b"] {
            assert!(TicketId::new(ticket).is_ok(), "a ticket can be called so: {ticket}");
            let mut elsewhere = activated.clone();
            elsewhere["detail"]["unmapped"]["curfew"]["ticket"] = json!(ticket);
            assert_eq!(matches(&pattern, &elsewhere), example == "servicenow.yaml", "{example}: {ticket}");
        }
    }
}

#[test]
fn whatever_words_are_in_a_record_the_request_stays_what_it_was_meant_to_be() {
    for mapping in [Mapping::V1_8, Mapping::V1_9] {
        for Rule { example, pattern, target } in rules() {
            for event in events(mapping).iter().filter(|event| matches(&pattern, event)) {
                let who = format!("{example}: {}", event["detail-type"]);
                for path in listed(&target["HttpParameters"]["PathParameterValues"]) {
                    let path = path.as_str().expect("a path");
                    assert!(
                        at_path(path, event).is_some_and(Value::is_string),
                        "{who}: nothing is at {path}"
                    );
                }
                let body = match target["InputPath"].as_str() {
                    Some(path) => at_path(path, event).unwrap_or_else(|| panic!("{who}: {path}")).to_string(),
                    None => rendered(&target["InputTransformer"], event, &who),
                };
                let sent: Value =
                    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{who}: {error}: {body}"));
                assert!(sent.is_object(), "{who}");
                assert!(!body.contains("${"), "{who}: a parameter was not filled in: {body}");
                // Whoever gets a duplicate can tell.
                let id = event["detail"]["metadata"]["uid"].as_str().expect("an id");
                assert!(body.contains(id), "{who}: does not say which event it is");
                let with_words = example == "siem.yaml";
                assert_eq!(
                    body.contains("evil.example"),
                    with_words && event.to_string().contains("evil.example"),
                    "{who}"
                );
            }
        }
    }
}

#[test]
fn examples_call_one_destination_keep_their_secret_and_lose_nothing_unheard() {
    for example in examples() {
        let template = template(&format!("notify/{example}"));
        let one = |kind: &str| {
            let [(name, resource)] =
                resources(&template, kind).try_into().unwrap_or_else(|_| panic!("{example}: {kind}"));
            (name.to_owned(), resource["Properties"].clone())
        };
        let (_, rule) = one("AWS::Events::Rule");
        let target = &rule["Targets"][0];
        let (destination, called) = one("AWS::Events::ApiDestination");
        assert_eq!(target["Arn"], json!({ "Fn::GetAtt": format!("{destination}.Arn") }), "{example}");
        let endpoint = called["InvocationEndpoint"].to_string();
        assert!(endpoint.contains("https://") || endpoint.contains("Endpoint"), "{example}: {endpoint}");
        assert!(called["InvocationRateLimitPerSecond"].as_u64().is_some_and(|rate| rate > 0), "{example}");

        // What authorises comes from Secrets Manager when it is deployed, and stands in no parameter. It is read again
        // only if something else of the connection changes.
        let (_, connection) = one("AWS::Events::Connection");
        let described = connection["Description"]["Fn::Sub"].as_str().expect("a description");
        assert!(described.contains("${SecretVersion}"), "{example}: {described}");
        let secrets = ["ApiKeyValue", "Username", "Password"];
        let parameters = &connection["AuthParameters"];
        let values: Vec<&Value> = ["ApiKeyAuthParameters", "BasicAuthParameters"]
            .iter()
            .filter_map(|kind| parameters[*kind].as_object())
            .flatten()
            .filter(|(name, _)| secrets.contains(&name.as_str()))
            .map(|(_, value)| value)
            .collect();
        assert!(!values.is_empty(), "{example}");
        for value in values {
            let text = value["Fn::Sub"].as_str().unwrap_or_default();
            assert!(
                text.contains("{{resolve:secretsmanager:${SecretId}:SecretString:"),
                "{example}: {value}"
            );
        }
        if parameters["ApiKeyAuthParameters"].is_object() && example != "siem.yaml" {
            assert_eq!(parameters["ApiKeyAuthParameters"]["ApiKeyName"], "Authorization", "{example}");
        }

        // The role calls that destination and does nothing else, for this rule alone.
        let (role, properties) = one("AWS::IAM::Role");
        assert_eq!(target["RoleArn"], json!({ "Fn::GetAtt": format!("{role}.Arn") }), "{example}");
        let [policy] = properties["Policies"].as_array().expect("policies").as_slice() else {
            panic!("{example}")
        };
        let allowed = json!([{
            "Effect": "Allow", "Action": "events:InvokeApiDestination",
            "Resource": { "Fn::GetAtt": format!("{destination}.Arn") }
        }]);
        assert_eq!(policy["PolicyDocument"]["Statement"], allowed, "{example}");
        let trust = &properties["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Principal"]["Service"], "events.amazonaws.com", "{example}");
        assert_eq!(
            trust["Condition"]["StringEquals"]["aws:SourceAccount"],
            json!({ "Ref": "AWS::AccountId" })
        );
        let rule_arn = trust["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].as_str().expect("an ARN");
        assert!(rule_arn.ends_with(":rule/${BusName}/${AWS::StackName}"), "{example}: {rule_arn}");
        assert_eq!(rule["Name"], json!({ "Ref": "AWS::StackName" }), "{example}");

        // What can't be delivered is tried for a day, kept, and told.
        let retry = &target["RetryPolicy"];
        assert_eq!(
            (&retry["MaximumEventAgeInSeconds"], &retry["MaximumRetryAttempts"]),
            (&json!(86_400), &json!(185))
        );
        let (queue, properties) = one("AWS::SQS::Queue");
        assert_eq!(
            target["DeadLetterConfig"]["Arn"],
            json!({ "Fn::GetAtt": format!("{queue}.Arn") }),
            "{example}"
        );
        let kept = (&properties["SqsManagedSseEnabled"], &properties["MessageRetentionPeriod"]);
        assert_eq!(kept, (&json!(true), &json!(1_209_600)), "{example}");
        let (_, policy) = one("AWS::SQS::QueuePolicy");
        let statement = &policy["PolicyDocument"]["Statement"][0];
        assert_eq!(
            statement["Condition"],
            json!({ "ArnEquals": { "aws:SourceArn": { "Fn::GetAtt": "Rule.Arn" } } })
        );
        assert_eq!(statement["Action"], "sqs:SendMessage", "{example}");
        let (_, alarm) = one("AWS::CloudWatch::Alarm");
        let watched =
            json!([{ "Name": "QueueName", "Value": { "Fn::GetAtt": format!("{queue}.QueueName") } }]);
        assert_eq!(alarm["Dimensions"], watched, "{example}");
        assert_eq!(
            possibilities(&alarm["AlarmActions"]),
            [&json!([{ "Ref": "AlarmTopicArn" }])],
            "{example}"
        );
    }
}
