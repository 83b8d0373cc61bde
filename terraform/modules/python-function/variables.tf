variable "name" {
  description = "Name of the function and of its role."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "files" {
  description = "Files of terraform/functions that it is made of."
  type        = list(string)
}

variable "handler" {
  description = "FILE.FUNCTION that is called."
  type        = string
}

variable "environment" {
  description = "Its variables; nothing secret."
  type        = map(string)
}

variable "policy" {
  description = "What the code may do, as JSON."
  type        = string
}

variable "timeout_seconds" {
  description = "For how long it may run."
  type        = number
  default     = 300
}

variable "vpc_id" {
  description = "VPC that it joins."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets that it joins."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Security group of the database that it signs in to."
  type        = string
}

variable "caller" {
  description = "Service that calls it, and the ARN for which that does; null if it calls for several."
  type = object({
    service    = string
    source_arn = optional(string)
  })
}

variable "kms_key_arn" {
  description = "Key of its log."
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
