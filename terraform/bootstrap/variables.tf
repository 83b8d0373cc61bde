variable "env" {
  description = "The account, by name."
  type        = string

  validation {
    condition     = contains(["management", "test", "preprod", "prod"], var.env)
    error_message = "env is management, test, preprod or prod."
  }
}
