variable "organization_id" {
  description = "The organization, whose roles alone are assumed."
  type        = string
}

variable "role_names" {
  description = "Names of the roles of payops by duty."
  type        = map(string)
}

variable "account_ids" {
  description = "Accounts by name."
  type        = map(string)
}

variable "assignments" {
  description = "Permission sets, and the accounts that their group has them in."
  type        = map(list(string))

  validation {
    condition     = alltrue([for set in keys(var.assignments) : contains(["viewer", "support", "operator", "deployer", "break-glass"], set)])
    error_message = "Permission sets are viewer, support, operator, deployer and break-glass."
  }

  validation {
    condition     = !contains(keys(var.assignments), "support") || !contains(lookup(var.assignments, "support", []), "management")
    error_message = "Support has nothing to do in the management account."
  }
}

variable "descriptions" {
  description = "What each permission set is for."
  type        = map(string)
  default = {
    viewer      = "Sees environments and looks at dead letters"
    support     = "Reads payments for the support team"
    operator    = "Steers rollouts and replays dead letters"
    deployer    = "Sees what pipelines deploy"
    break-glass = "Repairs what nothing else can; each use is an alarm"
  }
}
