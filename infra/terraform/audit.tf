# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# Archive
resource "aws_s3_bucket" "archive" {
  bucket              = "${var.stack_name}-archive-${local.account_id}-${local.region}"
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

# Archive
resource "aws_s3_bucket_object_lock_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    default_retention {
      mode = "COMPLIANCE"
      days = var.archive_retention_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

# Archive
resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

# Archive
resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    bucket_key_enabled = local.has_own_key ? true : null

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.has_own_key ? "aws:kms" : "AES256"
      kms_master_key_id = local.has_own_key ? var.kms_key_arn : null
    }
  }
}

# Archive
resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Archive
resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Archive
resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    filter {}
  }
}

# ArchivePolicy
resource "aws_s3_bucket_policy" "archive_policy" {
  bucket = aws_s3_bucket.archive.bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for item in [
      {
        Sid       = "EncryptedConnectionsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.archive.arn, "${aws_s3_bucket.archive.arn}/*"]
        Condition = {
          Bool = {
            "aws:SecureTransport" = "false"
          }
        }
      },
      {
        Sid       = "WrittenByTheAuditFunctionOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.archive.arn}/*"
        Condition = {
          ArnNotEquals = {
            "aws:PrincipalArn" = aws_iam_role.audit_role.arn
          }
        }
      },
      {
        Sid       = "DeletedByNobody"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "s3:DeleteObject",
          "s3:DeleteObjectVersion",
          "s3:BypassGovernanceRetention",
          "s3:PutObjectRetention",
          "s3:PutObjectLegalHold",
          "s3:DeleteBucket",
          "s3:ReplicateObject",
          "s3:ReplicateDelete",
          "s3:ReplicateTags",
        ]
        Resource = [aws_s3_bucket.archive.arn, "${aws_s3_bucket.archive.arn}/*"]
      },
      local.keeps_archive_settings ? {
        Sid       = "SettledByNobody"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "s3:PutBucketObjectLockConfiguration",
          "s3:PutBucketVersioning",
          "s3:PutEncryptionConfiguration",
          "s3:PutLifecycleConfiguration",
          "s3:PutReplicationConfiguration",
        ]
        Resource = aws_s3_bucket.archive.arn
      } : null,
    ] : item if item != null]
  })

  depends_on = [
    aws_s3_bucket_lifecycle_configuration.archive,
    aws_s3_bucket_object_lock_configuration.archive,
    aws_s3_bucket_server_side_encryption_configuration.archive,
    aws_s3_bucket_versioning.archive,
  ]

  lifecycle {
    prevent_destroy = true
  }
}

# EventsBus
resource "aws_cloudwatch_event_bus" "events_bus" {
  name        = var.stack_name
  description = "What happens to access (Curfew, stack ${var.stack_name})"
}

# EventsBusPolicy
resource "aws_cloudwatch_event_bus_policy" "events_bus_policy" {
  event_bus_name = aws_cloudwatch_event_bus.events_bus.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WrittenByTheAuditFunctionOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "events:PutEvents"
        Resource  = aws_cloudwatch_event_bus.events_bus.arn
        Condition = {
          ArnNotEquals = {
            "aws:PrincipalArn" = aws_iam_role.audit_role.arn
          }
        }
      },
    ]
  })
}

# CheckpointKey
resource "aws_kms_key" "checkpoint_key" {
  description              = "Checkpoints of the archive (Curfew, stack ${var.stack_name})"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 30
  tags = {
    "curfew:stack" = var.stack_name
  }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "AdministeredByThisAccount"
        Effect = "Allow"
        Principal = {
          AWS = "arn:${local.partition}:iam::${local.account_id}:root"
        }
        Action = [
          "kms:CancelKeyDeletion",
          "kms:DescribeKey",
          "kms:DisableKey",
          "kms:EnableKey",
          "kms:GetKeyPolicy",
          "kms:GetKeyRotationStatus",
          "kms:GetPublicKey",
          "kms:ListResourceTags",
          "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateKeyDescription",
          "kms:Verify",
        ]
        Resource = "*"
      },
      {
        Sid    = "SignedByTheAuditFunctionOnly"
        Effect = "Allow"
        Principal = {
          AWS = aws_iam_role.audit_role.arn
        }
        Action   = "kms:Sign"
        Resource = "*"
        Condition = {
          StringEquals = {
            "kms:SigningAlgorithm" = "ECDSA_SHA_256"
          }
        }
      },
      {
        Sid    = "ReadByTheAuditFunction"
        Effect = "Allow"
        Principal = {
          AWS = aws_iam_role.audit_role.arn
        }
        Action   = "kms:GetPublicKey"
        Resource = "*"
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}

# UnreadableRecords
resource "aws_sqs_queue" "unreadable_records" {
  name                      = "${var.stack_name}-UnreadableRecords-tf"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
