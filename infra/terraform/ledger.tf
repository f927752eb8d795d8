# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

# Ledger
resource "aws_dynamodb_table" "ledger" {
  name                        = "${var.stack_name}-Ledger-tf"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = local.protects_ledger

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = local.has_own_key ? var.kms_key_arn : null
  }

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "due_shard"
    type = "S"
  }

  attribute {
    name = "due_order"
    type = "S"
  }

  attribute {
    name = "live_person"
    type = "S"
  }

  attribute {
    name = "live_tenant"
    type = "S"
  }

  attribute {
    name = "principal"
    type = "S"
  }

  attribute {
    name = "review_owed"
    type = "S"
  }

  attribute {
    name = "review_since"
    type = "S"
  }
  hash_key         = "pk"
  range_key        = "sk"
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"

  global_secondary_index {
    name = "due"

    key_schema {
      attribute_name = "due_shard"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "due_order"
      key_type       = "RANGE"
    }

    projection_type = "KEYS_ONLY"
  }

  global_secondary_index {
    name = "live_by_person"

    key_schema {
      attribute_name = "live_person"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "live_tenant"
      key_type       = "RANGE"
    }

    projection_type = "KEYS_ONLY"
  }

  global_secondary_index {
    name = "live_by_tenant"

    key_schema {
      attribute_name = "live_tenant"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "principal"
      key_type       = "RANGE"
    }

    projection_type = "INCLUDE"
    non_key_attributes = [
      "person",
      "role",
      "ticket",
      "source",
      "state",
      "starts_at",
      "expires_at",
      "due_at",
      "access_kind",
      "privileged",
      "failures",
      "closing_since",
      "in_aws_until",
    ]
  }

  global_secondary_index {
    name = "reviews"

    key_schema {
      attribute_name = "review_owed"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "review_since"
      key_type       = "RANGE"
    }

    projection_type = "INCLUDE"
    non_key_attributes = [
      "person",
      "tenant",
      "role",
      "principal",
      "ticket",
      "source",
      "state",
      "starts_at",
      "expires_at",
      "outcome",
    ]
  }

  lifecycle {
    prevent_destroy = true
  }
}
