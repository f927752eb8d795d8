//! Logs, alarms, the dashboard, and the bus.

use serde_json::{Map, Value, json};

use super::{Left, Made, blocks, policy};

pub(super) fn logs(made: &mut Made<'_>, left: &mut Left) {
    let arguments =
        json!({ "name": left.take("LogGroupName"), "retention_in_days": left.take("RetentionInDays") });
    made.main("aws_cloudwatch_log_group", arguments);
}

pub(super) fn query(made: &mut Made<'_>, left: &mut Left) {
    let arguments = json!({
        "name": left.take("Name"),
        "log_group_names": left.take("LogGroupNames"),
        "query_string": left.take("QueryString"),
    });
    made.main("aws_cloudwatch_query_definition", arguments);
}

pub(super) fn dashboard(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let body = left.take("DashboardBody");
    let body: Value = serde_json::from_str(body.as_str().unwrap_or_default())
        .map_err(|error| format!("{}: {error}", made.id))?;
    let arguments = json!({ "dashboard_name": left.take("DashboardName"), "dashboard_body": body });
    made.main("aws_cloudwatch_dashboard", arguments);
    Ok(())
}

fn dimensions(of: &mut Left) -> Result<Value, String> {
    let mut dimensions = Map::new();
    for mut dimension in of.list("Dimensions")? {
        let name = dimension.take("Name").as_str().map(str::to_owned).ok_or("a dimension without a name")?;
        dimensions.insert(name, dimension.take("Value"));
        dimension.done()?;
    }
    Ok(if dimensions.is_empty() { Value::Null } else { dimensions.into() })
}

pub(super) fn alarm(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let mut queries = Vec::new();
    for mut query in left.list("Metrics")? {
        let mut stat = query.nested("MetricStat")?;
        let metric = if stat.fields.is_empty() {
            Value::Null
        } else {
            let mut metric = stat.nested("Metric")?;
            let of = json!({
                "namespace": metric.take("Namespace"),
                "metric_name": metric.take("MetricName"),
                "dimensions": dimensions(&mut metric)?,
                "period": stat.take("Period"),
                "stat": stat.take("Stat"),
            });
            metric.done()?;
            of
        };
        stat.done()?;
        queries.push(json!({
            "id": query.take("Id"),
            "expression": query.take("Expression"),
            "label": query.take("Label"),
            // One that says nothing is the one that counts.
            "return_data": if query.fields.contains_key("ReturnData") { query.take("ReturnData") } else { true.into() },
            "metric": metric,
        }));
        query.done()?;
    }
    let arguments = json!({
        "alarm_name": made.made_up_name(),
        "alarm_description": left.take("AlarmDescription"),
        "namespace": left.take("Namespace"),
        "metric_name": left.take("MetricName"),
        "dimensions": dimensions(left)?,
        "statistic": left.take("Statistic"),
        "extended_statistic": left.take("ExtendedStatistic"),
        "period": left.take("Period"),
        "evaluation_periods": left.take("EvaluationPeriods"),
        "datapoints_to_alarm": left.take("DatapointsToAlarm"),
        "threshold": left.take("Threshold"),
        "comparison_operator": left.take("ComparisonOperator"),
        "treat_missing_data": left.take("TreatMissingData"),
        "alarm_actions": left.take("AlarmActions"),
        "ok_actions": left.take("OKActions"),
        "metric_query": blocks(queries),
    });
    made.main("aws_cloudwatch_metric_alarm", arguments);
    Ok(())
}

pub(super) fn bus(made: &mut Made<'_>, left: &mut Left) {
    let arguments = json!({ "name": left.take("Name"), "description": left.take("Description") });
    made.main("aws_cloudwatch_event_bus", arguments);
}

pub(super) fn bus_policy(made: &mut Made<'_>, left: &mut Left) {
    let mut statement = left.take("Statement");
    statement["Sid"] = left.take("StatementId");
    let document = policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    let arguments = json!({ "event_bus_name": left.take("EventBusName"), "policy": document });
    made.main("aws_cloudwatch_event_bus_policy", arguments);
}
