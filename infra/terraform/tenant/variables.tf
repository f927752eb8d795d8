# Made by the tests from infra/tenant.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

variable "tenant_id" {
  description = "The tenant, as the catalog names it. Users and roles that are to get access carry it as tag `curfew:tenant`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{0,63}$", var.tenant_id))
    error_message = "tenant_id: must match ^[a-z0-9][a-z0-9_-]{0,63}$"
  }
}

variable "agent_role" {
  description = "`yes` makes the agent role; `no`, in Curfew's own account, makes the boundary alone (name it in `tenant_boundary_arns` of Curfew's own stack, and the tenant in `tenant_ids`)."
  type        = string
  default     = "yes"
  nullable    = false

  validation {
    condition     = contains(["yes", "no"], var.agent_role)
    error_message = "agent_role: must be one of yes, no"
  }
}

variable "role_name" {
  description = "The agent role's name, as the catalog has it; the boundary is named after it. Another one for each tenant of an account."
  type        = string
  default     = "curfew-agent"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,55}$", var.role_name))
    error_message = "role_name: must match ^[\\w+=,.@-]{1,55}$"
  }
}

variable "grant_role_arn" {
  description = "Output grant_role_arn of Curfew's stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$", var.grant_role_arn))
    error_message = "grant_role_arn: must match ^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$"
  }
}

variable "revoke_role_arn" {
  description = "Output revoke_role_arn of Curfew's stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$", var.revoke_role_arn))
    error_message = "revoke_role_arn: must match ^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$"
  }
}

variable "sweep_role_arn" {
  description = "Output sweep_role_arn of Curfew's stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$", var.sweep_role_arn))
    error_message = "sweep_role_arn: must match ^arn:aws[a-z-]*:iam::[0-9]{12}:role/\\S+$"
  }
}

variable "curfew_stack_name" {
  description = "The name of Curfew's own stack (of template.yaml; in Terraform, `stack_name`). What it is made of is known by that name, and out of everybody's reach by the boundary: another name here protects nothing."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,26}$", var.curfew_stack_name))
    error_message = "curfew_stack_name: must match ^[a-z][a-z0-9-]{0,26}$"
  }
}

variable "external_id" {
  description = "The tenant's external id in the catalog. A random one for each tenant."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.external_id) >= 16 && length(var.external_id) <= 1224
    error_message = "external_id: its length must be at least 16 and at most 1224"
  }
}

variable "grantable_actions" {
  description = "The most that any grant can give here: actions, wildcards allowed. Nothing that Curfew grants exceeds it, whatever the catalog says."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.grantable_actions) > 0
    error_message = "grantable_actions: must have at least one"
  }

  validation {
    condition     = alltrue([for item in var.grantable_actions : can(regex("^[a-z0-9-]+:[A-Za-z*?]+$", item))])
    error_message = "grantable_actions: each must be an action as IAM has it, with its service"
  }
}

variable "grantable_resources" {
  description = "On what. ARNs, wildcards allowed."
  type        = list(string)
  default     = ["*"]
  nullable    = false
}

variable "another_boundary_arn" {
  description = "A boundary that counts beside the one made here (policy ARN): the old one, while principals move to this. Empty: none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:policy/\\S+)?$", var.another_boundary_arn))
    error_message = "another_boundary_arn: must match ^(arn:aws[a-z-]*:iam::[0-9]{12}:policy/\\S+)?$"
  }
}

variable "managed_policy_arns" {
  description = "The standing policies that roles of access kind `managed` may attach. Empty, none."
  type        = list(string)
  default     = []
  nullable    = false
}
