variable "name" {
  description = "Name of the queue."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,72}$", var.name))
    error_message = "name is letters, digits, _ and -, and leaves room for -parking."
  }
}

variable "suffixes" {
  description = "What the names of the dead-letter and the parking queue end in."
  type = object({
    dead    = string
    parking = string
  })
}

variable "kms_key_arn" {
  description = "Key of the messages."
  type        = string
}

variable "consumer_limit" {
  description = "After how many receives the consumer gives up by itself."
  type        = number

  validation {
    condition     = var.consumer_limit >= 1 && var.consumer_limit <= 500
    error_message = "consumer_limit is 1 to 500: the queue's own limit is twice that."
  }
}

variable "consumer_timeout_seconds" {
  description = "For how long a consumer may work on what it received."
  type        = number
  default     = 30

  validation {
    condition     = var.consumer_timeout_seconds >= 1 && var.consumer_timeout_seconds <= 900
    error_message = "consumer_timeout_seconds is 1 to 900."
  }
}

variable "batching_window_seconds" {
  description = "For how long the consumer gathers messages."
  type        = number
  default     = 0
}

variable "sender_rule_arns" {
  description = "ARNs of the EventBridge rules that send to the queue."
  type        = list(string)
  default     = []
}
