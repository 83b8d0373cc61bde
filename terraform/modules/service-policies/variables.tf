variable "region" {
  description = "Region of the services."
  type        = string
}

variable "table_arn" {
  description = "The table."
  type        = string
}

variable "api_key_prefix" {
  description = "What the partition keys of API keys begin with."
  type        = string
}

variable "archive_arn" {
  description = "The archive's bucket."
  type        = string
}

variable "bus_arn" {
  description = "The bus."
  type        = string
}

variable "queues" {
  description = "Queues by name in the code: ARNs of the queue, its dead-letter and its parking queue."
  type = map(object({
    arn         = string
    dead_arn    = string
    parking_arn = string
  }))

  validation {
    condition     = alltrue([for queue in ["payments-work", "projections", "notifications"] : contains(keys(var.queues), queue)])
    error_message = "Services consume payments-work, projections and notifications."
  }
}

variable "mail_arns" {
  description = "Sending identity and configuration set."
  type        = list(string)
}

variable "secrets" {
  description = "Secrets by name: ARN, and the services that read them."
  type = map(object({
    arn     = string
    readers = list(string)
  }))
}

variable "secrets_key_arn" {
  description = "Key of the secrets."
  type        = string
}

variable "data_key_arn" {
  description = "Key of queues and archive."
  type        = string
}
