# Made by the tests from infra/template.yaml. Don't edit it by hand:
#   CURFEW_UPDATE_DOCS=1 cargo terraform

variable "stack_name" {
  description = "What all names begin with, so that several deployments can stand side by side in one account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,26}$", var.stack_name))
    error_message = "stack_name: must be at most 27 lower-case letters, digits and hyphens, a letter first (the archive's bucket is named after it)"
  }

  validation {
    condition     = !startswith("${var.stack_name}-", "curfew-g-")
    error_message = "stack_name: must not begin with curfew-g-, because the names of timers do, and Curfew may delete what is named so"
  }
}

variable "package_directory" {
  description = "The folder with the functions' packages: a zip file for each function (README.md says how they are built)."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Processor of the functions. Build for the same one (see infra/Makefile)."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: must be one of arm64, x86_64"
  }
}

variable "tenant_boundary_arns" {
  description = "The permissions boundaries of your tenants (policy ARNs). Curfew can give access to a user or role of this account only if it carries one of them, so no grant can exceed it. During a change of boundary list the old one and the new one: what is granted under a boundary that is not listed cannot be taken away."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.tenant_boundary_arns) > 0
    error_message = "tenant_boundary_arns: must have at least one"
  }

  validation {
    condition     = alltrue([for item in var.tenant_boundary_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/\\S+$", item))])
    error_message = "tenant_boundary_arns: each must be the ARN of a customer managed policy"
  }
}

variable "tenant_ids" {
  description = "The tenants of this account, as the catalog names them. Curfew can give access to a user or role of this account only if it is tagged `curfew:tenant` with one of them, beside carrying a boundary. What was given is taken away whether the tag is still there or not."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.tenant_ids) > 0
    error_message = "tenant_ids: must have at least one"
  }

  validation {
    condition     = alltrue([for item in var.tenant_ids : can(regex("^[a-z0-9][a-z0-9_-]{0,63}$", item))])
    error_message = "tenant_ids: each must be a tenant of the catalog"
  }
}

variable "agent_role_arns" {
  description = "The agent roles of tenants in other accounts (role ARNs). Empty: all tenants live in this account."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "managed_policy_arns" {
  description = "The standing policies that roles of access kind `managed` may attach (policy ARNs, wildcards allowed). Empty: none, only `inline` access works. A policy must stay listed until the last grant of it has ended: what is not listed is not taken away either."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "timer_kind" {
  description = "What ends a grant on time. `scheduler` scales to millions, `rules` to 300 timers a region."
  type        = string
  default     = "scheduler"
  nullable    = false

  validation {
    condition     = contains(["scheduler", "rules"], var.timer_kind)
    error_message = "timer_kind: must be one of scheduler, rules"
  }
}

variable "sweep_grace_seconds" {
  description = "How long after a timer's minute the sweep takes an overdue grant over. Holds for grants opened from now on."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.sweep_grace_seconds >= 0 && var.sweep_grace_seconds <= 3600
    error_message = "sweep_grace_seconds: must be at least 0 and at most 3600"
  }
}

variable "drift_minutes" {
  description = "How often the sweep compares what the tenants' accounts hold with the ledger. 0: never."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.drift_minutes >= 0 && var.drift_minutes <= 1440
    error_message = "drift_minutes: must be at least 0 and at most 1440"
  }
}

variable "drift_margin_seconds" {
  description = "How long after a grant's last change a difference is not taken for drift. IAM may answer from a copy that is some seconds behind: less than a minute finds what is not there."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.drift_margin_seconds >= 0 && var.drift_margin_seconds <= 3600
    error_message = "drift_margin_seconds: must be at least 0 and at most 3600"
  }
}

variable "drift_response" {
  description = "What becomes of a live grant whose policy somebody else took away or edited. `close` ends the grant (whoever did it meant it), `restore` puts the policy back. What is left of ended grants is removed either way."
  type        = string
  default     = "close"
  nullable    = false

  validation {
    condition     = contains(["close", "restore"], var.drift_response)
    error_message = "drift_response: must be one of close, restore"
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the ledger. `false` only for stacks that are thrown away."
  type        = string
  default     = "true"
  nullable    = false

  validation {
    condition     = contains(["true", "false"], var.deletion_protection)
    error_message = "deletion_protection: must be one of true, false"
  }
}

variable "kms_key_arn" {
  description = "Own KMS key for the ledger and the webhook secrets. Empty, keys that AWS manages in this account."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/\\S+)?$", var.kms_key_arn))
    error_message = "kms_key_arn: must match ^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/\\S+)?$"
  }
}

variable "log_filter" {
  description = "What the functions log; a level, or `target=level` pairs."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_:,=]+$", var.log_filter))
    error_message = "log_filter: must match ^[a-z0-9_:,=]+$"
  }
}

variable "log_retention_days" {
  description = "How long the functions' logs are kept. The evidence is in the ledger, not in the logs."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 7, 14, 30, 60, 90, 180, 365, 400, 731, 1096, 1827, 2557, 3653], var.log_retention_days)
    error_message = "log_retention_days: must be one of 1, 7, 14, 30, 60, 90, 180, 365, 400, 731, 1096, 1827, 2557, 3653"
  }
}

variable "archive_retention_days" {
  description = "How long what is in the archive cannot be deleted or changed by anybody, the account's root and AWS included. Holds for what is written from now on; no deployment makes it shorter for what is there."
  type        = number
  default     = 2557
  nullable    = false

  validation {
    condition     = var.archive_retention_days >= 1 && var.archive_retention_days <= 36500
    error_message = "archive_retention_days: must be at least 1 and at most 36500"
  }
}

variable "archive_settings" {
  description = "`kept`: nobody changes how long the archive keeps what is written, how it is encrypted, tidied up or copied, not even a deployment. `changeable`: for as long as a deployment that changes `archive_retention_days` or `kms_key_arn` takes."
  type        = string
  default     = "kept"
  nullable    = false

  validation {
    condition     = contains(["kept", "changeable"], var.archive_settings)
    error_message = "archive_settings: must be one of kept, changeable"
  }
}

variable "audit_batch_seconds" {
  description = "How long the audit function waits for more events before it carries on what there is: so much later at most they are on the bus and in the archive. Fewer seconds cost more requests to the archive (docs/costs.md)."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.audit_batch_seconds >= 0 && var.audit_batch_seconds <= 300
    error_message = "audit_batch_seconds: must be at least 0 and at most 300"
  }
}

variable "checkpoint_margin_seconds" {
  description = "What was written in the last time this long is left to the next hour's checkpoint. Not less than the audit function's time limit and half a minute more: what is still under way then would come too late to be sealed, and look like something that somebody else put there, for good."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.checkpoint_margin_seconds >= 150 && var.checkpoint_margin_seconds <= 3600
    error_message = "checkpoint_margin_seconds: must be at least 150 and at most 3600"
  }
}

variable "ocsf_version" {
  description = "Version of the Open Cybersecurity Schema Framework that records on the bus and in the archive follow."
  type        = string
  default     = "1.8"
  nullable    = false

  validation {
    condition     = contains(["1.8", "1.9"], var.ocsf_version)
    error_message = "ocsf_version: must be one of 1.8, 1.9"
  }
}

variable "webhook_rate_per_second" {
  description = "How many webhooks a second the HTTP API lets through, all callers together, those without a signature too. What comes faster is answered 429 before anybody has looked at it, closed tickets as well (docs/senders.md)."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.webhook_rate_per_second >= 1
    error_message = "webhook_rate_per_second: must be at least 1"
  }
}

variable "source_per_minute" {
  description = "How many approvals a minute one instance of the grant function takes of one source. What comes faster is told to wait (429), and nothing is written: senders that send again lose nothing; for GitHub, GitLab and Slack send it again by hand (docs/senders.md). This never puts off what ends access; the HTTP API's own limit does."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.source_per_minute >= 1 && var.source_per_minute <= 100000
    error_message = "source_per_minute: must be at least 1 and at most 100000"
  }
}

variable "grant_reserved_concurrency" {
  description = "Concurrent invocations of the grant function: as many and no more. Empty: none reserved, not bounded. 0 stops all webhooks."
  type        = string
  default     = "25"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{0,4}$", var.grant_reserved_concurrency))
    error_message = "grant_reserved_concurrency: must match ^[0-9]{0,4}$"
  }
}

variable "revoke_reserved_concurrency" {
  description = "Concurrent invocations of the revoke function: as many and no more. More timers than that in one minute wait their turn. Empty: none reserved, not bounded."
  type        = string
  default     = "100"
  nullable    = false

  validation {
    condition     = can(regex("^([1-9][0-9]{0,3})?$", var.revoke_reserved_concurrency))
    error_message = "revoke_reserved_concurrency: must match ^([1-9][0-9]{0,3})?$"
  }
}

variable "sweep_reserved_concurrency" {
  description = "Concurrent invocations of the sweep function: as many and no more. Two, for a lap that begins before Lambda has cleared the one before away. Empty: none reserved, not bounded."
  type        = string
  default     = "2"
  nullable    = false

  validation {
    condition     = can(regex("^([1-9][0-9]{0,3})?$", var.sweep_reserved_concurrency))
    error_message = "sweep_reserved_concurrency: must match ^([1-9][0-9]{0,3})?$"
  }
}

variable "audit_reserved_concurrency" {
  description = "Concurrent invocations of the audit function: as many and no more. Empty: none reserved, not bounded."
  type        = string
  default     = "5"
  nullable    = false

  validation {
    condition     = can(regex("^([1-9][0-9]{0,3})?$", var.audit_reserved_concurrency))
    error_message = "audit_reserved_concurrency: must match ^([1-9][0-9]{0,3})?$"
  }
}

variable "console_reserved_concurrency" {
  description = "Concurrent invocations of the console function: as many and no more. 0 switches it off. Empty: none reserved, not bounded."
  type        = string
  default     = "5"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{0,4}$", var.console_reserved_concurrency))
    error_message = "console_reserved_concurrency: must match ^[0-9]{0,4}$"
  }
}

variable "function_url" {
  description = "`public` gives the grant function a URL of its own beside the HTTP API. Every delivery is authenticated by its signature either way."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "public"], var.function_url)
    error_message = "function_url: must be one of none, public"
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that hears of alarms. Empty, alarms only change colour."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:\\S+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn: must match ^(arn:aws[a-z-]*:sns:\\S+)?$"
  }
}
