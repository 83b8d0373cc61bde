variable "env" {
  description = "The environment."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "prefix" {
  description = "What the names of EventBridge rules begin with, before the key."
  type        = string
  default     = "alarm-"
}

variable "signals" {
  description = "Alarms by key: title, owner, severity."
  type = map(object({
    title    = string
    owner    = string
    severity = string
  }))

  validation {
    condition     = alltrue([for signal in var.signals : contains(["page", "ticket"], signal.severity)])
    error_message = "severity is page or ticket."
  }
}

variable "metric_alarms" {
  description = "Alarms on metrics: members by name, their region (null for the provider's), and the alarm that silences this one."
  type = map(object({
    region        = optional(string)
    suppressed_by = optional(string)
    members = map(object({
      namespace  = string
      metric     = string
      dimensions = map(string)
      stat       = string
      threshold  = optional(number)
      comparison = optional(string, "GreaterThanThreshold")
      period     = optional(number, 60)
      periods    = optional(number, 5)
      datapoints = optional(number)
      missing    = optional(string, "notBreaching")
      band       = optional(number)
      per = optional(object({
        namespace  = string
        metric     = string
        dimensions = map(string)
        stat       = string
        at_least   = number
      }))
    }))
  }))

  validation {
    condition     = alltrue(flatten([for alarm in var.metric_alarms : [for member in alarm.members : (member.threshold == null) != (member.band == null)]]))
    error_message = "A member has a threshold or a band, and not both."
  }
}

variable "event_alarms" {
  description = "Alarms on events of the account's own bus: patterns."
  type = map(object({
    pattern = string
  }))
  default = {}

  validation {
    condition     = alltrue([for alarm in var.event_alarms : can(jsondecode(alarm.pattern).source)])
    error_message = "A pattern is JSON with a source."
  }
}

variable "log_alarms" {
  description = "Alarms on what logs say: log group, pattern, and above how many in a period."
  type = map(object({
    log_group = string
    pattern   = string
    threshold = optional(number, 0)
    period    = optional(number, 300)
  }))
  default = {}
}

variable "log_namespace" {
  description = "Namespace of the metrics that come from logs."
  type        = string
  default     = "payops/logs"
}

variable "teams" {
  description = "Teams by name: Slack channel."
  type = map(object({
    slack_channel = string
  }))
}

variable "slack_workspace" {
  description = "Slack workspace, authorized once by hand."
  type        = string
}

variable "runbooks" {
  description = "Address of the folder of runbooks."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of topics and events, which CloudWatch may use."
  type        = string
}

variable "region_kms_key_arns" {
  description = "The same for topics in other regions."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary" {
  description = "Boundary of Chatbot's role."
  type        = string
  default     = null
}
