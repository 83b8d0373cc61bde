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

variable "table" {
  description = "Table whose restore is tried every week, and its key."
  type = object({
    arn     = string
    key_arn = string
  })
}

variable "ledger" {
  description = "Ledger whose restore is tried every week: ARN, subnet group, security group, secret of the master user and its key."
  type = object({
    arn               = string
    subnet_group      = string
    security_group_id = string
    master_secret_arn = string
    secrets_key_arn   = string
  })
}

variable "region" {
  description = "Region of both."
  type        = string
}

variable "vpc_id" {
  description = "VPC that the ledger is restored into."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the function that looks at restores."
  type        = list(string)
}

variable "log_days" {
  description = "For how many days its log is kept."
  type        = number
  default     = 90
}

variable "permissions_boundary" {
  description = "Boundary of its role."
  type        = string
  default     = null
}
