# Made by the tests from infra/tenant.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# Boundary
resource "aws_iam_policy" "boundary" {
  name        = "${var.role_name}-boundary"
  description = "The most that Curfew can give to whoever carries it"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WhatMayBeGranted"
        Effect   = "Allow"
        Action   = var.grantable_actions
        Resource = var.grantable_resources
      },
      {
        Sid    = "ChangesNothingInIam"
        Effect = "Deny"
        Action = [
          "iam:Accept*",
          "iam:Add*",
          "iam:Associate*",
          "iam:Attach*",
          "iam:Change*",
          "iam:Create*",
          "iam:Deactivate*",
          "iam:Delete*",
          "iam:Detach*",
          "iam:Disable*",
          "iam:Enable*",
          "iam:PassRole",
          "iam:Put*",
          "iam:Reject*",
          "iam:Remove*",
          "iam:Reset*",
          "iam:Resync*",
          "iam:Send*",
          "iam:Set*",
          "iam:Tag*",
          "iam:Untag*",
          "iam:Update*",
          "iam:Upload*",
          "organizations:*",
          "account:*",
          "sso:*",
          "sso-directory:*",
          "identitystore:*",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReachesNothingOfCurfew"
        Effect = "Deny"
        Action = "*"
        Resource = [
          "arn:${local.partition}:iam::${local.account_id}:role/${var.role_name}",
          "arn:${local.partition}:s3:::${var.curfew_stack_name}-archive-*",
          "arn:${local.partition}:dynamodb:*:*:table/${var.curfew_stack_name}-Ledger-*",
          "arn:${local.partition}:lambda:*:*:function:${var.curfew_stack_name}-*",
          "arn:${local.partition}:logs:*:*:log-group:/aws/*/${var.curfew_stack_name}-*",
          "arn:${local.partition}:cloudwatch:*:*:alarm:${var.curfew_stack_name}-*",
          "arn:${local.partition}:cloudwatch:*:*:dashboard/${var.curfew_stack_name}",
          "arn:${local.partition}:scheduler:*:*:schedule/${var.curfew_stack_name}/*",
          "arn:${local.partition}:scheduler:*:*:schedule-group/${var.curfew_stack_name}",
          "arn:${local.partition}:events:*:*:event-bus/${var.curfew_stack_name}",
          "arn:${local.partition}:events:*:*:rule/${var.curfew_stack_name}-*",
          "arn:${local.partition}:events:*:*:rule/${var.curfew_stack_name}/*",
          "arn:${local.partition}:events:*:*:rule/curfew-g-*",
          "arn:${local.partition}:cloudformation:*:*:stack/${var.curfew_stack_name}/*",
          "arn:${local.partition}:secretsmanager:*:*:secret:WebhookSecret-*",
          "arn:${local.partition}:sqs:*:*:${var.curfew_stack_name}-*",
        ]
      },
      {
        Sid      = "NorWhatIsTaggedAsCurfews"
        Effect   = "Deny"
        Action   = "*"
        Resource = "*"
        Condition = {
          StringEquals = {
            "aws:ResourceTag/curfew:stack" = var.curfew_stack_name
          }
        }
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}
