variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)

  validation {
    condition     = alltrue([for name in var.repositories : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", name))])
    error_message = "A repository is named KIND/NAME: policies speak of all of a kind."
  }
}

variable "kms_key_arn" {
  description = "Key of the images."
  type        = string
}

variable "organization_id" {
  description = "The organization."
  type        = string
}

variable "reader_account_ids" {
  description = "Accounts whose principals may be allowed to pull."
  type        = list(string)
  default     = []
}

variable "keep_images" {
  description = "How many images a repository keeps, if it keeps them by number."
  type        = number
  default     = 200
}

variable "keep_days" {
  description = "For how many days images are kept; null to keep by number. With days the repository may be deleted with what is in it."
  type        = number
  default     = null
}
