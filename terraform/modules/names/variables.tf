variable "env" {
  description = "The environment whose names are asked for: an account's, or pr-NUMBER for that of a pull request."
  type        = string

  validation {
    condition     = can(regex("^(management|test|preprod|prod|pr-[0-9]{1,6})$", var.env))
    error_message = "env is management, test, preprod, prod or pr-NUMBER."
  }
}
