variable "name" {
  description = "Name of the domain."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "A domain's name is 3 to 28 small letters, digits and hyphens."
  }
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "engine_version" {
  description = "Version of OpenSearch, such as OpenSearch_3.1."
  type        = string
}

variable "instance_type" {
  description = "Type of the data nodes."
  type        = string
}

variable "instance_count" {
  description = "Data nodes: 1, 2, or a multiple of the zones."
  type        = number

  validation {
    condition     = var.instance_count >= 1
    error_message = "instance_count is at least 1."
  }
}

variable "master_type" {
  description = "Type of the three dedicated masters; null for none."
  type        = string
  default     = null
}

variable "volume_gb" {
  description = "Storage of each data node."
  type        = number
}

variable "vpc_id" {
  description = "VPC of the domain."
  type        = string
}

variable "subnet_ids" {
  description = "Data subnets, one a zone."
  type        = list(string)
}

variable "client_security_groups" {
  description = "Security groups that connect, by what they are."
  type        = map(string)
}

variable "client_cidrs" {
  description = "Networks that connect: the VPN's, for payops."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "Key of storage and logs."
  type        = string
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 90
}

variable "endpoint" {
  description = "Name that the domain is reached by, its zone, and a certificate for it."
  type = object({
    name            = string
    zone_id         = string
    certificate_arn = string
  })
}
