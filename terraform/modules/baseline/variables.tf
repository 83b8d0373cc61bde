variable "account_id" {
  description = "The account."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of disks that name none."
  type        = string
}

variable "config_bucket" {
  description = "Bucket that AWS Config delivers to."
  type        = string
}

variable "config_rules" {
  description = "Rules of AWS Config by alarm: AWS's identifier, and parameters."
  type = map(object({
    identifier = string
    parameters = optional(map(string))
  }))

  validation {
    condition     = alltrue([for rule in var.config_rules : can(regex("^[A-Z0-9_]+$", rule.identifier))])
    error_message = "An identifier is such as ROOT_ACCOUNT_MFA_ENABLED."
  }
}

variable "permissions_boundary" {
  description = "Boundary of Config's role."
  type        = string
  default     = null
}
