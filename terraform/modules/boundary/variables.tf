variable "name" {
  description = "Name of the policy."
  type        = string
  default     = "payops-boundary"

  validation {
    condition     = can(regex("^payops-", var.name))
    error_message = "The pipeline may not touch policies that begin with payops-boundary; keep the name recognizable."
  }
}
