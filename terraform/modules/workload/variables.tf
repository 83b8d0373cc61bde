variable "env" {
  description = "The environment: test, preprod or prod."
  type        = string

  validation {
    condition     = contains(["test", "preprod", "prod"], var.env)
    error_message = "env is test, preprod or prod."
  }
}

variable "node_groups" {
  description = "Node groups of the cluster, general and secure."
  type = map(object({
    instance_types = list(string)
    min            = number
    max            = number
    disk_gb        = optional(number, 50)
    taint          = optional(string)
  }))

  validation {
    condition     = contains(keys(var.node_groups), "general") && try(var.node_groups["secure"].taint, null) == "secure"
    error_message = "There is general work, and secure work behind a taint."
  }
}

variable "worker" {
  description = "The worker: memory, and invocations side by side at most."
  type = object({
    memory_mb           = number
    maximum_concurrency = number
  })
}

variable "ledger" {
  description = "The ledger: class with its memory and the connections that it takes, storage at first and at most, a standby or none."
  type = object({
    instance_class  = string
    memory_gb       = number
    connections_max = number
    multi_az        = bool
    storage_gb      = number
    storage_max_gb  = number
  })
}

variable "search" {
  description = "The index: type and count of data nodes, dedicated masters, storage of each."
  type = object({
    instance_type  = string
    instance_count = number
    master_type    = optional(string)
    volume_gb      = number
  })
}

variable "thresholds" {
  description = "Above what alarms go off: latency of the API, length and age of queues, age of a payment that is processing, records that fail in a minute."
  type = object({
    latency_seconds    = optional(number, 0.5)
    queue_length       = optional(number, 1000)
    queue_age_seconds  = optional(number, 300)
    processing_seconds = optional(number, 900)
    records_failed     = optional(number, 5)
  })
  default = {}
}

variable "archive_lock_days" {
  description = "For how many days an object of the archive cannot be deleted."
  type        = number

  validation {
    condition     = var.archive_lock_days >= 1
    error_message = "archive_lock_days is at least 1."
  }
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes, above which it is blocked."
  type        = number
  default     = 2000
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Whether what holds data refuses deletion."
  type        = bool
  default     = true
}

variable "pull_requests" {
  description = "Whether pull requests' environments are made here."
  type        = bool
  default     = false
}
