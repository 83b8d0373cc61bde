variable "account_id" {
  description = "The account."
  type        = string
}

variable "role_names" {
  description = "Names of the roles by duty: view, operate, break-glass, admin-approve."
  type        = map(string)

  validation {
    condition     = alltrue([for duty in ["view", "operate", "break-glass", "admin-approve"] : contains(keys(var.role_names), duty)])
    error_message = "Every duty has a role."
  }
}

variable "table_arn" {
  description = "The environment's table."
  type        = string
}

variable "approval_prefix" {
  description = "What the partition keys of approvals begin with."
  type        = string
}

variable "freeze_key" {
  type        = string
  description = "The partition key of the item that freezes the environment."
}

variable "api_key_prefix" {
  description = "What the partition keys of API keys begin with."
  type        = string
}

variable "queue_arns" {
  description = "Queues: source, dead (dead-letter) and parking."
  type = object({
    source  = list(string)
    dead    = list(string)
    parking = list(string)
  })
}

variable "archive_arn" {
  description = "The archive's bucket."
  type        = string
}

variable "bus_arn" {
  description = "The environment's bus."
  type        = string
}

variable "audit" {
  description = "The audit record: bus, source, detail type, log group, key."
  type = object({
    bus_arn       = string
    source        = string
    detail_type   = string
    log_group_arn = string
    key_arn       = string
  })
}

variable "ledger_secret_arn" {
  description = "Secret with the URL of the ledger's user that reads."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the secrets."
  type        = string
}

variable "data_key_arn" {
  description = "Key of queues and archive."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster."
  type        = string
}

variable "worker" {
  description = "The worker: function, and CodeDeploy's deployment group."
  type = object({
    function_arn         = string
    deployment_group_arn = string
  })
}

variable "admin" {
  description = "Identity provider of Admin Web: issuer and client."
  type = object({
    issuer    = string
    client_id = string
  })

  validation {
    condition     = startswith(var.admin.issuer, "https://")
    error_message = "An issuer begins with https://."
  }
}

variable "may_purge" {
  description = "Whether break-glass may purge queues: never in prod."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "Boundary of Admin Web's role."
  type        = string
  default     = null
}
