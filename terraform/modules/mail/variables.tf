variable "name" {
  description = "Name of the configuration set."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "domain" {
  description = "Domain that mails come from; its DKIM, MAIL FROM and DMARC records are in the output dns_records."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "domain is a domain."
  }
}

variable "kms_key_arn" {
  description = "Key of the log of events."
  type        = string
}

variable "log_days" {
  description = "For how many days events are kept."
  type        = number
  default     = 90
}
