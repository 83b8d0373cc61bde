variable "env" {
  description = "The environment."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "prefix" {
  description = "What the names of the secrets begin with."
  type        = string

  validation {
    condition     = endswith(var.prefix, "/")
    error_message = "prefix ends in /."
  }
}

variable "secrets" {
  description = "Secrets by name behind the prefix, and what they are. Their values are put by an admin and are in no state."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "Key of the secrets."
  type        = string
}

variable "replica" {
  description = "Region, and key there, that secrets are replicated to; null for none."
  type = object({
    region      = string
    kms_key_arn = string
  })
  default = null
}

variable "recovery_days" {
  description = "For how many days a deleted secret can be taken back."
  type        = number
  default     = 30
}

variable "sops_alias" {
  description = "Alias of the key of SOPS files."
  type        = string
}

variable "sops_principals" {
  description = "Patterns of the principals that decrypt and add SOPS files."
  type        = list(string)

  validation {
    condition     = length(var.sops_principals) > 0 && alltrue([for principal in var.sops_principals : startswith(principal, "arn:aws:iam::") && !endswith(principal, ":role/*")])
    error_message = "sops_principals are ARNs of roles, or patterns of one permission set."
  }
}

variable "audit_alias" {
  description = "Alias of the key of the audit record."
  type        = string
}

variable "audit_role_arns" {
  description = "Roles that make and check codes of the audit record."
  type        = list(string)
}
