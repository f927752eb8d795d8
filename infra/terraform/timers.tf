# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# TimerGroup
resource "aws_scheduler_schedule_group" "timer_group" {
  name = var.stack_name
}

# RuleTimersPermission
resource "aws_lambda_permission" "rule_timers_permission" {
  statement_id   = "RuleTimersPermission"
  function_name  = aws_lambda_function.revoke_function.function_name
  action         = "lambda:InvokeFunction"
  principal      = "events.amazonaws.com"
  source_account = local.account_id
  source_arn     = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/curfew-g-*"
}

# TimerDeadLetters
resource "aws_sqs_queue" "timer_dead_letters" {
  name                      = "${var.stack_name}-TimerDeadLetters-tf"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

# TimerDeadLettersPolicy
resource "aws_sqs_queue_policy" "timer_dead_letters_policy" {
  queue_url = aws_sqs_queue.timer_dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "RuleTimers"
        Effect = "Allow"
        Principal = {
          Service = "events.amazonaws.com"
        }
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.timer_dead_letters.arn
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.account_id
          }
          ArnLike = {
            "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/curfew-g-*"
          }
        }
      },
    ]
  })
}

# FailedInvocations
resource "aws_sqs_queue" "failed_invocations" {
  name                      = "${var.stack_name}-FailedInvocations-tf"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
