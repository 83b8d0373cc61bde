variable "name" {
  description = "Name of the function."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "region" {
  description = "Region of the secrets."
  type        = string
}

variable "logins" {
  description = "Whole names of secrets that hold a URL: ARN of the secret, role of the ledger, host that the URL leads to."
  type = map(object({
    secret_arn = string
    role       = string
    host       = string
  }))

  validation {
    condition     = alltrue([for login in var.logins : can(regex("^[a-z][a-z0-9_]{0,60}$", login.role))])
    error_message = "A role has letters, digits and _, and room for _a and _b."
  }
}

variable "days" {
  description = "A login lives for twice as many days."
  type        = number
  default     = 30
}

variable "master_secret_arn" {
  description = "Secret of the master user."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the secrets."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the ledger."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the function."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Security group of the ledger."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the function's log."
  type        = string
}

variable "log_days" {
  description = "For how many days its log is kept."
  type        = number
  default     = 90
}

variable "permissions_boundary" {
  description = "Boundary of its role."
  type        = string
}
