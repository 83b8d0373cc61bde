variable "name" {
  description = "Name of the bus."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the events."
  type        = string
}

variable "source_name" {
  description = "Source of the platform's own events."
  type        = string
}

variable "events" {
  description = "Which detail types of that source each queue receives."
  type        = map(list(string))

  validation {
    condition     = alltrue([for types in var.events : length(types) > 0])
    error_message = "A queue without events has no rule."
  }
}

variable "archive" {
  description = "The archive's bucket, and the queue that its Object Created events go to."
  type = object({
    bucket = string
    queue  = string
  })
}

variable "queues" {
  description = "Queues by name in the code: name, ARN, and ARN of the dead-letter queue, which takes what could not be delivered."
  type = map(object({
    name     = string
    arn      = string
    dead_arn = string
  }))
}

variable "archive_days" {
  description = "For how many days events are kept for replay."
  type        = number
  default     = 14
}

variable "audit" {
  description = "Bus, log group, and event of the audit record, and for how many days it is kept; null for none."
  type = object({
    bus         = string
    log_group   = string
    source      = string
    detail_type = string
    days        = number
  })
  default = null
}
