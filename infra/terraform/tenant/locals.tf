# Made by the tests from infra/tenant.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
}

locals {
  has_agent_role       = var.agent_role == "yes"
  has_another_boundary = var.another_boundary_arn != ""
  has_managed_policies = join("", var.managed_policy_arns) != ""
}
