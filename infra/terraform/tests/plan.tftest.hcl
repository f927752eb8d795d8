# Plans both modules against a provider that only pretends: no account is needed, and nothing is made.
#
#   cd infra/terraform && terraform init && terraform test

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111122223333"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_data "aws_region" {
    defaults = {
      region = "eu-central-1"
    }
  }
}

variables {
  stack_name           = "curfew"
  package_directory    = "tests/packages"
  tenant_boundary_arns = ["arn:aws:iam::111122223333:policy/payments"]
  tenant_ids           = ["payments"]
}

run "with_what_must_be_given" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled
    error_message = "the ledger can be deleted"
  }

  assert {
    condition     = length(aws_lambda_function_url.grant_function_url) == 0
    error_message = "there is a function URL that nobody asked for"
  }
}

run "with_everything" {
  command = plan

  variables {
    agent_role_arns            = ["arn:aws:iam::444455556666:role/curfew-agent"]
    alarm_topic_arn            = "arn:aws:sns:eu-central-1:111122223333:alarms"
    deletion_protection        = false
    function_url               = "public"
    grant_reserved_concurrency = ""
    kms_key_arn                = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    managed_policy_arns        = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
  }

  assert {
    condition     = !aws_dynamodb_table.ledger.deletion_protection_enabled
    error_message = "the ledger cannot be deleted"
  }

  assert {
    condition     = length(aws_lambda_function_url.grant_function_url) == 1
    error_message = "there is no function URL"
  }
}

run "a_deployment_without_a_boundary_is_refused" {
  command = plan

  variables {
    tenant_boundary_arns = []
  }

  expect_failures = [var.tenant_boundary_arns]
}

run "a_name_that_timers_have_is_refused" {
  command = plan

  variables {
    stack_name = "curfew-g"
  }

  expect_failures = [var.stack_name]
}

run "a_tenant_in_another_account" {
  command = plan

  module {
    source = "./tenant"
  }

  variables {
    tenant_id         = "payments"
    curfew_stack_name = "curfew"
    grant_role_arn    = "arn:aws:iam::111122223333:role/curfew-GrantRole-tf"
    revoke_role_arn   = "arn:aws:iam::111122223333:role/curfew-RevokeRole-tf"
    sweep_role_arn    = "arn:aws:iam::111122223333:role/curfew-SweepRole-tf"
    external_id       = "0123456789abcdef0123456789abcdef"
    grantable_actions = ["s3:*", "logs:*"]
  }

  assert {
    condition     = length(aws_iam_role.agent_role_of_curfew) == 1
    error_message = "there is no agent role"
  }
}
