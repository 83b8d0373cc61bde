variable "name" {
  description = "Name of the function."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the function."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the function."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Key of the logs."
  type        = string
}

variable "artifact" {
  description = "Where the first version's archive lies; the pipeline publishes the next."
  type = object({
    bucket = string
    key    = string
  })
}

variable "environment" {
  description = "Environment variables, none of them secret."
  type        = map(string)
}

variable "policy" {
  description = "What the handler may do."
  type        = string
}

variable "queue" {
  description = "The queue: ARN, and for how long it hides what was received."
  type = object({
    arn                = string
    visibility_seconds = number
  })
}

variable "timeout_seconds" {
  description = "For how long an invocation may run."
  type        = number
  default     = 30

  validation {
    condition     = 6 * var.timeout_seconds <= var.queue.visibility_seconds
    error_message = "The queue hides a message at least six times as long as an invocation may run."
  }
}

variable "memory_mb" {
  description = "Memory, and with it processor time."
  type        = number
  default     = 512
}

variable "batch_size" {
  description = "Messages of one invocation."
  type        = number
  default     = 10
}

variable "batching_window_seconds" {
  description = "For how long messages are gathered."
  type        = number
  default     = 0
}

variable "maximum_concurrency" {
  description = "Invocations side by side at most."
  type        = number

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000
    error_message = "maximum_concurrency is 2 to 1000."
  }
}

variable "reserved_concurrency" {
  description = "Concurrency that no other function takes; above maximum_concurrency, or none (-1)."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= var.maximum_concurrency
    error_message = "reserved_concurrency below maximum_concurrency throttles."
  }
}

variable "canary" {
  description = "How much traffic a new version gets first, and for how long."
  type = object({
    percent = number
    minutes = number
  })
  default = { percent = 10, minutes = 15 }
}

variable "rollback_alarms" {
  description = "Names of the alarms that take a new version back."
  type        = list(string)

  validation {
    condition     = length(var.rollback_alarms) > 0
    error_message = "A canary without alarms promotes anything."
  }
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 90
}

variable "permissions_boundary" {
  description = "Boundary of its roles."
  type        = string
  default     = null
}
