variable "name" {
  description = "Name of the router."
  type        = string
}

variable "region" {
  description = "Region of the router."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the router."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the router."
  type        = list(string)
}

variable "routes" {
  description = "Networks that are reached through it."
  type        = list(string)

  validation {
    condition     = alltrue([for route in var.routes : can(cidrhost(route, 0))])
    error_message = "routes are networks."
  }
}

variable "kms_key_arn" {
  description = "Key of the auth key's secret."
  type        = string
}

variable "permissions_boundary" {
  description = "Boundary of its role."
  type        = string
}
