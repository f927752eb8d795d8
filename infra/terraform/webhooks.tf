# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# GrantFunction, event Webhook
resource "aws_apigatewayv2_integration" "grant_function_webhook" {
  api_id                 = aws_apigatewayv2_api.webhook_api.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.grant_function.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

# GrantFunction, event Webhook
resource "aws_apigatewayv2_route" "grant_function_webhook" {
  api_id    = aws_apigatewayv2_api.webhook_api.id
  route_key = "POST /webhooks/{source}"
  target    = "integrations/${aws_apigatewayv2_integration.grant_function_webhook.id}"
}

# WebhookApi
resource "aws_apigatewayv2_api" "webhook_api" {
  name          = var.stack_name
  protocol_type = "HTTP"
  description   = "Approval webhooks of Curfew (stack ${var.stack_name})"
  tags = {
    "curfew:stack" = var.stack_name
  }
}

# WebhookApi
resource "aws_apigatewayv2_stage" "webhook_api" {
  api_id      = aws_apigatewayv2_api.webhook_api.id
  name        = "$default"
  auto_deploy = true
  tags = {
    "curfew:stack" = var.stack_name
  }

  default_route_settings {
    throttling_rate_limit  = var.webhook_rate_per_second
    throttling_burst_limit = var.webhook_rate_per_second
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.webhook_access_logs.arn
    format          = "{\"requestId\":\"$context.requestId\",\"time\":\"$context.requestTimeEpoch\",\"sourceIp\":\"$context.identity.sourceIp\",\"route\":\"$context.routeKey\",\"status\":\"$context.status\",\"responseLength\":\"$context.responseLength\",\"latencyMs\":\"$context.responseLatency\",\"functionLatencyMs\":\"$context.integrationLatency\",\"functionStatus\":\"$context.integrationStatus\",\"error\":\"$context.error.responseType\"}"
  }
}

# GrantFunctionUrl
resource "aws_lambda_function_url" "grant_function_url" {
  count = local.has_function_url ? 1 : 0

  function_name      = aws_lambda_function.grant_function.arn
  authorization_type = "NONE"
}

# GrantFunctionUrlPermission
resource "aws_lambda_permission" "grant_function_url_permission" {
  count = local.has_function_url ? 1 : 0

  statement_id           = "GrantFunctionUrlPermission"
  function_name          = aws_lambda_function.grant_function.function_name
  action                 = "lambda:InvokeFunctionUrl"
  principal              = "*"
  function_url_auth_type = "NONE"
}

# GrantFunctionUrlInvokePermission
resource "aws_lambda_permission" "grant_function_url_invoke_permission" {
  count = local.has_function_url ? 1 : 0

  statement_id             = "GrantFunctionUrlInvokePermission"
  function_name            = aws_lambda_function.grant_function.function_name
  action                   = "lambda:InvokeFunction"
  principal                = "*"
  invoked_via_function_url = true
}

# WebhookSecret
resource "aws_secretsmanager_secret" "webhook_secret" {
  name_prefix = "WebhookSecret-${var.stack_name}-"
  description = "Signing secrets of the webhook sources of Curfew (stack ${var.stack_name})"
  kms_key_id  = local.has_own_key ? var.kms_key_arn : null
}

# WebhookAccessLogs
resource "aws_cloudwatch_log_group" "webhook_access_logs" {
  name              = "/aws/vendedlogs/${var.stack_name}-webhooks"
  retention_in_days = var.log_retention_days
}
