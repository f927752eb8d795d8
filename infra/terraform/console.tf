# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# Dashboard
resource "aws_cloudwatch_dashboard" "dashboard" {
  dashboard_name = var.stack_name
  dashboard_body = chomp(<<-EOT
    {
      "periodOverride": "inherit",
      "widgets": [
        {
          "type": "custom", "x": 0, "y": 0, "width": 24, "height": 12,
          "properties": {
            "title": "Who has access now", "endpoint": "${aws_lambda_function.console_function.arn}", "params": {},
            "updateOn": {"refresh": true, "resize": false, "timeRange": false}
          }
        },
        {
          "type": "alarm", "x": 0, "y": 12, "width": 24, "height": 4,
          "properties": {
            "title": "Alarms (what to do: docs/runbooks)",
            "alarms": ["${aws_cloudwatch_metric_alarm.removal_unproven.arn}", "${aws_cloudwatch_metric_alarm.access_not_removed.arn}", "${aws_cloudwatch_metric_alarm.grants_overdue.arn}",
             "${aws_cloudwatch_metric_alarm.sweep_silent.arn}", "${aws_cloudwatch_metric_alarm.webhooks_unanswered.arn}", "${aws_cloudwatch_metric_alarm.signatures_failing.arn}",
             "${aws_cloudwatch_metric_alarm.denials_spiking.arn}", "${aws_cloudwatch_metric_alarm.drift_found.arn}", "${aws_cloudwatch_metric_alarm.drift_unchecked.arn}",
             "${aws_cloudwatch_metric_alarm.timers_undelivered.arn}", "${aws_cloudwatch_metric_alarm.invocations_failed.arn}", "${aws_cloudwatch_metric_alarm.records_unreadable.arn}",
             "${aws_cloudwatch_metric_alarm.archive_behind.arn}", "${aws_cloudwatch_metric_alarm.archive_silent.arn}", "${aws_cloudwatch_metric_alarm.archive_foreign.arn}",
             "${aws_cloudwatch_metric_alarm.checkpoints_missing.arn}",
             "${aws_cloudwatch_metric_alarm.functions_failing.arn}", "${aws_cloudwatch_metric_alarm.functions_throttled.arn}"${local.has_function_url ? ", \"${aws_cloudwatch_metric_alarm.function_url_unanswered[0].arn}\"" : ""}]
          }
        },
        {
          "type": "metric", "x": 0, "y": 16, "width": 8, "height": 6,
          "properties": {
            "title": "Asked for and given", "region": "${local.region}", "view": "timeSeries",
            "stat": "Sum", "period": 300,
            "metrics": [
              ["Curfew", "Requested", "Function", "${aws_lambda_function.grant_function.function_name}"],
              ["Curfew", "Activated", "Function", "${aws_lambda_function.grant_function.function_name}"],
              ["Curfew", "Extended", "Function", "${aws_lambda_function.grant_function.function_name}"],
              ["Curfew", "Shortened", "Function", "${aws_lambda_function.grant_function.function_name}"],
              ["Curfew", "Denied", "Function", "${aws_lambda_function.grant_function.function_name}", {"color": "#d62728"}],
              ["Curfew", "OpeningFailures", "Function", "${aws_lambda_function.grant_function.function_name}"]
            ]
          }
        },
        {
          "type": "metric", "x": 8, "y": 16, "width": 8, "height": 6,
          "properties": {
            "title": "Ended, by which function", "region": "${local.region}", "view": "timeSeries",
            "stat": "Sum", "period": 300,
            "metrics": [
              ["Curfew", "Revoked", "Function", "${aws_lambda_function.grant_function.function_name}", {"label": "grant"}],
              ["Curfew", "Revoked", "Function", "${aws_lambda_function.revoke_function.function_name}", {"label": "revoke"}],
              ["Curfew", "Revoked", "Function", "${aws_lambda_function.sweep_function.function_name}", {"label": "sweep"}]
            ],
            "stacked": true
          }
        },
        {
          "type": "metric", "x": 16, "y": 16, "width": 8, "height": 6,
          "properties": {
            "title": "Time to removal", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["Curfew", "RevocationLagSeconds", "Function", "${aws_lambda_function.revoke_function.function_name}",
               {"label": "revoke, median", "stat": "p50"}],
              ["Curfew", "RevocationLagSeconds", "Function", "${aws_lambda_function.revoke_function.function_name}",
               {"label": "revoke, longest", "stat": "Maximum"}],
              ["Curfew", "RevocationLagSeconds", "Function", "${aws_lambda_function.sweep_function.function_name}",
               {"label": "sweep, longest", "stat": "Maximum"}]
            ],
            "yAxis": {"left": {"label": "seconds", "showUnits": false, "min": 0}}
          }
        },
        {
          "type": "metric", "x": 0, "y": 22, "width": 8, "height": 6,
          "properties": {
            "title": "Left to do", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 60,
            "metrics": [
              ["Curfew", "SweepBacklog", "Function", "${aws_lambda_function.sweep_function.function_name}",
               {"stat": "Maximum", "label": "unfinished after a lap"}],
              ["Curfew", "RevocationFailures", "Function", "${aws_lambda_function.sweep_function.function_name}",
               {"label": "removals that failed"}],
              ["Curfew", "OldestUnprovenSeconds", "Function", "${aws_lambda_function.sweep_function.function_name}",
               {"stat": "Maximum", "label": "oldest unproven, seconds", "yAxis": "right"}]
            ],
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}}
          }
        },
        {
          "type": "metric", "x": 8, "y": 22, "width": 8, "height": 6,
          "properties": {
            "title": "Queues of what failed", "region": "${local.region}", "view": "timeSeries",
            "stat": "Sum", "period": 300,
            "metrics": [
              ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName",
               "${aws_sqs_queue.timer_dead_letters.name}",
               {"label": "timers that could not be delivered", "stat": "Maximum", "period": 60}],
              ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName",
               "${aws_sqs_queue.failed_invocations.name}",
               {"label": "invocations that failed for good", "stat": "Maximum", "period": 60}],
              ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName",
               "${aws_sqs_queue.unreadable_records.name}",
               {"label": "records that can't be read", "stat": "Maximum", "period": 60}]
            ],
            "yAxis": {"left": {"min": 0}}
          }
        },
        {
          "type": "metric", "x": 16, "y": 22, "width": 8, "height": 6,
          "properties": {
            "title": "Drift", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["Curfew", "DriftFound", "Function", "${aws_lambda_function.sweep_function.function_name}"],
              ["Curfew", "DriftRemoved", "Function", "${aws_lambda_function.sweep_function.function_name}"],
              ["Curfew", "DriftUnchecked", "Function", "${aws_lambda_function.sweep_function.function_name}"]
            ]
          }
        },
        {
          "type": "metric", "x": 0, "y": 28, "width": 8, "height": 6,
          "properties": {
            "title": "Webhooks", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["AWS/ApiGateway", "Count", "ApiId", "${aws_apigatewayv2_api.webhook_api.id}"],
              ["AWS/ApiGateway", "4xx", "ApiId", "${aws_apigatewayv2_api.webhook_api.id}"],
              ["AWS/ApiGateway", "5xx", "ApiId", "${aws_apigatewayv2_api.webhook_api.id}", {"color": "#d62728"}]
            ]
          }
        },
        {
          "type": "metric", "x": 8, "y": 28, "width": 8, "height": 6,
          "properties": {
            "title": "Not verified", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["Curfew", "SignatureFailures", "Function", "${aws_lambda_function.grant_function.function_name}",
               {"label": "configured sources"}],
              ["Curfew", "Unverified", "Function", "${aws_lambda_function.grant_function.function_name}", {"label": "all"}]
            ]
          }
        },
        {
          "type": "metric", "x": 16, "y": 28, "width": 8, "height": 6,
          "properties": {
            "title": "Evidence", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["Curfew", "RecordsArchived", "Function", "${aws_lambda_function.audit_function.function_name}"],
              ["Curfew", "RecordsPublished", "Function", "${aws_lambda_function.audit_function.function_name}"],
              ["Curfew", "DeliveryFailures", "Function", "${aws_lambda_function.audit_function.function_name}", {"color": "#d62728"}],
              ["AWS/Lambda", "IteratorAge", "FunctionName", "${aws_lambda_function.audit_function.function_name}",
               {"stat": "Maximum", "label": "behind, milliseconds", "yAxis": "right"}],
              ["Curfew", "CheckpointAgeSeconds", "Function", "${aws_lambda_function.audit_function.function_name}",
               {"stat": "Maximum", "label": "age of the seal, seconds", "yAxis": "right"}]
            ],
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}}
          }
        },
        {
          "type": "metric", "x": 0, "y": 34, "width": 8, "height": 6,
          "properties": {
            "title": "Functions: failed", "region": "${local.region}", "view": "timeSeries", "stat": "Sum",
            "period": 300,
            "metrics": [
              ["AWS/Lambda", "Errors", "FunctionName", "${aws_lambda_function.grant_function.function_name}", {"label": "grant"}],
              ["AWS/Lambda", "Errors", "FunctionName", "${aws_lambda_function.revoke_function.function_name}", {"label": "revoke"}],
              ["AWS/Lambda", "Errors", "FunctionName", "${aws_lambda_function.sweep_function.function_name}", {"label": "sweep"}],
              ["AWS/Lambda", "Errors", "FunctionName", "${aws_lambda_function.audit_function.function_name}", {"label": "audit"}],
              ["AWS/Lambda", "Errors", "FunctionName", "${aws_lambda_function.console_function.function_name}", {"label": "console"}]
            ],
            "stacked": true
          }
        },
        {
          "type": "metric", "x": 8, "y": 34, "width": 8, "height": 6,
          "properties": {
            "title": "Functions: throttled", "region": "${local.region}", "view": "timeSeries",
            "stat": "Sum", "period": 300,
            "metrics": [
              ["AWS/Lambda", "Throttles", "FunctionName", "${aws_lambda_function.grant_function.function_name}", {"label": "grant"}],
              ["AWS/Lambda", "Throttles", "FunctionName", "${aws_lambda_function.revoke_function.function_name}", {"label": "revoke"}],
              ["AWS/Lambda", "Throttles", "FunctionName", "${aws_lambda_function.sweep_function.function_name}", {"label": "sweep"}],
              ["AWS/Lambda", "Throttles", "FunctionName", "${aws_lambda_function.audit_function.function_name}", {"label": "audit"}],
              ["AWS/Lambda", "Throttles", "FunctionName", "${aws_lambda_function.console_function.function_name}", {"label": "console"}]
            ],
            "stacked": true
          }
        },
        {
          "type": "metric", "x": 16, "y": 34, "width": 8, "height": 6,
          "properties": {
            "title": "Functions: time, 99th percentile", "region": "${local.region}", "view": "timeSeries",
            "stat": "Sum", "period": 300,
            "metrics": [
              ["AWS/Lambda", "Duration", "FunctionName", "${aws_lambda_function.grant_function.function_name}",
               {"label": "grant", "stat": "p99"}],
              ["AWS/Lambda", "Duration", "FunctionName", "${aws_lambda_function.revoke_function.function_name}",
               {"label": "revoke", "stat": "p99"}],
              ["AWS/Lambda", "Duration", "FunctionName", "${aws_lambda_function.sweep_function.function_name}",
               {"label": "sweep", "stat": "p99"}],
              ["AWS/Lambda", "Duration", "FunctionName", "${aws_lambda_function.audit_function.function_name}",
               {"label": "audit", "stat": "p99"}],
              ["AWS/Lambda", "Duration", "FunctionName", "${aws_lambda_function.console_function.function_name}",
               {"label": "console", "stat": "p99"}]
            ]
          }
        },
        {
          "type": "log", "x": 0, "y": 40, "width": 12, "height": 6,
          "properties": {
            "title": "Denials by reason", "region": "${local.region}", "view": "bar",
            "query": "SOURCE '${aws_cloudwatch_log_group.grant_logs.name}' | filter ispresent(Denied) | stats sum(Denied) as denials by Reason | sort denials desc"
          }
        },
        {
          "type": "log", "x": 12, "y": 40, "width": 12, "height": 6,
          "properties": {
            "title": "What the sweep could not finish", "region": "${local.region}", "view": "table",
            "query": "SOURCE '${aws_cloudwatch_log_group.sweep_logs.name}' | fields @timestamp, level, `grant.id`, error | filter ispresent(error) | sort @timestamp desc | limit 100"
          }
        },
        {
          "type": "log", "x": 0, "y": 46, "width": 12, "height": 6,
          "properties": {
            "title": "Latest denials", "region": "${local.region}", "view": "table",
            "query": "SOURCE '${aws_cloudwatch_log_group.grant_logs.name}' | fields @timestamp, person, ticket, source, code, message | filter ispresent(code) | sort @timestamp desc | limit 100"
          }
        },
        {
          "type": "log", "x": 12, "y": 46, "width": 12, "height": 6,
          "properties": {
            "title": "Signature failures by source", "region": "${local.region}", "view": "table",
            "query": "SOURCE '${aws_cloudwatch_log_group.grant_logs.name}' | filter ispresent(caller) | stats count(*) as failures, count_distinct(caller) as callers, latest(caller) as newest by source, reason | sort failures desc"
          }
        }
      ]
    }
  EOT
  )
}

# OneGrantsStory
resource "aws_cloudwatch_query_definition" "one_grants_story" {
  name = "${var.stack_name}/one grant's story"
  log_group_names = [
    aws_cloudwatch_log_group.grant_logs.name,
    aws_cloudwatch_log_group.revoke_logs.name,
    aws_cloudwatch_log_group.sweep_logs.name,
    aws_cloudwatch_log_group.audit_logs.name,
  ]
  query_string = chomp(<<-EOT
    fields @timestamp, level, message, RevocationLagSeconds
    | filter `grant.id` = "g-REPLACE-BY-THE-GRANTS-ID"
    | sort @timestamp asc
    | limit 500
  EOT
  )
}

# OnePersonsDay
resource "aws_cloudwatch_query_definition" "one_persons_day" {
  name            = "${var.stack_name}/one person's day"
  log_group_names = [aws_cloudwatch_log_group.grant_logs.name, aws_cloudwatch_log_group.revoke_logs.name]
  query_string = chomp(<<-EOT
    fields @timestamp, `grant.id`, ticket, source, code, message
    | filter person = "REPLACE@example.com"
    | sort @timestamp asc
    | limit 500
  EOT
  )
}

# DenialsByReason
resource "aws_cloudwatch_query_definition" "denials_by_reason" {
  name            = "${var.stack_name}/denials by reason"
  log_group_names = [aws_cloudwatch_log_group.grant_logs.name]
  query_string = chomp(<<-EOT
    filter ispresent(Denied)
    | stats sum(Denied) as denials by Reason
    | sort denials desc
  EOT
  )
}

# LatestDenials
resource "aws_cloudwatch_query_definition" "latest_denials" {
  name            = "${var.stack_name}/latest denials"
  log_group_names = [aws_cloudwatch_log_group.grant_logs.name]
  query_string = chomp(<<-EOT
    fields @timestamp, person, ticket, source, code, message
    | filter ispresent(code)
    | sort @timestamp desc
    | limit 100
  EOT
  )
}

# SlowestRevocations
resource "aws_cloudwatch_query_definition" "slowest_revocations" {
  name = "${var.stack_name}/slowest revocations"
  log_group_names = [
    aws_cloudwatch_log_group.grant_logs.name,
    aws_cloudwatch_log_group.revoke_logs.name,
    aws_cloudwatch_log_group.sweep_logs.name,
  ]
  query_string = chomp(<<-EOT
    fields @timestamp, `grant.id`, RevocationLagSeconds, Function
    | filter ispresent(RevocationLagSeconds)
    | sort RevocationLagSeconds desc
    | limit 50
  EOT
  )
}

# SignatureFailuresBySource
resource "aws_cloudwatch_query_definition" "signature_failures_by_source" {
  name            = "${var.stack_name}/signature failures by source"
  log_group_names = [aws_cloudwatch_log_group.grant_logs.name]
  query_string = chomp(<<-EOT
    filter ispresent(caller)
    | stats count(*) as failures, count_distinct(caller) as callers, latest(caller) as newest by source, reason
    | sort failures desc
  EOT
  )
}

# WhatTheSweepCouldNotFinish
resource "aws_cloudwatch_query_definition" "what_the_sweep_could_not_finish" {
  name            = "${var.stack_name}/what the sweep could not finish"
  log_group_names = [aws_cloudwatch_log_group.sweep_logs.name]
  query_string = chomp(<<-EOT
    fields @timestamp, level, `grant.id`, error
    | filter ispresent(error)
    | sort @timestamp desc
    | limit 100
  EOT
  )
}

# DriftByPrincipal
resource "aws_cloudwatch_query_definition" "drift_by_principal" {
  name            = "${var.stack_name}/drift"
  log_group_names = [aws_cloudwatch_log_group.sweep_logs.name]
  query_string = chomp(<<-EOT
    fields @timestamp, drift, principal, policy, `grant.id`, done, message
    | filter ispresent(drift)
    | sort @timestamp desc
    | limit 100
  EOT
  )
}

# WebhooksWithoutSuccess
resource "aws_cloudwatch_query_definition" "webhooks_without_success" {
  name            = "${var.stack_name}/webhooks without success"
  log_group_names = [aws_cloudwatch_log_group.webhook_access_logs.name]
  query_string = chomp(<<-EOT
    filter status >= 400
    | stats count(*) as answers, latest(sourceIp) as caller by status, functionStatus, error
    | sort answers desc
  EOT
  )
}
