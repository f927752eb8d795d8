//! CloudWatch: logs, alarms, the dashboard and the saved queries.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::language::{Block, Expr, Item};

pub(super) const TABLES: &[Table] = &[
    Table::new("AWS::Logs::LogGroup", "aws_cloudwatch_log_group", LOGS).named("name"),
    Table::new("AWS::Logs::QueryDefinition", "aws_cloudwatch_query_definition", QUERY),
    Table::new("AWS::CloudWatch::Alarm", "aws_cloudwatch_metric_alarm", ALARM).named("alarm_name"),
    Table::new("AWS::CloudWatch::Dashboard", "aws_cloudwatch_dashboard", DASHBOARD),
];

const LOGS: &[Entry] = &[
    ("LogGroupName", Rule::As("name")),
    ("RetentionInDays", Rule::As("retention_in_days")),
    ("KmsKeyId", Rule::As("kms_key_id")),
];

const QUERY: &[Entry] = &[
    ("Name", Rule::As("name")),
    ("LogGroupNames", Rule::As("log_group_names")),
    ("QueryString", Rule::As("query_string")),
];

const ALARM: &[Entry] = &[
    ("AlarmName", Rule::As("alarm_name")),
    ("AlarmDescription", Rule::As("alarm_description")),
    ("Namespace", Rule::As("namespace")),
    ("MetricName", Rule::As("metric_name")),
    ("Dimensions", Rule::Pairs("dimensions", "Name", "Value")),
    ("Statistic", Rule::As("statistic")),
    ("ExtendedStatistic", Rule::As("extended_statistic")),
    ("Unit", Rule::As("unit")),
    ("Metrics", Rule::Own(metrics)),
    ("Period", Rule::As("period")),
    ("EvaluationPeriods", Rule::As("evaluation_periods")),
    ("DatapointsToAlarm", Rule::As("datapoints_to_alarm")),
    ("Threshold", Rule::As("threshold")),
    ("ComparisonOperator", Rule::As("comparison_operator")),
    ("TreatMissingData", Rule::As("treat_missing_data")),
    ("AlarmActions", Rule::As("alarm_actions")),
    ("OKActions", Rule::As("ok_actions")),
];

const METRIC_QUERY: &[Entry] = &[
    ("Id", Rule::As("id")),
    ("Expression", Rule::As("expression")),
    ("Label", Rule::As("label")),
    ("ReturnData", Rule::As("return_data")),
    (
        "MetricStat",
        Rule::Block(
            "metric",
            &[
                (
                    "Metric",
                    Rule::Inline(&[
                        ("Namespace", Rule::As("namespace")),
                        ("MetricName", Rule::As("metric_name")),
                        ("Dimensions", Rule::Pairs("dimensions", "Name", "Value")),
                    ]),
                ),
                ("Period", Rule::As("period")),
                ("Stat", Rule::As("stat")),
                ("Unit", Rule::As("unit")),
            ],
        ),
    ),
];

fn metrics(making: &mut Making<'_>, queries: &Node, into: &mut Block) {
    for query in making.items(queries) {
        let mut block = Block::new("metric_query", &[]);
        making.apply(METRIC_QUERY, query, &mut block);
        // CloudFormation takes a query for one that returns data, Terraform for one that does not.
        if block.argument("return_data").is_none() {
            block.items.insert(0, Item::Argument("return_data".to_owned(), Expr::Bool(true)));
        }
        into.add(block);
    }
}

const DASHBOARD: &[Entry] =
    &[("DashboardName", Rule::As("dashboard_name")), ("DashboardBody", Rule::As("dashboard_body"))];
