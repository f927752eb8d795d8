# Made by the tests from infra/tenant.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# AgentRoleOfCurfew
resource "aws_iam_role" "agent_role_of_curfew" {
  count = local.has_agent_role ? 1 : 0

  name                 = var.role_name
  description          = "Gives and takes access for Curfew in tenant ${var.tenant_id}, within its boundary"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WhoGivesAndTakes"
        Effect = "Allow"
        Principal = {
          AWS = [var.grant_role_arn, var.sweep_role_arn]
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId"            = var.external_id
            "aws:RequestTag/curfew:may" = "give"
          }
        }
      },
      {
        Sid    = "WhoOnlyTakes"
        Effect = "Allow"
        Principal = {
          AWS = var.revoke_role_arn
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId"            = var.external_id
            "aws:RequestTag/curfew:may" = "remove"
          }
        }
      },
      {
        Sid    = "TagsOfWhoGivesAndTakes"
        Effect = "Allow"
        Principal = {
          AWS = [var.grant_role_arn, var.sweep_role_arn]
        }
        Action = "sts:TagSession"
        Condition = {
          StringEquals = {
            "aws:RequestTag/curfew:may" = "give"
          }
          "ForAllValues:StringEquals" = {
            "aws:TagKeys" = ["curfew:may", "source", "ticket", "grant"]
          }
        }
      },
      {
        Sid    = "TagsOfWhoOnlyTakes"
        Effect = "Allow"
        Principal = {
          AWS = var.revoke_role_arn
        }
        Action = "sts:TagSession"
        Condition = {
          StringEquals = {
            "aws:RequestTag/curfew:may" = "remove"
          }
          "ForAllValues:StringEquals" = {
            "aws:TagKeys" = ["curfew:may", "source", "ticket", "grant"]
          }
        }
      },
    ]
  })
}

# AgentRoleOfCurfew
resource "aws_iam_role_policy" "agent_role_of_curfew_agent" {
  count = local.has_agent_role ? 1 : 0

  role = aws_iam_role.agent_role_of_curfew[0].name
  name = "agent"
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
            "aws:ResourceTag/curfew:tenant" = var.tenant_id
            "aws:PrincipalTag/curfew:may"   = "give"
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
            "aws:ResourceTag/curfew:tenant" = var.tenant_id
            "aws:PrincipalTag/curfew:may"   = "give"
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
            "aws:ResourceTag/curfew:tenant" = var.tenant_id
            "aws:PrincipalTag/curfew:may"   = "give"
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
            "aws:ResourceTag/curfew:tenant" = var.tenant_id
            "aws:PrincipalTag/curfew:may"   = "give"
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
          }
        }
      },
      local.has_managed_policies ? {
        Sid      = "TakeManagedPoliciesFromUsers"
        Effect   = "Allow"
        Action   = "iam:DetachUserPolicy"
        Resource = "arn:${local.partition}:iam::${local.account_id}:user/*"
        Condition = {
          StringEquals = {
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
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
            "iam:PermissionsBoundary" = [for item in [
              aws_iam_policy.boundary.arn,
              local.has_another_boundary ? var.another_boundary_arn : null,
            ] : item if item != null]
          }
          ArnLike = {
            "iam:PolicyARN" = var.managed_policy_arns
          }
        }
      } : null,
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
      {
        Sid      = "TakeInventory"
        Effect   = "Allow"
        Action   = "iam:GetAccountAuthorizationDetails"
        Resource = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalTag/curfew:may" = "give"
          }
        }
      },
    ] : item if item != null]
  })
}
