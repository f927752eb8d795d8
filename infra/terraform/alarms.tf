# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# TimersUndelivered
resource "aws_cloudwatch_metric_alarm" "timers_undelivered" {
  alarm_name        = "${var.stack_name}-TimersUndelivered-tf"
  alarm_description = "A timer fired and could not reach the revoke function. The sweep ends its grant two minutes later. First: read the queue TimerDeadLetters, which holds the timer and the error; purge it once it is understood. Runbook: docs/runbooks/timers-undelivered.md"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = {
    QueueName = aws_sqs_queue.timer_dead_letters.name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# InvocationsFailed
resource "aws_cloudwatch_metric_alarm" "invocations_failed" {
  alarm_name        = "${var.stack_name}-InvocationsFailed-tf"
  alarm_description = "A revoke failed in all its tries, a sweep or a checkpoint failed, or a part of the ledger's stream was given up. First: read the queue FailedInvocations, which holds the input and the error; the function's log has the cause. Purge it once it is understood. Runbook: docs/runbooks/invocations-failed.md"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = {
    QueueName = aws_sqs_queue.failed_invocations.name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# RecordsUnreadable
resource "aws_cloudwatch_metric_alarm" "records_unreadable" {
  alarm_name        = "${var.stack_name}-RecordsUnreadable-tf"
  alarm_description = "The audit function could not make a record of something, or was handed what the ledger does not have like that; or the bus refused a record that is in the archive; or somebody changed or deleted what the ledger had. Nobody's access is affected. First: read the queue UnreadableRecords, which holds it whole, with the reason: what was written there by whom, and was it edited by hand? Runbook: docs/runbooks/records-unreadable.md"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = {
    QueueName = aws_sqs_queue.unreadable_records.name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# AccessNotRemoved
resource "aws_cloudwatch_metric_alarm" "access_not_removed" {
  alarm_name        = "${var.stack_name}-AccessNotRemoved-tf"
  alarm_description = "AWS did not confirm the removal of access that should have ended; it is tried again by itself. Inline access ended by its dates, managed access may still hold. First: read the sweep's log, which names the grant, AWS's words and the remedy. Runbook: docs/runbooks/access-not-removed.md"
  namespace         = "Curfew"
  metric_name       = "RevocationFailures"
  dimensions = {
    Function = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# RemovalUnproven
resource "aws_cloudwatch_metric_alarm" "removal_unproven" {
  alarm_name        = "${var.stack_name}-RemovalUnproven-tf"
  alarm_description = "For more than five minutes AWS has not confirmed the removal of access that should have ended. Inline access ended by its dates, managed access may still hold. First: find the grant in the sweep's log, take the access away by hand if it is still there, then put the cause right. Runbook: docs/runbooks/removal-unproven.md"
  namespace         = "Curfew"
  metric_name       = "OldestUnprovenSeconds"
  dimensions = {
    Function = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 17
  datapoints_to_alarm = 1
  threshold           = 300
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# GrantsOverdue
resource "aws_cloudwatch_metric_alarm" "grants_overdue" {
  alarm_name        = "${var.stack_name}-GrantsOverdue-tf"
  alarm_description = "For five minutes each sweep left grants unfinished that are due: more than it can finish, or than IAM lets through. First: call the sweep function with {} and read which it is: `throttled`, `left_over`, `failed` or `settling`. Runbook: docs/runbooks/grants-overdue.md"
  namespace         = "Curfew"
  metric_name       = "SweepBacklog"
  dimensions = {
    Function = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# DriftFound
resource "aws_cloudwatch_metric_alarm" "drift_found" {
  alarm_name        = "${var.stack_name}-DriftFound-tf"
  alarm_description = "Somebody else changed what Curfew had given or taken: a policy of a live grant is gone or was edited, one of an ended grant is back, or one under Curfew's names is nobody's. First: the sweep's log names it, what was done, and what is left to do; CloudTrail names who it was. Runbook: docs/runbooks/drift-found.md"
  namespace         = "Curfew"
  metric_name       = "DriftFound"
  dimensions = {
    Function = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# DriftUnchecked
resource "aws_cloudwatch_metric_alarm" "drift_unchecked" {
  alarm_name        = "${var.stack_name}-DriftUnchecked-tf"
  alarm_description = "For an hour an account could not be compared with the ledger, so drift in it would not be found. First: the sweep's log names the account and the cause, most often a permission of the agent role, or the catalog. Runbook: docs/runbooks/drift-unchecked.md"
  namespace         = "Curfew"
  metric_name       = "DriftUnchecked"
  dimensions = {
    Function = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 12
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# SweepSilent
resource "aws_cloudwatch_metric_alarm" "sweep_silent" {
  alarm_name        = "${var.stack_name}-SweepSilent-tf"
  alarm_description = "The sweep has not run for five minutes. Timers still end grants; what fails is not tried again. First: call it by hand with {}, then look whether its rule is enabled and whether the function is throttled. Runbook: docs/runbooks/sweep-silent.md"
  namespace         = "AWS/Lambda"
  metric_name       = "Invocations"
  dimensions = {
    FunctionName = aws_lambda_function.sweep_function.function_name
  }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# SignaturesFailing
resource "aws_cloudwatch_metric_alarm" "signatures_failing" {
  alarm_name        = "${var.stack_name}-SignaturesFailing-tf"
  alarm_description = "Five or more deliveries to a configured source within five minutes could not be verified; nothing was done for them. Either its secret was changed on one side, its clock is wrong, or somebody tries to forge approvals. First: see which source, from where and why, by the saved query `signature failures by source`. Runbook: docs/runbooks/signatures-failing.md"
  namespace         = "Curfew"
  metric_name       = "SignatureFailures"
  dimensions = {
    Function = aws_lambda_function.grant_function.function_name
  }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 5
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# DenialsSpiking
resource "aws_cloudwatch_metric_alarm" "denials_spiking" {
  alarm_name        = "${var.stack_name}-DenialsSpiking-tf"
  alarm_description = "In a quarter of an hour ten or more verified requests were denied, and more than were granted: a deployment that denies what it should not, a sender that was changed, or somebody who tries what they can get. First: see which reason, by the saved query `denials by reason`. Runbook: docs/runbooks/denials-spiking.md"

  metric_query {
    return_data = true
    id          = "spike"
    label       = "Denials, where they are many"
    expression  = "IF(denied >= 10 AND denied > FILL(granted, 0), denied, 0)"
  }

  metric_query {
    id          = "denied"
    return_data = false

    metric {
      namespace   = "Curfew"
      metric_name = "Denied"
      dimensions = {
        Function = aws_lambda_function.grant_function.function_name
      }
      stat   = "Sum"
      period = 900
    }
  }

  metric_query {
    id          = "granted"
    return_data = false

    metric {
      namespace   = "Curfew"
      metric_name = "Activated"
      dimensions = {
        Function = aws_lambda_function.grant_function.function_name
      }
      stat   = "Sum"
      period = 900
    }
  }

  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# WebhooksUnanswered
resource "aws_cloudwatch_metric_alarm" "webhooks_unanswered" {
  alarm_name        = "${var.stack_name}-WebhooksUnanswered-tf"
  alarm_description = "Webhooks were answered with a server error: approvals do not become access until the sender tries again, and closed tickets do not end it. First: the grant function's log has the cause, in most cases as the code of the reply. Runbook: docs/runbooks/webhooks-unanswered.md"
  namespace         = "AWS/ApiGateway"
  metric_name       = "5xx"
  dimensions = {
    ApiId = aws_apigatewayv2_api.webhook_api.id
  }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# FunctionUrlUnanswered
resource "aws_cloudwatch_metric_alarm" "function_url_unanswered" {
  count = local.has_function_url ? 1 : 0

  alarm_name        = "${var.stack_name}-FunctionUrlUnanswered-tf"
  alarm_description = "Webhooks to the function's own URL were answered with a server error: approvals do not become access until the sender tries again, and closed tickets do not end it. First: the grant function's log has the cause. Runbook: docs/runbooks/function-url-unanswered.md"
  namespace         = "AWS/Lambda"
  metric_name       = "Url5xxCount"
  dimensions = {
    FunctionName = aws_lambda_function.grant_function.function_name
  }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# ArchiveBehind
resource "aws_cloudwatch_metric_alarm" "archive_behind" {
  alarm_name        = "${var.stack_name}-ArchiveBehind-tf"
  alarm_description = "For five minutes what the ledger says has been more than five minutes late in the archive and on the bus. Nobody's access is affected, and nothing is lost as long as it ends within 12 hours. First: the audit function's log names what does not answer: the archive, the bus or the ledger. Runbook: docs/runbooks/archive-behind.md"
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"
  dimensions = {
    FunctionName = aws_lambda_function.audit_function.function_name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 300000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# ArchiveSilent
resource "aws_cloudwatch_metric_alarm" "archive_silent" {
  alarm_name        = "${var.stack_name}-ArchiveSilent-tf"
  alarm_description = "In three hours grants were given and nothing came into the archive. Nobody's access is affected; what is older than 24 hours by the time this ends must be archived again by hand. First: look whether the event source mapping of the audit function is enabled. Runbook: docs/runbooks/archive-silent.md"

  metric_query {
    return_data = true
    id          = "silent"
    label       = "Grants while nothing was archived"
    expression  = "IF(archived == 0, granted, 0)"
  }

  metric_query {
    id          = "granted"
    return_data = false

    metric {
      namespace   = "Curfew"
      metric_name = "Activated"
      dimensions = {
        Function = aws_lambda_function.grant_function.function_name
      }
      stat   = "Sum"
      period = 10800
    }
  }

  metric_query {
    id          = "archived"
    return_data = false

    metric {
      namespace   = "Curfew"
      metric_name = "RecordsArchived"
      dimensions = {
        Function = aws_lambda_function.audit_function.function_name
      }
      stat   = "Sum"
      period = 10800
    }
  }

  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# ArchiveForeign
resource "aws_cloudwatch_metric_alarm" "archive_foreign" {
  alarm_name        = "${var.stack_name}-ArchiveForeign-tf"
  alarm_description = "The hourly checkpoint found something in the archive that Curfew did not write, where nobody else may write: evidence may have been forged. Nobody's access is affected by it. First: see in the audit function's log what it is; treat it as a security incident. Runbook: docs/runbooks/archive-foreign.md"
  namespace         = "Curfew"
  metric_name       = "ArchiveForeign"
  dimensions = {
    Function = aws_lambda_function.audit_function.function_name
  }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# CheckpointsMissing
resource "aws_cloudwatch_metric_alarm" "checkpoints_missing" {
  alarm_name        = "${var.stack_name}-CheckpointsMissing-tf"
  alarm_description = "For two hours the archive has not been sealed, or only up to two hours ago: what was archived since then is not protected by a checkpoint yet. Nobody's access is affected. First: call the audit function with {\"checkpoint\":true} and read what it says. Runbook: docs/runbooks/checkpoints-missing.md"
  namespace         = "Curfew"
  metric_name       = "CheckpointAgeSeconds"
  dimensions = {
    Function = aws_lambda_function.audit_function.function_name
  }
  statistic           = "Minimum"
  period              = 3600
  evaluation_periods  = 2
  threshold           = 7200
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# FunctionsFailing
resource "aws_cloudwatch_metric_alarm" "functions_failing" {
  alarm_name        = "${var.stack_name}-FunctionsFailing-tf"
  alarm_description = "For a quarter of an hour invocations of Curfew's functions failed: errors, panics, time limits. First: see which function, on the dashboard under `Functions`, then its log, level ERROR. Runbook: docs/runbooks/functions-failing.md"

  metric_query {
    return_data = true
    id          = "all"
    label       = "Failed invocations of all functions"
    expression  = "SUM([grant, revoke, sweep, audit, console])"
  }

  metric_query {
    id          = "grant"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions = {
        FunctionName = aws_lambda_function.grant_function.function_name
      }
      stat   = "Sum"
      period = 300
    }
  }

  metric_query {
    id          = "revoke"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions = {
        FunctionName = aws_lambda_function.revoke_function.function_name
      }
      stat   = "Sum"
      period = 300
    }
  }

  metric_query {
    id          = "sweep"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions = {
        FunctionName = aws_lambda_function.sweep_function.function_name
      }
      stat   = "Sum"
      period = 300
    }
  }

  metric_query {
    id          = "audit"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions = {
        FunctionName = aws_lambda_function.audit_function.function_name
      }
      stat   = "Sum"
      period = 300
    }
  }

  metric_query {
    id          = "console"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions = {
        FunctionName = aws_lambda_function.console_function.function_name
      }
      stat   = "Sum"
      period = 300
    }
  }

  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}

# FunctionsThrottled
resource "aws_cloudwatch_metric_alarm" "functions_throttled" {
  alarm_name        = "${var.stack_name}-FunctionsThrottled-tf"
  alarm_description = "In three of five minutes Lambda refused to run Curfew's functions for want of concurrency: timers and webhooks wait. First: see which function, on the dashboard under `Functions`; then its reserved concurrency, and who uses up the account's. Runbook: docs/runbooks/functions-throttled.md"

  metric_query {
    return_data = true
    id          = "all"
    label       = "Throttled invocations of all functions"
    expression  = "SUM([grant, revoke, sweep, audit, console])"
  }

  metric_query {
    id          = "grant"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions = {
        FunctionName = aws_lambda_function.grant_function.function_name
      }
      stat   = "Sum"
      period = 60
    }
  }

  metric_query {
    id          = "revoke"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions = {
        FunctionName = aws_lambda_function.revoke_function.function_name
      }
      stat   = "Sum"
      period = 60
    }
  }

  metric_query {
    id          = "sweep"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions = {
        FunctionName = aws_lambda_function.sweep_function.function_name
      }
      stat   = "Sum"
      period = 60
    }
  }

  metric_query {
    id          = "audit"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions = {
        FunctionName = aws_lambda_function.audit_function.function_name
      }
      stat   = "Sum"
      period = 60
    }
  }

  metric_query {
    id          = "console"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions = {
        FunctionName = aws_lambda_function.console_function.function_name
      }
      stat   = "Sum"
      period = 60
    }
  }

  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_alarm_topic ? [var.alarm_topic_arn] : null
}
