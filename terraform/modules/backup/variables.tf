variable "name" {
  description = "Name of the vaults and the plan."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the vault."
  type        = string
}

variable "copy" {
  description = "Region, and key there, that every backup is copied to."
  type = object({
    region      = string
    kms_key_arn = string
  })
}

variable "keep_days" {
  description = "For how many days backups are kept."
  type        = number
  default     = 35
}

variable "lock_days" {
  description = "Before how many days nobody deletes a backup."
  type        = number
  default     = 14

  validation {
    condition     = var.lock_days <= var.keep_days
    error_message = "A lock that outlives the backups refuses them."
  }
}

variable "table_arn" {
  description = "Table whose restore is tried every week."
  type        = string
}

variable "ledger" {
  description = "Ledger whose restore is tried every week: ARN, subnet group, security group."
  type = object({
    arn               = string
    subnet_group      = string
    security_group_id = string
  })
}

variable "permissions_boundary" {
  description = "Boundary of its role."
  type        = string
  default     = null
}
