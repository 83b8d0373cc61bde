variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "audit_log_group" {
  description = "Log group of its audit log."
  type        = string

  validation {
    condition     = startswith(var.audit_log_group, "/aws/eks/")
    error_message = "EKS writes audit logs to /aws/eks/CLUSTER/cluster."
  }
}
