//! The template's alarms, metrics and saved queries, judged by the lines that functions really wrote.

use serde_json::{Value, json};

use super::document::template;

/// An alarm of the template.
pub(crate) struct Alarm {
    name: String,
    properties: Value,
}

impl Alarm {
    pub(crate) fn of(name: &str) -> Self {
        let properties = template("template.yaml")["Resources"][name]["Properties"].clone();
        assert!(properties.is_object(), "the template has no {name}");
        Self { name: name.to_owned(), properties }
    }

    /// Whether it would hear what was written: values of its metric in one period, by its statistic.
    pub(crate) fn trips(&self, lines: &[Value]) -> bool {
        assert_eq!(self.properties["Namespace"], "Curfew", "{}", self.name);
        let metric = self.properties["MetricName"].as_str().expect("a metric");
        let values = values(lines, metric);
        let value = match (self.properties["Statistic"].as_str(), values.is_empty()) {
            (_, true) => return false,
            (Some("Sum"), _) => values.iter().sum(),
            (Some("Maximum"), _) => values.iter().copied().fold(f64::MIN, f64::max),
            (Some("Minimum"), _) => values.iter().copied().fold(f64::MAX, f64::min),
            (other, _) => panic!("{}: no rule for {other:?}", self.name),
        };
        self.is_beyond(value)
    }

    /// Whether a value is beyond its threshold.
    pub(crate) fn is_beyond(&self, value: f64) -> bool {
        let threshold = self.properties["Threshold"].as_f64().expect("a threshold");
        match self.properties["ComparisonOperator"].as_str() {
            Some("GreaterThanThreshold") => value > threshold,
            Some("GreaterThanOrEqualToThreshold") => value >= threshold,
            Some("LessThanThreshold") => value < threshold,
            other => panic!("{}: no rule for {other:?}", self.name),
        }
    }

    /// What it watches.
    pub(crate) fn watches(&self, namespace: &str, metric: &str) {
        let watched = (&self.properties["Namespace"], &self.properties["MetricName"]);
        assert_eq!(watched, (&json!(namespace), &json!(metric)), "{}", self.name);
    }

    /// That it is on the sum of a metric of Lambda's, each function's by its name.
    pub(crate) fn sums(&self, metric: &str) {
        assert_eq!(self.expression(), "SUM([grant, revoke, sweep, audit, console])", "{}", self.name);
        let metrics = self.properties["Metrics"].as_array().expect("metrics");
        let watched: Vec<_> =
            metrics.iter().skip(1).map(|of| (&of["Id"], &of["MetricStat"]["Metric"])).collect();
        let function = |id: &str, logical: &str| {
            let dimension = json!({ "Name": "FunctionName", "Value": { "Ref": logical } });
            (json!(id), json!({ "Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": [dimension] }))
        };
        let expected = [
            function("grant", "GrantFunction"),
            function("revoke", "RevokeFunction"),
            function("sweep", "SweepFunction"),
            function("audit", "AuditFunction"),
            function("console", "ConsoleFunction"),
        ];
        assert_eq!(
            watched,
            expected.iter().map(|(id, metric)| (id, metric)).collect::<Vec<_>>(),
            "{}",
            self.name
        );
    }

    /// Its expression, if it is on several metrics.
    pub(crate) fn expression(&self) -> &str {
        self.properties["Metrics"][0]["Expression"].as_str().expect("an expression")
    }
}

/// The lines of a log that are JSON: all that functions write themselves.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The values that a metric was told with, as CloudWatch reads them.
pub(crate) fn values(lines: &[Value], metric: &str) -> Vec<f64> {
    let told = lines.iter().filter(|line| {
        let metrics = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        metrics.as_array().is_some_and(|metrics| metrics.iter().any(|of| of["Name"] == metric))
    });
    told.filter_map(|line| line[metric].as_f64()).collect()
}

/// A saved query, or a dashboard's.
pub(crate) struct Query {
    text: String,
}

impl Query {
    /// A saved query of the template.
    pub(crate) fn saved(name: &str) -> Self {
        let text = &template("template.yaml")["Resources"][name]["Properties"]["QueryString"];
        Self { text: text.as_str().unwrap_or_else(|| panic!("no query {name}")).to_owned() }
    }

    /// That it finds something in what was written, and that each of its fields is in some line that it finds.
    /// `replaced`: what an operator types in.
    pub(crate) fn assert_finds(&self, lines: &[Value], replaced: &[(&str, &str)]) {
        let text = replaced.iter().fold(self.text.clone(), |text, (from, to)| text.replace(from, to));
        let found: Vec<&Value> = lines.iter().filter(|line| is_found(&text, line)).collect();
        assert!(!found.is_empty(), "nothing is found by: {text}\nin {lines:#?}");
        for field in fields(&text) {
            assert!(
                found.iter().any(|line| !line[&field].is_null()),
                "no line has `{field}`: {text}\n{found:#?}"
            );
        }
    }
}

/// Whether a filter pattern of CloudWatch Logs finds a line, as far as the pages' patterns go: a field that is there, any
/// of several terms (`?`), or all of them. Terms are told apart by upper and lower case.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
pub(crate) fn is_found_by(pattern: &str, line: &str) -> bool {
    if let Some(field) = pattern.strip_prefix("{ $.").and_then(|rest| rest.strip_suffix(" = \"*\" }")) {
        return serde_json::from_str::<Value>(line).is_ok_and(|line| line[field].is_string());
    }
    assert!(!pattern.starts_with('{'), "no rule for the pattern `{pattern}`");
    let mut terms = Vec::new();
    for (n, part) in pattern.split('"').enumerate() {
        match n % 2 {
            1 => terms.push(part),
            _ => terms.extend(
                part.split_whitespace()
                    .map(|term| term.trim_start_matches('?'))
                    .filter(|term| !term.is_empty()),
            ),
        }
    }
    let is_there = |term: &&str| line.contains(*term);
    if pattern.starts_with('?') { terms.iter().any(is_there) } else { terms.iter().all(is_there) }
}

/// Whether the query's filter lets a line through.
fn is_found(query: &str, line: &Value) -> bool {
    let clauses = query.split('|').map(str::trim);
    clauses.filter_map(|clause| clause.strip_prefix("filter ")).all(|filter| {
        if let Some(field) = filter.strip_prefix("ispresent(").and_then(|rest| rest.strip_suffix(')')) {
            return !line[name(field)].is_null();
        }
        if let Some((field, text)) = filter.split_once(" = ") {
            return line[name(field)].as_str() == Some(text.trim_matches('"'));
        }
        if let Some((field, least)) = filter.split_once(" >= ") {
            let least: f64 = least.parse().expect("a number");
            let value = &line[name(field)];
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            return number.is_some_and(|value| value >= least);
        }
        panic!("no rule for the filter `{filter}`");
    })
}

fn name(field: &str) -> &str {
    field.trim().trim_matches('`')
}

/// The fields that a query reads, but for those that CloudWatch gives and those that the query makes itself.
pub(crate) fn fields(query: &str) -> Vec<String> {
    let mut read = Vec::new();
    let mut made = Vec::new();
    for clause in query.split('|').map(str::trim) {
        let Some((word, rest)) = clause.split_once(' ') else { continue };
        match word {
            "fields" => read.extend(rest.split(',').map(name)),
            "sort" => read.extend(rest.split_whitespace().next().map(name)),
            "filter" => {
                let field = rest.strip_prefix("ispresent(").and_then(|rest| rest.strip_suffix(')'));
                read.extend(field.or_else(|| rest.split_whitespace().next()).map(name));
            }
            "stats" => {
                let (what, by) = rest.split_once(" by ").unwrap_or((rest, ""));
                for function in what.split(", ") {
                    let (function, alias) = function.split_once(" as ").unwrap_or((function, ""));
                    let (_, argument) = function.split_once('(').expect("a function");
                    read.extend(argument.strip_suffix(')').map(name).filter(|of| *of != "*"));
                    made.push(name(alias));
                }
                read.extend(by.split(',').map(name));
            }
            "limit" | "SOURCE" => {}
            other => panic!("no rule for `{other}` in {query}"),
        }
    }
    let is_own = |field: &&str| !field.is_empty() && !field.starts_with('@') && !made.contains(field);
    read.into_iter().filter(is_own).map(str::to_owned).collect()
}

#[test]
fn a_query_is_read_for_its_fields() {
    let query =
        "filter ispresent(a) | stats count(*) as n, latest(`b.c`) as last by d, e | sort n desc | limit 5";
    assert_eq!(fields(query), ["a", "b.c", "d", "e"]);
    assert!(is_found("fields x | filter p = \"q\"", &json!({ "p": "q" })));
    assert!(!is_found("filter status >= 400", &json!({ "status": "200" })));
}

#[test]
fn a_pattern_is_read_as_cloudwatch_does() {
    let any = "?ERROR ?\"Task timed out\"";
    assert!(is_found_by(any, "2026 Task timed out after 60.00 seconds") && is_found_by(any, "ERROR"));
    assert!(!is_found_by(any, "an error") && !is_found_by("\"a b\" \"c\"", "a b"));
    assert!(is_found_by("{ $.code = \"*\" }", "{\"code\":\"malformed\"}"));
    assert!(!is_found_by("{ $.code = \"*\" }", "a code"));
}
