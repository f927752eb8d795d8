# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# CloseGrantsPolicy
resource "aws_iam_policy" "close_grants_policy" {
  name        = "${var.stack_name}-CloseGrantsPolicy-tf"
  description = "Closing grants (Curfew, stack ${var.stack_name})"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid    = "Ledger"
        Effect = "Allow"
        Action = [
          "dynamodb:GetItem",
          "dynamodb:Query",
          "dynamodb:PutItem",
          "dynamodb:UpdateItem",
          "dynamodb:ConditionCheckItem",
        ]
        Resource = aws_dynamodb_table.ledger.arn
      },
      local.has_own_key ? {
        Sid      = "LedgerKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource = var.kms_key_arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = "dynamodb.${local.region}.amazonaws.com"
          }
        }
      } : null,
      {
        Sid      = "TakeAccessFromUsers"
        Effect   = "Allow"
        Action   = "iam:DeleteUserPolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:user/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary" = var.tenant_boundary_arns
          }
        }
      },
      {
        Sid      = "TakeAccessFromRoles"
        Effect   = "Allow"
        Action   = "iam:DeleteRolePolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:role/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary" = var.tenant_boundary_arns
          }
        }
      },
      {
        Sid    = "SeeWhatIsThere"
        Effect = "Allow"
        Action = [
          "iam:GetUserPolicy",
          "iam:GetRolePolicy",
          "iam:ListAttachedUserPolicies",
          "iam:ListAttachedRolePolicies",
        ]
        Resource = [
          "arn:${local.partition}:iam::${local.account_id}:user/*",
          "arn:${local.partition}:iam::${local.account_id}:role/*",
        ]
      },
      local.has_managed_policies ? {
        Sid      = "TakeManagedPoliciesFromUsers"
        Effect   = "Allow"
        Action   = "iam:DetachUserPolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:user/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary" = var.tenant_boundary_arns
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
          }
        }
      } : null,
      local.has_managed_policies ? {
        Sid      = "TakeManagedPoliciesFromRoles"
        Effect   = "Allow"
        Action   = "iam:DetachRolePolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:role/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary" = var.tenant_boundary_arns
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
          }
        }
      } : null,
      local.has_agent_roles ? {
        Sid      = "ActInTenantAccounts"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = var.agent_role_arns
      } : null,
      {
        Sid      = "ClearTimers"
        Effect   = "Allow"
        Action   = "scheduler:DeleteSchedule"
        Resource = "arn:${local.partition}:scheduler:${local.region}:${local.account_id}:schedule/${aws_scheduler_schedule_group.timer_group.name}/curfew-g-*"
      },
      {
        Sid      = "ClearRuleTimers"
        Effect   = "Allow"
        Action   = ["events:RemoveTargets", "events:DeleteRule"]
        Resource = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/curfew-g-*"
      },
    ] : item if item != null]
  })
}

# GiveAccessPolicy
resource "aws_iam_policy" "give_access_policy" {
  name        = "${var.stack_name}-GiveAccessPolicy-tf"
  description = "Giving access, with an end (Curfew, stack ${var.stack_name})"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid      = "GiveAccessToUsers"
        Effect   = "Allow"
        Action   = "iam:PutUserPolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:user/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary"       = var.tenant_boundary_arns
            "aws:ResourceTag/curfew:tenant" = var.tenant_ids
          }
        }
      },
      {
        Sid      = "GiveAccessToRoles"
        Effect   = "Allow"
        Action   = "iam:PutRolePolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:role/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary"       = var.tenant_boundary_arns
            "aws:ResourceTag/curfew:tenant" = var.tenant_ids
          }
        }
      },
      local.has_managed_policies ? {
        Sid      = "GiveManagedPoliciesToUsers"
        Effect   = "Allow"
        Action   = "iam:AttachUserPolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:user/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary"       = var.tenant_boundary_arns
            "aws:ResourceTag/curfew:tenant" = var.tenant_ids
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
          }
        }
      } : null,
      local.has_managed_policies ? {
        Sid      = "GiveManagedPoliciesToRoles"
        Effect   = "Allow"
        Action   = "iam:AttachRolePolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:role/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary"       = var.tenant_boundary_arns
            "aws:ResourceTag/curfew:tenant" = var.tenant_ids
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
          }
        }
      } : null,
      {
        Sid      = "SetTimers"
        Effect   = "Allow"
        Action   = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"]
        Resource = "arn:${local.partition}:scheduler:${local.region}:${local.account_id}:schedule/${aws_scheduler_schedule_group.timer_group.name}/curfew-g-*"
      },
      {
        Sid      = "HandTheTimerRoleToScheduler"
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = aws_iam_role.timer_role.arn
        Condition = {
          StringEquals = {
            "iam:PassedToService" = "scheduler.amazonaws.com"
          }
        }
      },
      {
        Sid      = "SetRuleTimers"
        Effect   = "Allow"
        Action   = "events:PutRule"
        Resource = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/curfew-g-*"
      },
      {
        Sid      = "AimRuleTimersAtRevoke"
        Effect   = "Allow"
        Action   = "events:PutTargets"
        Resource = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/curfew-g-*"
        Condition = {
          "ForAllValues:ArnEquals" = {
            "events:TargetArn" = aws_lambda_function.revoke_function.arn
          }
        }
      },
    ] : item if item != null]
  })
}
