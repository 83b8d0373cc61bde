variable "name" {
  description = "Name of the role."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "cluster_name" {
  description = "Cluster of the pods."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of that cluster."
  type        = string
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string
}

variable "service_account" {
  description = "Service account of the pods."
  type        = string
}

variable "policy" {
  description = "What the pods may do. A service that needs nothing of AWS has no role."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy is a policy document."
  }
}

variable "permissions_boundary" {
  description = "Boundary of the role."
  type        = string
  default     = null
}

variable "disable_session_tags" {
  description = "Whether sessions carry no tags of the pod: for roles that assume others."
  type        = bool
  default     = false
}
