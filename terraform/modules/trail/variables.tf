variable "name" {
  description = "Name of the trail."
  type        = string
}

variable "account_id" {
  description = "The management account."
  type        = string
}

variable "organization_id" {
  description = "The organization."
  type        = string
}

variable "region" {
  description = "Region of the trail."
  type        = string
}

variable "replica_region" {
  description = "Region that the log archive is replicated to."
  type        = string
}

variable "bucket" {
  description = "Name of the log archive."
  type        = string
}

variable "keep_days" {
  description = "For how many days nobody deletes what is in it."
  type        = number
  default     = 400

  validation {
    condition     = var.keep_days >= 90
    error_message = "Evidence is kept for at least 90 days."
  }
}

variable "data_event_buckets" {
  description = "Buckets whose objects' reads and writes are recorded."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "permissions_boundary" {
  description = "Boundary of its roles."
  type        = string
}
