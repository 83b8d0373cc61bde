variable "name" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name is 3 to 63 small letters, digits, dots and hyphens."
  }
}

variable "kms_key_arn" {
  description = "Key of its objects; null for S3's own keys, which log deliveries need that take no other."
  type        = string
  default     = null
}

variable "replica" {
  description = "The bucket that everything is replicated to: name, region, and key there (null as for kms_key_arn)."
  type = object({
    name        = string
    region      = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.replica == null || try(var.replica.name != var.name, true)
    error_message = "The replica has a name of its own."
  }
}

variable "object_lock" {
  description = "How long an object cannot be deleted, and whether somebody may shorten that (GOVERNANCE) or nobody (COMPLIANCE)."
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null || try(contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days > 0, false)
    error_message = "mode is GOVERNANCE or COMPLIANCE, days above 0."
  }
}

variable "policies" {
  description = "Policy documents to add to the bucket's; {bucket} in them becomes the name, the replica's in its own."
  type        = list(string)
  default     = []
}

variable "log_bucket" {
  description = "Bucket that server access logs go to; null for log buckets themselves."
  type        = string
  default     = null
}

variable "eventbridge" {
  description = "Whether S3 tells EventBridge of every change."
  type        = bool
  default     = true
}

variable "noncurrent_days" {
  description = "After how many days a version that is no longer current is deleted."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is at least 1."
  }
}

variable "transition_days" {
  description = "After how many days objects move to a cheaper class; null for never."
  type        = number
  default     = null
}

variable "expiration_days" {
  description = "After how many days objects are deleted; null for never."
  type        = number
  default     = null
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with what is in it: for a pull request's environment alone."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "Boundary of the replication's role."
  type        = string
  default     = null
}
