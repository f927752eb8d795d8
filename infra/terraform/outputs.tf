# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

output "webhook_url" {
  description = "Where a source posts its webhooks; append the source's name."
  value       = "${aws_apigatewayv2_api.webhook_api.api_endpoint}/webhooks/"
}

output "webhook_api_id" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.webhook_api.id
}

output "function_url" {
  description = "The grant function's own URL; append `webhooks/` and the source's name."
  value       = local.has_function_url ? aws_lambda_function_url.grant_function_url[0].function_url : null
}

output "webhook_secret_name" {
  description = "The secret that holds the sources' signing secrets (how to set it is said in the template)."
  value       = aws_secretsmanager_secret.webhook_secret.arn
}

output "table_name" {
  description = "The ledger."
  value       = aws_dynamodb_table.ledger.name
}

output "grant_function_name" {
  value = aws_lambda_function.grant_function.function_name
}

output "revoke_function_name" {
  value = aws_lambda_function.revoke_function.function_name
}

output "sweep_function_name" {
  value = aws_lambda_function.sweep_function.function_name
}

output "audit_function_name" {
  value = aws_lambda_function.audit_function.function_name
}

output "console_function_name" {
  value = aws_lambda_function.console_function.function_name
}

output "archive_bucket_name" {
  description = "The archive of all events and checkpoints."
  value       = aws_s3_bucket.archive.bucket
}

output "event_bus_name" {
  description = "Where all events are told of."
  value       = aws_cloudwatch_event_bus.events_bus.name
}

output "checkpoint_key_arn" {
  description = "The key that signs the checkpoints."
  value       = aws_kms_key.checkpoint_key.arn
}

output "schedule_group" {
  description = "Where the timers are."
  value       = aws_scheduler_schedule_group.timer_group.name
}

output "dashboard_name" {
  description = "The dashboard in CloudWatch."
  value       = aws_cloudwatch_dashboard.dashboard.dashboard_name
}

output "timer_dead_letters_url" {
  description = "Queue of timers that could not be delivered."
  value       = aws_sqs_queue.timer_dead_letters.url
}

output "failed_invocations_url" {
  description = "Queue of revokes, sweeps, checkpoints and parts of the stream that failed for good."
  value       = aws_sqs_queue.failed_invocations.url
}

output "unreadable_records_url" {
  description = "Queue of records of the ledger that the audit function cannot read."
  value       = aws_sqs_queue.unreadable_records.url
}

output "grant_role_arn" {
  value = aws_iam_role.grant_role.arn
}

output "revoke_role_arn" {
  value = aws_iam_role.revoke_role.arn
}

output "sweep_role_arn" {
  value = aws_iam_role.sweep_role.arn
}

output "audit_role_arn" {
  value = aws_iam_role.audit_role.arn
}

output "console_role_arn" {
  value = aws_iam_role.console_role.arn
}
