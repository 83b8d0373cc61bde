variable "number" {
  description = "Number of the pull request."
  type        = number

  validation {
    condition     = var.number >= 1 && floor(var.number) == var.number
    error_message = "number is a pull request's."
  }
}
