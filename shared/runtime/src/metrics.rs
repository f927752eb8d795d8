//! Metrics: one method a business event, each a line on standard output in CloudWatch's embedded metric
//! format, from which CloudWatch makes metrics without a call that a request would have to wait for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Written by hand because it is one JSON object: the crates that exist (`metrics_cloudwatch_embedded`,
//! `metrique`) bring a global recorder or a queue with a flush of its own, made for many values a second,
//! and cost start time and size that a function with one event an invocation gets nothing for.
//!
//! Dimensions are few and bounded, because each value is a metric that is paid for: the function's name; for
//! refusals, the reason's code; for signatures that don't match, the source, if it is a configured one. People,
//! tenants and grants belong in logs.

use std::fmt;

use curfew_domain::ids::GrantId;
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

    /// A delivery to a source that is configured could not be verified: `SignatureFailures`, also by the source.
    ///
    /// `source` must be one that Curfew has a secret for. What else stands in a path is a stranger's choice, and each
    /// value would be a metric of its own.
    pub fn signature_failed(&self, at: Timestamp, source: &str) {
        self.emit(at, Some(("Source", source)), &[("SignatureFailures", "Count", json!(1))]);
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
    /// how long after the window's end or the revocation's request that was. The line names the grant, for whoever
    /// looks for the slowest ones in the log; the metrics don't.
    pub fn revoked(&self, at: Timestamp, grant: &GrantId, lag: SignedDuration) {
        let lag = lag.as_secs().max(0);
        let values = [("Revoked", "Count", json!(1)), ("RevocationLagSeconds", "Seconds", json!(lag))];
        let mut line = self.line(at, None, &values);
        line.insert("grant.id".to_owned(), json!(grant.as_str()));
        (self.lines)(&Value::Object(line).to_string());
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

    /// Since when nothing should be left of the grant that a lap could not finish and that is overdue longest:
    /// `OldestUnprovenSeconds`. Told by laps that left something; one that waits for its next try is not seen by the
    /// laps in between ([`curfew_domain::retry::RETRY_PAUSE_MAX`] at most).
    pub fn oldest_unproven(&self, at: Timestamp, since: Timestamp) {
        let age = at.duration_since(since).as_secs().max(0);
        self.emit(at, None, &[("OldestUnprovenSeconds", "Seconds", json!(age))]);
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

    /// Records that were written to the archive: `RecordsArchived`. Zero is told, too: with each checkpoint, so that an
    /// alarm on there being none has something to hear.
    pub fn records_archived(&self, at: Timestamp, count: usize) {
        self.count(at, "RecordsArchived", count);
    }

    /// Records that were put on the bus: `RecordsPublished`.
    pub fn records_published(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "RecordsPublished", count);
        }
    }

    /// What can't be delivered, and was handed over to people: `RecordsSetAside`.
    pub fn records_set_aside(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "RecordsSetAside", count);
        }
    }

    /// Batches of which something has to come again: `DeliveryFailures`.
    pub fn delivery_failed(&self, at: Timestamp) {
        self.count(at, "DeliveryFailures", 1);
    }

    /// The archive was sealed: `CheckpointAgeSeconds`, how long ago the sealed period ended. That it is not told at
    /// all for hours says that nobody seals.
    pub fn checkpoint_age(&self, at: Timestamp, age: SignedDuration) {
        let age = age.as_secs().max(0);
        self.emit(at, None, &[("CheckpointAgeSeconds", "Seconds", json!(age))]);
    }

    /// What a checkpoint found in the archive that Curfew did not write: `ArchiveForeign`.
    pub fn archive_foreign(&self, at: Timestamp, count: usize) {
        if count > 0 {
            self.count(at, "ArchiveForeign", count);
        }
    }

    fn count(&self, at: Timestamp, name: &str, count: usize) {
        self.emit(at, None, &[(name, "Count", json!(count))]);
    }

    fn count_by_reason(&self, at: Timestamp, name: &str, reason: &str) {
        self.emit(at, Some(("Reason", reason)), &[(name, "Count", json!(1))]);
    }

    /// Tells values in total and, if there is a further dimension, also by its value.
    fn emit(&self, at: Timestamp, further: Option<(&str, &str)>, values: &[(&str, &str, Value)]) {
        (self.lines)(&Value::Object(self.line(at, further, values)).to_string());
    }

    fn line(
        &self,
        at: Timestamp,
        further: Option<(&str, &str)>,
        values: &[(&str, &str, Value)],
    ) -> Map<String, Value> {
        let mut dimensions = vec![vec!["Function"]];
        if let Some((dimension, _)) = further {
            dimensions.push(vec!["Function", dimension]);
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
        if let Some((dimension, value)) = further {
            line.insert(dimension.to_owned(), json!(value));
        }
        for (name, _, value) in values {
            line.insert((*name).to_owned(), value.clone());
        }
        line
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
    fn a_revocation_carries_its_lag_which_is_never_negative_and_names_its_grant() {
        let grant = GrantId::new("g-abcdefghijklmnopqrstuvwxyz").unwrap();
        let lines = emitted(|metrics, at| {
            metrics.revoked(at, &grant, SignedDuration::from_secs(42));
            metrics.revoked(at, &grant, SignedDuration::from_secs(-3));
        });
        assert_eq!(lines[0]["grant.id"], grant.as_str());
        assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Function"]]));
        let told: Vec<_> =
            lines.iter().map(|line| (&line["Revoked"], &line["RevocationLagSeconds"])).collect();
        assert_eq!(told, [(&json!(1), &json!(42)), (&json!(1), &json!(0))]);
        assert_eq!(
            lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"],
            json!([{ "Name": "Revoked", "Unit": "Count" }, { "Name": "RevocationLagSeconds", "Unit": "Seconds" }])
        );
    }

    #[test]
    fn a_signature_failure_counts_in_total_and_by_source() {
        let lines = emitted(|metrics, at| metrics.signature_failed(at, "servicenow"));
        assert_eq!(
            lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["Function"], ["Function", "Source"]])
        );
        assert_eq!((&lines[0]["Source"], &lines[0]["SignatureFailures"]), (&json!("servicenow"), &json!(1)));
    }

    #[test]
    fn how_long_something_is_unproven_is_never_negative() {
        let lines = emitted(|metrics, at| {
            metrics.oldest_unproven(at, at - SignedDuration::from_secs(301));
            metrics.oldest_unproven(at, at + SignedDuration::from_secs(3));
        });
        let told: Vec<_> = lines.iter().map(|line| line["OldestUnprovenSeconds"].as_u64()).collect();
        assert_eq!(told, [Some(301), Some(0)]);
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
    fn deliveries_are_told_where_there_are_any() {
        let lines = emitted(|metrics, at| {
            for count in [0, 3] {
                metrics.records_archived(at, count);
                metrics.records_published(at, count);
                metrics.records_set_aside(at, count);
                metrics.archive_foreign(at, count);
            }
            metrics.delivery_failed(at);
            metrics.checkpoint_age(at, SignedDuration::from_secs(301));
            metrics.checkpoint_age(at, SignedDuration::from_secs(-1));
        });
        let told: Vec<_> = lines
            .iter()
            .map(|line| line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap())
            .zip(&lines)
            .map(|(name, line)| (name, line[name].as_u64().unwrap()))
            .collect();
        let expected = [
            ("RecordsArchived", 0),
            ("RecordsArchived", 3),
            ("RecordsPublished", 3),
            ("RecordsSetAside", 3),
            ("ArchiveForeign", 3),
            ("DeliveryFailures", 1),
            ("CheckpointAgeSeconds", 301),
            ("CheckpointAgeSeconds", 0),
        ];
        assert_eq!(told, expected);
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
