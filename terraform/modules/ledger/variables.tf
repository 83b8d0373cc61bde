variable "name" {
  description = "Identifier of the instance."
  type        = string
}

variable "replica_name" {
  description = "Identifier of the read replica."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "database" {
  description = "Name of the database."
  type        = string
}

variable "engine_version" {
  description = "Version of PostgreSQL."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{2}\\.[0-9]+$", var.engine_version))
    error_message = "engine_version is such as 17.6."
  }
}

variable "instance_class" {
  description = "Class of both instances."
  type        = string
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over."
  type        = bool
  default     = true
}

variable "storage_gb" {
  description = "Storage at first."
  type        = number
}

variable "storage_max_gb" {
  description = "Up to what storage grows by itself."
  type        = number

  validation {
    condition     = var.storage_max_gb >= 1.26 * var.storage_gb
    error_message = "RDS wants the limit at least 26 % above the storage at first."
  }
}

variable "backup_days" {
  description = "To how many days back the ledger can be restored to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days is 1 to 35; without backups there is no replica."
  }
}

variable "vpc_id" {
  description = "VPC of the ledger."
  type        = string
}

variable "vpc_cidr" {
  description = "Network of that VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Data subnets."
  type        = list(string)
}

variable "rotation_subnet_ids" {
  description = "Private subnets of the rotation's function."
  type        = list(string)
}

variable "client_security_groups" {
  description = "Security groups that connect, by what they are."
  type        = map(string)
  default     = {}
}

variable "client_cidrs" {
  description = "Networks that connect: the VPN's, for payops."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "Key of storage, logs and Performance Insights."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the master user's secret."
  type        = string
}

variable "master_secret_name" {
  description = "Name of that secret."
  type        = string
}

variable "password_version" {
  description = "Raised to have Terraform set a new password; rotation does it otherwise."
  type        = number
  default     = 1
}

variable "slow_query_ms" {
  description = "Statements that take longer are logged, and counted."
  type        = number
  default     = 1000
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 90
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the instances."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "Boundary of its roles."
  type        = string
  default     = null
}

variable "copy" {
  description = "Region, and key there, that automated backups are replicated to; null for none."
  type = object({
    region      = string
    kms_key_arn = string
  })
  default = null
}
