variable "name" {
  description = "Name of the table."
  type        = string
}

variable "table" {
  description = "Keys, expiry and indexes, as the names have them."
  type = object({
    partition_key = string
    sort_key      = string
    ttl           = string
    indexes = map(object({
      partition_key = string
      sort_key      = string
      sort_type     = string
      projection    = string
    }))
  })

  validation {
    condition     = alltrue([for index in var.table.indexes : contains(["S", "N", "B"], index.sort_type) && contains(["ALL", "KEYS_ONLY"], index.projection)])
    error_message = "sort_type is S, N or B, projection ALL or KEYS_ONLY."
  }
}

variable "kms_key_arn" {
  description = "Key of the table."
  type        = string
}

variable "recovery_days" {
  description = "To how many days back the table can be restored to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.recovery_days >= 1 && var.recovery_days <= 35
    error_message = "recovery_days is 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table."
  type        = bool
  default     = true
}

variable "backup" {
  description = "Whether AWS Backup copies it daily."
  type        = bool
  default     = true
}
