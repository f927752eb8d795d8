//! Who watches over it: alarms, the dashboard and saved queries are about metrics that there are, told by the function
//! that they are looked for at.
//!
//! That the alarms' conditions are told, and that their pages end them, is seen on the wire (`wire_faults/runbooks.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use curfew_domain::retry;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::document::{resources, template};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

/// Which functions tell a metric, as the page for operators says.
fn told_by() -> BTreeMap<String, Vec<String>> {
    let page = read("docs/operators.md");
    let (_, rest) = page.split_once("\n## Metrics\n").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let mut told = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let functions: Vec<String> = match cells[2] {
            "all" => ["grant", "revoke", "sweep"].map(str::to_owned).to_vec(),
            some => some.split(", ").map(str::to_owned).collect(),
        };
        for name in cells[1].trim_end_matches(['†', '‡']).trim().split(", ") {
            told.insert(name.trim_matches('`').to_owned(), functions.clone());
        }
    }
    told
}

/// `GrantFunction`, by the name of its output.
fn logical_id(function: &str) -> String {
    let (first, rest) = function.split_at(1);
    format!("{}{rest}Function", first.to_uppercase())
}

fn assert_told(whose: &str, metric: &str, function: &str, told: &BTreeMap<String, Vec<String>>) {
    let by = told.get(metric).unwrap_or_else(|| panic!("{whose}: docs/operators.md knows no `{metric}`"));
    assert!(by.iter().any(|of| logical_id(of) == function), "{whose}: {function} does not tell `{metric}`");
}

#[test]
fn the_page_on_metrics_has_all_that_are_told_and_no_others() {
    let source = read("shared/runtime/src/metrics.rs");
    let (code, _) = source.split_once("\nmod tests {").unwrap();
    let documented: BTreeSet<String> = told_by().into_keys().collect();
    // A metric's name is a word in quotes that begins with a capital, and is no dimension, unit or member of the format.
    let others = [
        "Function",
        "Reason",
        "Source",
        "Count",
        "Seconds",
        "Timestamp",
        "CloudWatchMetrics",
        "Namespace",
        "Dimensions",
        "Metrics",
        "Name",
        "Unit",
        "Curfew",
    ];
    let words = code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
        line.split('"').skip(1).step_by(2).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
    });
    let told: BTreeSet<String> = words.filter(|word| !others.contains(word)).map(str::to_owned).collect();
    assert_eq!(documented, told);
}

#[test]
fn alarms_listen_to_whoever_tells_their_metric() {
    let (template, told) = (template("template.yaml"), told_by());
    let mut seen = 0;
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let on_several = properties["Metrics"].as_array().into_iter().flatten();
        let metrics = on_several.filter_map(|of| of["MetricStat"].get("Metric")).chain([properties]);
        for metric in metrics.filter(|metric| metric["Namespace"] == "Curfew") {
            let function = metric["Dimensions"][0]["Value"]["Ref"].as_str().unwrap();
            assert_told(name, metric["MetricName"].as_str().unwrap(), function, &told);
            seen += 1;
        }
        // What is not told is no news, but for those whose silence is.
        let silence = ["SweepSilent", "CheckpointsMissing"].contains(&name);
        let missing = if silence { "breaching" } else { "notBreaching" };
        assert_eq!(properties["TreatMissingData"], missing, "{name}");
    }
    assert!(seen > 10, "the rule looks at nothing");
}

/// A removal that keeps failing is tried less and less often, and only a lap that tries it tells its age.
#[test]
fn an_unproven_removal_stays_told_between_two_tries() {
    let template = template("template.yaml");
    let alarm = &template["Resources"]["RemovalUnproven"]["Properties"];
    let number = |name: &str| alarm[name].as_i64().unwrap();
    assert_eq!((number("DatapointsToAlarm"), number("Threshold")), (1, 300), "any one above five minutes");
    let bridged = SignedDuration::from_secs(number("Period") * number("EvaluationPeriods"));
    assert!(
        bridged > retry::RETRY_PAUSE_MAX + retry::SWEEP_EVERY,
        "a pause, and the lap that comes after it"
    );
    // A lap more at most: what is over should not stay red.
    assert!(bridged <= retry::RETRY_PAUSE_MAX + retry::SWEEP_EVERY * 2);
}

/// The dashboard's source, with what CloudFormation puts in left out.
fn dashboard(template: &Value) -> (String, Value) {
    let sub = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let text = sub[0].as_str().unwrap().to_owned();
    let (mut plain, mut rest) = (String::new(), text.as_str());
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap();
        plain.push_str(before);
        // The one that is not there without the function's own URL brings its comma and quotes along.
        plain.push_str(if name == "FunctionUrlAlarm" { "" } else { name });
        rest = after;
    }
    plain.push_str(rest);
    let body = serde_json::from_str(&plain).unwrap_or_else(|error| panic!("{error}: {plain}"));
    (text, body)
}

#[test]
fn the_dashboard_shows_metrics_that_there_are_and_queries_that_are_saved() {
    let (template, told) = (template("template.yaml"), told_by());
    let (text, body) = dashboard(&template);
    for reference in text.split("${").skip(1).filter_map(|rest| rest.split('}').next()) {
        let resource = reference.split('.').next().unwrap_or_default();
        let known = resource.starts_with("AWS::") || reference == "FunctionUrlAlarm";
        assert!(known || template["Resources"][resource].is_object(), "there is no {reference}");
    }
    let saved: Vec<String> = resources(&template, "AWS::Logs::QueryDefinition")
        .iter()
        .map(|(_, query)| query["Properties"]["QueryString"].as_str().unwrap().replace('\n', " "))
        .collect();
    let widgets = body["widgets"].as_array().unwrap();
    assert_eq!(widgets[0]["type"], "custom", "who has what now, on top");
    let (mut right, mut bottom) = (BTreeSet::new(), 0);
    for widget in widgets {
        let properties = &widget["properties"];
        for metric in properties["metrics"].as_array().into_iter().flatten().filter(|of| of[0] == "Curfew") {
            let (name, function) = (metric[1].as_str().unwrap(), metric[3].as_str().unwrap());
            assert_told("the dashboard", name, function, &told);
        }
        if let Some(query) = properties["query"].as_str() {
            let query =
                query.split(" | ").skip_while(|clause| clause.starts_with("SOURCE ")).collect::<Vec<_>>();
            assert!(saved.contains(&query.join(" | ")), "not a saved query: {query:?}");
        }
        let (x, y) = (widget["x"].as_u64().unwrap(), widget["y"].as_u64().unwrap());
        assert!(x + widget["width"].as_u64().unwrap() <= 24, "a dashboard is 24 wide: {widget}");
        assert!(right.insert((x, y)), "two widgets in one place: {widget}");
        bottom = bottom.max(y);
    }
    assert!(bottom > 0);
    // All alarms, in the one widget that is for them.
    let alarms = widgets.iter().find(|widget| widget["type"] == "alarm").unwrap();
    let shown = alarms["properties"]["alarms"].as_array().unwrap().iter();
    let mut shown: BTreeSet<&str> = shown.map(|arn| arn.as_str().unwrap().trim_end_matches(".Arn")).collect();
    shown.insert("FunctionUrlUnanswered");
    let all = resources(&template, "AWS::CloudWatch::Alarm");
    assert_eq!(shown, all.iter().map(|(name, _)| *name).collect());
    let own =
        &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][1]["FunctionUrlAlarm"];
    let named = json!({ "Fn::Sub": ", \"${FunctionUrlUnanswered.Arn}\"" });
    assert_eq!(*own, json!({ "Fn::If": ["HasFunctionUrl", named, ""] }));
}

#[test]
fn saved_queries_stand_under_the_stacks_name_and_look_into_logs_that_there_are() {
    let template = template("template.yaml");
    for (name, query) in resources(&template, "AWS::Logs::QueryDefinition") {
        let shown = query["Properties"]["Name"]["Fn::Sub"].as_str().unwrap();
        assert!(shown.starts_with("${AWS::StackName}/"), "{name}: {shown}");
        for group in query["Properties"]["LogGroupNames"].as_array().unwrap() {
            let group = group["Ref"].as_str().unwrap();
            assert_eq!(template["Resources"][group]["Type"], "AWS::Logs::LogGroup", "{name}: {group}");
        }
    }
}
