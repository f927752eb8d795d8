# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# TimerRole
resource "aws_iam_role" "timer_role" {
  name = "${var.stack_name}-TimerRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "scheduler.amazonaws.com"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.account_id
            "aws:SourceArn"     = aws_scheduler_schedule_group.timer_group.arn
          }
        }
      },
    ]
  })
}

# TimerRole
resource "aws_iam_role_policy" "timer_role_fire" {
  role = aws_iam_role.timer_role.name
  name = "fire"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Revoke"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.revoke_function.arn
      },
      {
        Sid      = "KeepWhatCouldNotBeDelivered"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.timer_dead_letters.arn
      },
    ]
  })
}

# GrantRole
resource "aws_iam_role" "grant_role" {
  name = "${var.stack_name}-GrantRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

# GrantRole
resource "aws_iam_role_policy_attachment" "grant_role_close_grants_policy" {
  role       = aws_iam_role.grant_role.name
  policy_arn = aws_iam_policy.close_grants_policy.arn
}

# GrantRole
resource "aws_iam_role_policy_attachment" "grant_role_give_access_policy" {
  role       = aws_iam_role.grant_role.name
  policy_arn = aws_iam_policy.give_access_policy.arn
}

# GrantRole
resource "aws_iam_role_policy" "grant_role_grant" {
  role = aws_iam_role.grant_role.name
  name = "grant"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.grant_logs.arn}:*"
      },
      {
        Sid      = "WhoHasWhat"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${aws_dynamodb_table.ledger.arn}/index/live_by_person"
      },
      {
        Sid      = "WebhookSecrets"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = aws_secretsmanager_secret.webhook_secret.arn
      },
      local.has_own_key ? {
        Sid      = "WebhookSecretsKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.kms_key_arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com"
          }
        }
      } : null,
    ] : item if item != null]
  })
}

# RevokeRole
resource "aws_iam_role" "revoke_role" {
  name = "${var.stack_name}-RevokeRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

# RevokeRole
resource "aws_iam_role_policy_attachment" "revoke_role_close_grants_policy" {
  role       = aws_iam_role.revoke_role.name
  policy_arn = aws_iam_policy.close_grants_policy.arn
}

# RevokeRole
resource "aws_iam_role_policy" "revoke_role_revoke" {
  role = aws_iam_role.revoke_role.name
  name = "revoke"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.revoke_logs.arn}:*"
      },
      {
        Sid    = "WhoHasWhat"
        Effect = "Allow"
        Action = "dynamodb:Query"
        Resource = [
          "${aws_dynamodb_table.ledger.arn}/index/live_by_person",
          "${aws_dynamodb_table.ledger.arn}/index/live_by_tenant",
          "${aws_dynamodb_table.ledger.arn}/index/reviews",
        ]
      },
      {
        Sid      = "KeepWhatFailed"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.failed_invocations.arn
      },
    ]
  })
}

# SweepRole
resource "aws_iam_role" "sweep_role" {
  name = "${var.stack_name}-SweepRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

# SweepRole
resource "aws_iam_role_policy_attachment" "sweep_role_close_grants_policy" {
  role       = aws_iam_role.sweep_role.name
  policy_arn = aws_iam_policy.close_grants_policy.arn
}

# SweepRole
resource "aws_iam_role_policy_attachment" "sweep_role_give_access_policy" {
  role       = aws_iam_role.sweep_role.name
  policy_arn = aws_iam_policy.give_access_policy.arn
}

# SweepRole
resource "aws_iam_role_policy" "sweep_role_sweep" {
  role = aws_iam_role.sweep_role.name
  name = "sweep"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.sweep_logs.arn}:*"
      },
      {
        Sid      = "WhatIsDue"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${aws_dynamodb_table.ledger.arn}/index/due"
      },
      {
        Sid      = "WhoHasWhat"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${aws_dynamodb_table.ledger.arn}/index/live_by_tenant"
      },
      {
        Sid      = "TakeInventory"
        Effect   = "Allow"
        Action   = "iam:GetAccountAuthorizationDetails"
        Resource = "*"
      },
      {
        Sid      = "KeepWhatFailed"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.failed_invocations.arn
      },
    ]
  })
}

# AuditRole
resource "aws_iam_role" "audit_role" {
  name = "${var.stack_name}-AuditRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

# AuditRole
resource "aws_iam_role_policy" "audit_role_audit" {
  role = aws_iam_role.audit_role.name
  name = "audit"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.audit_logs.arn}:*"
      },
      {
        Sid      = "ReadTheStream"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        Resource = aws_dynamodb_table.ledger.stream_arn
      },
      {
        Sid      = "FindTheStream"
        Effect   = "Allow"
        Action   = "dynamodb:ListStreams"
        Resource = "${aws_dynamodb_table.ledger.arn}/stream/*"
      },
      {
        Sid      = "ReadEvents"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = aws_dynamodb_table.ledger.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["GRANT#*", "TICKET#*", "ARCHIVE"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      {
        Sid      = "RememberTheNewestCheckpoint"
        Effect   = "Allow"
        Action   = "dynamodb:UpdateItem"
        Resource = aws_dynamodb_table.ledger.arn
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["ARCHIVE"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      local.has_own_key ? {
        Sid      = "LedgerAndArchiveKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = ["dynamodb.${local.region}.amazonaws.com", "s3.${local.region}.amazonaws.com"]
          }
        }
      } : null,
      {
        Sid    = "AddToTheArchive"
        Effect = "Allow"
        Action = "s3:PutObject"
        Resource = [
          "${aws_s3_bucket.archive.arn}/events/*",
          "${aws_s3_bucket.archive.arn}/checkpoints/*",
          "${aws_s3_bucket.archive.arn}/keys/*",
        ]
      },
      {
        Sid      = "ReadTheArchive"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${aws_s3_bucket.archive.arn}/*"
      },
      {
        Sid      = "ListTheArchive"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = aws_s3_bucket.archive.arn
      },
      {
        Sid      = "Tell"
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = aws_cloudwatch_event_bus.events_bus.arn
      },
      {
        Sid      = "KeepWhatFailed"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = [aws_sqs_queue.unreadable_records.arn, aws_sqs_queue.failed_invocations.arn]
      },
    ] : item if item != null]
  })
}

# ConsoleRole
resource "aws_iam_role" "console_role" {
  name = "${var.stack_name}-ConsoleRole-tf"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

# ConsoleRole
resource "aws_iam_role_policy" "console_role_console" {
  role = aws_iam_role.console_role.name
  name = "console"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.console_logs.arn}:*"
      },
      {
        Sid      = "ReadWhatIsLive"
        Effect   = "Allow"
        Action   = ["dynamodb:Query", "dynamodb:Scan"]
        Resource = "${aws_dynamodb_table.ledger.arn}/index/live_by_tenant"
      },
      {
        Sid      = "ReadReviewsOwed"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${aws_dynamodb_table.ledger.arn}/index/reviews"
      },
      {
        Sid      = "ReadOneGrant"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = aws_dynamodb_table.ledger.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = "GRANT#*"
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      local.has_own_key ? {
        Sid      = "LedgerKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey"]
        Resource = var.kms_key_arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = "dynamodb.${local.region}.amazonaws.com"
          }
        }
      } : null,
    ] : item if item != null]
  })
}
