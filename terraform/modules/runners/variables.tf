variable "name" {
  description = "Name of the project, which jobs name in runs-on."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "region" {
  description = "Region of the runners."
  type        = string
}

variable "repository" {
  description = "Repository whose jobs run here."
  type        = string

  validation {
    condition     = can(regex("^[^/]+/[^/]+$", var.repository))
    error_message = "repository is ORG/REPO."
  }
}

variable "vpc_id" {
  description = "VPC of the runners."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the runners."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Key of the logs."
  type        = string
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 90
}

variable "permissions_boundary" {
  description = "Boundary of its role."
  type        = string
}
