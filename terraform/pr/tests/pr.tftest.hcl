variables {
  number = 17
}

run "environment" {
  command = apply

  assert {
    condition     = output.payops.table == "payops-pr-17" && output.payops.queue_prefix == "pr-17-"
    error_message = "Everything is named after the pull request, or two would share it."
  }

  assert {
    condition     = alltrue([for role in module.service_role : startswith(role.name, "payops-pr-17-")])
    error_message = "The pipeline's role makes roles named payops-pr- alone."
  }
}

run "no_pull_request_is_refused" {
  command = plan
  variables {
    number = 0
  }
  expect_failures = [var.number]
}
