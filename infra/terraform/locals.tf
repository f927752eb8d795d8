# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region
}

locals {
  protects_ledger        = var.deletion_protection == "true"
  has_own_key            = var.kms_key_arn != ""
  has_agent_roles        = join("", var.agent_role_arns) != ""
  has_managed_policies   = join("", var.managed_policy_arns) != ""
  keeps_archive_settings = var.archive_settings == "kept"
  reserves_for_grant     = var.grant_reserved_concurrency != ""
  reserves_for_revoke    = var.revoke_reserved_concurrency != ""
  reserves_for_sweep     = var.sweep_reserved_concurrency != ""
  reserves_for_audit     = var.audit_reserved_concurrency != ""
  reserves_for_console   = var.console_reserved_concurrency != ""
  has_function_url       = var.function_url == "public"
  has_alarm_topic        = var.alarm_topic_arn != ""
}
