//! Metrics: one method a business event, each a line on standard output in CloudWatch's embedded metric
//! format, from which CloudWatch makes metrics without a call that a request would have to wait for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Written by hand because it is one JSON object: the crates that exist (`metrics_cloudwatch_embedded`,
//! `metrique`) bring a global recorder or a queue with a flush of its own, made for many values a second,
//! and cost start time and size that a function with one event an invocation gets nothing for.
//!
//! Dimensions are few and bounded, because each value is a metric that is paid for: the function's name
//! and, for refusals, the reason's code. People, tenants and grants belong in logs.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::telemetry::{LineSink, stdout_lines};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Curfew";

/// Emits a function's metrics.
#[derive(Clone)]
pub struct Metrics {
    function: String,
    lines: LineSink,
}

impl Metrics {
    /// Metrics of `function`, written to standard output.
    #[must_use]
    pub fn new(function: impl Into<String>) -> Self {
        Self::to(function, stdout_lines())
    }

    /// Metrics of `function`, written to `lines`.
    #[must_use]
    pub fn to(function: impl Into<String>, lines: LineSink) -> Self {
        Self { function: function.into(), lines }
    }

    /// A verified, readable approval arrived: `Requested`.
    pub fn requested(&self, at: Timestamp) {
        self.count(at, "Requested", 1);
    }

    /// A verified request was refused: `Denied`, also by the refusal's code.
    pub fn denied(&self, at: Timestamp, code: &str) {
        self.count_by_reason(at, "Denied", code);
    }

    /// A delivery's sender could not be verified: `Unverified`, also by why.
    pub fn unverified(&self, at: Timestamp, reason: &str) {
        self.count_by_reason(at, "Unverified", reason);
    }

    /// AWS confirmed a new grant's access and timer: `Activated`.
    pub fn activated(&self, at: Timestamp) {
        self.count(at, "Activated", 1);
    }

    /// AWS confirmed that a later approval moved a grant's end back, or left it where it was: `Extended`.
    pub fn extended(&self, at: Timestamp) {
        self.count(at, "Extended", 1);
    }

    /// AWS confirmed that a later approval moved a grant's end forward: `Shortened`.
    pub fn shortened(&self, at: Timestamp) {
        self.count(at, "Shortened", 1);
    }

    /// An approved grant, or a change of one, did not take effect: `OpeningFailures`.
    pub fn opening_failed(&self, at: Timestamp) {
        self.count(at, "OpeningFailures", 1);
    }

    /// AWS confirmed the removal of access that had been given: `Revoked`, and `RevocationLagSeconds`,
    /// how long after the window's end or the revocation's request that was.
    pub fn revoked(&self, at: Timestamp, lag: SignedDuration) {
        let lag = lag.as_secs().max(0);
        self.emit(
            at,
            None,
            &[("Revoked", "Count", json!(1)), ("RevocationLagSeconds", "Seconds", json!(lag))],
        );
    }

    /// Removals that could not be begun or not be proven: `RevocationFailures`.
    pub fn revocations_failed(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "RevocationFailures", count);
        }
    }

    /// How many grants still owed work after a sweep: `SweepBacklog`. Told every lap, zero included.
    pub fn sweep_backlog(&self, at: Timestamp, count: usize) {
        self.count(at, "SweepBacklog", count);
    }

    /// What AWS held otherwise than the ledger says, and Curfew had not done: `DriftFound`.
    pub fn drift_found(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "DriftFound", count);
        }
    }

    /// What was left under ended grants' names, and AWS confirmed to be gone: `DriftRemoved`.
    pub fn drift_removed(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "DriftRemoved", count);
        }
    }

    /// What could not be compared, because the catalog, IAM or the ledger could not be read: `DriftUnchecked`.
    pub fn drift_unchecked(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "DriftUnchecked", count);
        }
    }

    fn count(&self, at: Timestamp, name: &str, count: usize) {
        self.emit(at, None, &[(name, "Count", json!(count))]);
    }

    fn count_by_reason(&self, at: Timestamp, name: &str, reason: &str) {
        self.emit(at, Some(reason), &[(name, "Count", json!(1))]);
    }

    fn emit(&self, at: Timestamp, reason: Option<&str>, values: &[(&str, &str, Value)]) {
        let mut dimensions = vec![vec!["Function"]];
        if reason.is_some() {
            dimensions.push(vec!["Function", "Reason"]);
        }
        let metrics: Vec<Value> =
            values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics": [
                    { "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics }
                ],
            }),
        );
        line.insert("Function".to_owned(), json!(self.function));
        if let Some(reason) = reason {
            line.insert("Reason".to_owned(), json!(reason));
        }
        for (name, _, value) in values {
            line.insert((*name).to_owned(), value.clone());
        }
        (self.lines)(&Value::Object(line).to_string());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("function", &self.function).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn emitted(emit: impl FnOnce(&Metrics, Timestamp)) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let metrics = Metrics::to(
            "curfew-grant",
            Arc::new(move |line: &str| {
                assert!(!line.contains('\n'), "one line an event");
                sink.lock().unwrap().push(serde_json::from_str(line).unwrap());
            }),
        );
        emit(&metrics, "2026-01-01T10:00:00Z".parse().unwrap());
        lines.lock().unwrap().clone()
    }

    #[test]
    fn a_count_is_an_embedded_metric() {
        assert_eq!(
            emitted(|metrics, at| metrics.requested(at)),
            [json!({
                "_aws": {
                    "Timestamp": 1_767_261_600_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Curfew",
                        "Dimensions": [["Function"]],
                        "Metrics": [{ "Name": "Requested", "Unit": "Count" }],
                    }],
                },
                "Function": "curfew-grant",
                "Requested": 1,
            })]
        );
    }

    #[test]
    fn a_denial_counts_in_total_and_by_reason() {
        assert_eq!(
            emitted(|metrics, at| metrics.denied(at, "self-approval")),
            [json!({
                "_aws": {
                    "Timestamp": 1_767_261_600_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Curfew",
                        "Dimensions": [["Function"], ["Function", "Reason"]],
                        "Metrics": [{ "Name": "Denied", "Unit": "Count" }],
                    }],
                },
                "Function": "curfew-grant",
                "Reason": "self-approval",
                "Denied": 1,
            })]
        );
    }

    #[test]
    fn a_revocation_carries_its_lag_which_is_never_negative() {
        let lines = emitted(|metrics, at| {
            metrics.revoked(at, SignedDuration::from_secs(42));
            metrics.revoked(at, SignedDuration::from_secs(-3));
        });
        let told: Vec<_> =
            lines.iter().map(|line| (&line["Revoked"], &line["RevocationLagSeconds"])).collect();
        assert_eq!(told, [(&json!(1), &json!(42)), (&json!(1), &json!(0))]);
        assert_eq!(
            lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"],
            json!([{ "Name": "Revoked", "Unit": "Count" }, { "Name": "RevocationLagSeconds", "Unit": "Seconds" }])
        );
    }

    #[test]
    fn an_empty_backlog_is_told_and_no_failure_is_not() {
        let lines = emitted(|metrics, at| {
            metrics.sweep_backlog(at, 0);
            metrics.revocations_failed(at, 0);
            metrics.revocations_failed(at, 2);
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["SweepBacklog"], 0);
        assert_eq!(lines[1]["RevocationFailures"], 2);
    }

    #[test]
    fn drift_is_told_where_there_is_any() {
        let lines = emitted(|metrics, at| {
            metrics.drift_found(at, 0);
            metrics.drift_removed(at, 0);
            metrics.drift_unchecked(at, 0);
            metrics.drift_found(at, 3);
            metrics.drift_removed(at, 2);
            metrics.drift_unchecked(at, 1);
        });
        let told: Vec<_> = lines
            .iter()
            .map(|line| (&line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], line))
            .map(|(name, line)| (name.as_str().unwrap(), line[name.as_str().unwrap()].as_u64()))
            .collect();
        assert_eq!(told, [("DriftFound", Some(3)), ("DriftRemoved", Some(2)), ("DriftUnchecked", Some(1))]);
    }
}
