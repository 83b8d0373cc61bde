variable "workload_attachment_ids" {
  description = "Attachments of the workload accounts to the Transit Gateway by name; empty at first set-up, until they are made."
  type        = map(string)
  default     = {}
}

variable "assignments" {
  description = "Permission sets, and the accounts that their group has them in."
  type        = map(list(string))
  default = {
    viewer      = ["test", "preprod", "prod"]
    support     = ["prod"]
    operator    = ["test", "preprod", "prod"]
    deployer    = ["test", "preprod", "prod"]
    break-glass = ["management", "test", "preprod", "prod"]
  }
}
