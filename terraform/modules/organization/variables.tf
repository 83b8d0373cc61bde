variable "accounts" {
  description = "Workload accounts by name: email, and whether nonproduction or production."
  type = map(object({
    email = string
    unit  = string
  }))

  validation {
    condition     = alltrue([for account in var.accounts : contains(["nonproduction", "production"], account.unit)])
    error_message = "unit is nonproduction or production."
  }
}

variable "production_account_id" {
  description = "The production account."
  type        = string
}

variable "regions" {
  description = "Regions that workloads may use."
  type        = list(string)

  validation {
    condition     = length(var.regions) > 0
    error_message = "Without a region nothing works."
  }
}
