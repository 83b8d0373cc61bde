variables {
  env = "prod"
}

run "state" {
  command = apply

  assert {
    condition     = output.bucket == "payops-state-prod" && output.key_alias == "alias/payops-state"
    error_message = "Backends name payops-state-ENV and alias/payops-state."
  }

  assert {
    condition     = alltrue([for account in ["test", "preprod", "prod", "management"] : strcontains(file("../accounts/${account}/versions.tf"), "\"${replace(output.bucket, "prod", account)}\"")])
    error_message = "A root's backend names another bucket than the one that is made."
  }
}
