# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# GrantFunction
resource "aws_lambda_function" "grant_function" {
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = 256
  filename         = "${var.package_directory}/grant.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/grant.zip")

  environment {
    variables = {
      CURFEW_LOG                 = var.log_filter
      CURFEW_TABLE               = aws_dynamodb_table.ledger.name
      CURFEW_ACCOUNT_ID          = local.account_id
      CURFEW_SCHEDULE_GROUP      = aws_scheduler_schedule_group.timer_group.name
      CURFEW_WEBHOOK_SECRET      = aws_secretsmanager_secret.webhook_secret.arn
      CURFEW_TIMERS              = var.timer_kind
      CURFEW_REVOKE_FUNCTION_ARN = aws_lambda_function.revoke_function.arn
      CURFEW_TIMER_ROLE_ARN      = aws_iam_role.timer_role.arn
      CURFEW_TIMER_DLQ_ARN       = aws_sqs_queue.timer_dead_letters.arn
      CURFEW_SOURCE_PER_MINUTE   = var.source_per_minute
      CURFEW_SWEEP_GRACE_SECONDS = var.sweep_grace_seconds
    }
  }
  function_name                  = "${var.stack_name}-grant"
  description                    = "Turns an approval webhook into access with an end; a closed ticket into its revocation."
  role                           = aws_iam_role.grant_role.arn
  timeout                        = 25
  reserved_concurrent_executions = local.reserves_for_grant ? var.grant_reserved_concurrency : null

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.grant_logs.name
  }

  depends_on = [
    aws_iam_role_policy_attachment.grant_role_close_grants_policy,
    aws_iam_role_policy_attachment.grant_role_give_access_policy,
    aws_iam_role_policy.grant_role_grant,
  ]
}

# GrantFunction, event Webhook
resource "aws_lambda_permission" "grant_function_webhook" {
  statement_id  = "GrantFunctionWebhook"
  function_name = aws_lambda_function.grant_function.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.webhook_api.execution_arn}/*/POST/webhooks/*"
}

# RevokeFunction
resource "aws_lambda_function" "revoke_function" {
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = 256
  filename         = "${var.package_directory}/revoke.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/revoke.zip")

  environment {
    variables = {
      CURFEW_LOG            = var.log_filter
      CURFEW_TABLE          = aws_dynamodb_table.ledger.name
      CURFEW_SCHEDULE_GROUP = aws_scheduler_schedule_group.timer_group.name
    }
  }
  function_name                  = "${var.stack_name}-revoke"
  description                    = "Ends one grant (timer, operator), or all of a ticket, a person or a tenant (operator)."
  role                           = aws_iam_role.revoke_role.arn
  timeout                        = 60
  reserved_concurrent_executions = local.reserves_for_revoke ? var.revoke_reserved_concurrency : null

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.revoke_logs.name
  }

  depends_on = [aws_iam_role_policy_attachment.revoke_role_close_grants_policy, aws_iam_role_policy.revoke_role_revoke]
}

# RevokeFunction
resource "aws_lambda_function_event_invoke_config" "revoke_function" {
  function_name                = aws_lambda_function.revoke_function.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# SweepFunction
resource "aws_lambda_function" "sweep_function" {
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = 256
  filename         = "${var.package_directory}/sweep.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/sweep.zip")

  environment {
    variables = {
      CURFEW_LOG                  = var.log_filter
      CURFEW_TABLE                = aws_dynamodb_table.ledger.name
      CURFEW_ACCOUNT_ID           = local.account_id
      CURFEW_SCHEDULE_GROUP       = aws_scheduler_schedule_group.timer_group.name
      CURFEW_REVOKE_FUNCTION_ARN  = aws_lambda_function.revoke_function.arn
      CURFEW_TIMER_ROLE_ARN       = aws_iam_role.timer_role.arn
      CURFEW_TIMER_DLQ_ARN        = aws_sqs_queue.timer_dead_letters.arn
      CURFEW_DRIFT_MINUTES        = var.drift_minutes
      CURFEW_DRIFT_MARGIN_SECONDS = var.drift_margin_seconds
      CURFEW_DRIFT_RESPONSE       = var.drift_response
    }
  }
  function_name                  = "${var.stack_name}-sweep"
  description                    = "Finishes every minute what is overdue or stuck, and compares AWS with the ledger."
  role                           = aws_iam_role.sweep_role.arn
  timeout                        = 55
  reserved_concurrent_executions = local.reserves_for_sweep ? var.sweep_reserved_concurrency : null

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.sweep_logs.name
  }

  depends_on = [
    aws_iam_role_policy_attachment.sweep_role_close_grants_policy,
    aws_iam_role_policy_attachment.sweep_role_give_access_policy,
    aws_iam_role_policy.sweep_role_sweep,
  ]
}

# SweepFunction
resource "aws_lambda_function_event_invoke_config" "sweep_function" {
  function_name                = aws_lambda_function.sweep_function.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# SweepFunction, event EveryMinute
resource "aws_cloudwatch_event_rule" "sweep_function_every_minute" {
  name                = "${var.stack_name}-SweepFunctionEveryMinute-tf"
  schedule_expression = "rate(1 minute)"
  description         = "Curfew's sweep (stack ${var.stack_name})"
}

# SweepFunction, event EveryMinute
resource "aws_cloudwatch_event_target" "sweep_function_every_minute" {
  rule = aws_cloudwatch_event_rule.sweep_function_every_minute.name
  arn  = aws_lambda_function.sweep_function.arn
}

# SweepFunction, event EveryMinute
resource "aws_lambda_permission" "sweep_function_every_minute" {
  statement_id  = "SweepFunctionEveryMinute"
  function_name = aws_lambda_function.sweep_function.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep_function_every_minute.arn
}

# AuditFunction
resource "aws_lambda_function" "audit_function" {
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = 256
  filename         = "${var.package_directory}/audit.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/audit.zip")

  environment {
    variables = {
      CURFEW_LOG                       = var.log_filter
      CURFEW_TABLE                     = aws_dynamodb_table.ledger.name
      CURFEW_STACK                     = var.stack_name
      CURFEW_ACCOUNT_ID                = local.account_id
      CURFEW_ARCHIVE                   = aws_s3_bucket.archive.bucket
      CURFEW_BUS                       = aws_cloudwatch_event_bus.events_bus.name
      CURFEW_CHECKPOINT_KEY            = aws_kms_key.checkpoint_key.arn
      CURFEW_UNREADABLE                = aws_sqs_queue.unreadable_records.url
      CURFEW_OCSF                      = var.ocsf_version
      CURFEW_CHECKPOINT_MARGIN_SECONDS = var.checkpoint_margin_seconds
    }
  }
  function_name                  = "${var.stack_name}-audit"
  description                    = "Carries what the ledger says to the event bus and the archive, and seals the archive every hour."
  role                           = aws_iam_role.audit_role.arn
  timeout                        = 120
  reserved_concurrent_executions = local.reserves_for_audit ? var.audit_reserved_concurrency : null

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.audit_logs.name
  }

  depends_on = [aws_iam_role_policy.audit_role_audit]
}

# AuditFunction
resource "aws_lambda_function_event_invoke_config" "audit_function" {
  function_name                = aws_lambda_function.audit_function.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 1800

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# AuditFunction, event EveryHour
resource "aws_cloudwatch_event_rule" "audit_function_every_hour" {
  name                = "${var.stack_name}-AuditFunctionEveryHour-tf"
  schedule_expression = "rate(1 hour)"
  description         = "Curfew's checkpoints (stack ${var.stack_name})"
}

# AuditFunction, event EveryHour
resource "aws_cloudwatch_event_target" "audit_function_every_hour" {
  rule  = aws_cloudwatch_event_rule.audit_function_every_hour.name
  arn   = aws_lambda_function.audit_function.arn
  input = "{\"checkpoint\":true}"
}

# AuditFunction, event EveryHour
resource "aws_lambda_permission" "audit_function_every_hour" {
  statement_id  = "AuditFunctionEveryHour"
  function_name = aws_lambda_function.audit_function.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.audit_function_every_hour.arn
}

# AuditFunctionLedger
resource "aws_lambda_event_source_mapping" "audit_function_ledger" {
  function_name    = aws_lambda_function.audit_function.function_name
  event_source_arn = aws_dynamodb_table.ledger.stream_arn
  tags = {
    "curfew:stack" = var.stack_name
  }
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 100
  maximum_batching_window_in_seconds = var.audit_batch_seconds
  parallelization_factor             = 1

  filter_criteria {
    filter {
      pattern = "{\"dynamodb\":{\"Keys\":{\"sk\":{\"S\":[{\"prefix\":\"EVENT#\"}]}}}}"
    }

    filter {
      pattern = "{\"eventName\":[\"INSERT\"],\"dynamodb\":{\"NewImage\":{\"type\":{\"S\":[\"Denied\"]}}}}"
    }

    filter {
      pattern = "{\"eventName\":[\"MODIFY\"],\"dynamodb\":{\"Keys\":{\"pk\":{\"S\":[{\"prefix\":\"TICKET#\"}]}}}}"
    }

    filter {
      pattern = "{\"eventName\":[\"REMOVE\"]}"
    }
  }
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 10000
  maximum_record_age_in_seconds  = 43200

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# ConsoleFunction
resource "aws_lambda_function" "console_function" {
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = 256
  filename         = "${var.package_directory}/console.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/console.zip")

  environment {
    variables = {
      CURFEW_LOG                 = var.log_filter
      CURFEW_TABLE               = aws_dynamodb_table.ledger.name
      CURFEW_STACK               = var.stack_name
      CURFEW_REVOKE_FUNCTION_ARN = aws_lambda_function.revoke_function.arn
      CURFEW_GRANT_FUNCTION_ARN  = aws_lambda_function.grant_function.arn
    }
  }
  function_name                  = "${var.stack_name}-console"
  description                    = "Shows who has what now, on the CloudWatch dashboard and to the command line. Changes nothing."
  role                           = aws_iam_role.console_role.arn
  timeout                        = 15
  reserved_concurrent_executions = local.reserves_for_console ? var.console_reserved_concurrency : null

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.console_logs.name
  }

  depends_on = [aws_iam_role_policy.console_role_console]
}

# GrantLogs
resource "aws_cloudwatch_log_group" "grant_logs" {
  name              = "/aws/lambda/${var.stack_name}-grant"
  retention_in_days = var.log_retention_days
}

# RevokeLogs
resource "aws_cloudwatch_log_group" "revoke_logs" {
  name              = "/aws/lambda/${var.stack_name}-revoke"
  retention_in_days = var.log_retention_days
}

# SweepLogs
resource "aws_cloudwatch_log_group" "sweep_logs" {
  name              = "/aws/lambda/${var.stack_name}-sweep"
  retention_in_days = var.log_retention_days
}

# AuditLogs
resource "aws_cloudwatch_log_group" "audit_logs" {
  name              = "/aws/lambda/${var.stack_name}-audit"
  retention_in_days = var.log_retention_days
}

# ConsoleLogs
resource "aws_cloudwatch_log_group" "console_logs" {
  name              = "/aws/lambda/${var.stack_name}-console"
  retention_in_days = var.log_retention_days
}
