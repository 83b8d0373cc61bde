variable "name" {
  description = "Name of the alias, without alias/."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9/_-]{1,250}$", var.name)) && !startswith(var.name, "alias/")
    error_message = "name is letters, digits, /, _ and -, without alias/."
  }
}

variable "description" {
  description = "What is encrypted with the key."
  type        = string
}

variable "services" {
  description = "Service principals that use the key for resources of this account."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for service in var.services : endswith(service, ".amazonaws.com")])
    error_message = "services are principals such as events.amazonaws.com."
  }
}

variable "tables" {
  description = "Whether tables of this account are encrypted with the key."
  type        = bool
  default     = false
}

variable "logs" {
  description = "Whether CloudWatch Logs encrypts log groups of this account with the key."
  type        = bool
  default     = false
}

variable "region" {
  description = "Region of the key, else the provider's."
  type        = string
  default     = null
}
