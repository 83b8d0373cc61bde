variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, control plane and nodes."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version is such as 1.34."
  }
}

variable "addon_versions" {
  description = "Versions of add-ons by name; EKS's default for those that are not named."
  type        = map(string)
  default     = {}
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the cluster and its nodes."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "A cluster spans three zones."
  }
}

variable "api_cidrs" {
  description = "Networks that reach the Kubernetes API, beside the VPC's nodes."
  type        = list(string)

  validation {
    condition     = !contains(var.api_cidrs, "0.0.0.0/0")
    error_message = "The API is private."
  }
}

variable "node_groups" {
  description = "Node groups by the work that they take; with a taint, only work that tolerates it."
  type = map(object({
    instance_types = list(string)
    min            = number
    max            = number
    disk_gb        = optional(number, 50)
    taint          = optional(string)
  }))

  validation {
    condition     = alltrue([for group in var.node_groups : group.min >= 1 && group.max >= group.min])
    error_message = "min is at least 1, and max at least min."
  }
}

variable "access" {
  description = "Who may do what in the cluster: IAM principal, Kubernetes groups, and an access policy of EKS with its namespaces."
  type = map(object({
    principal_arn = string
    groups        = optional(list(string))
    policy        = optional(string)
    namespaces    = optional(list(string), [])
  }))
}

variable "kms_key_arn" {
  description = "Key of secrets, disks and logs."
  type        = string
}

variable "log_days" {
  description = "For how many days control plane logs are kept."
  type        = number
  default     = 90
}

variable "deletion_protection" {
  description = "Whether EKS refuses to delete the cluster."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "Boundary of its roles."
  type        = string
  default     = null
}
