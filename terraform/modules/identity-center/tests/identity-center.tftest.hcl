provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  organization_id = "o-exampleorg"
  role_names      = { view = "payops-view", operate = "payops-operate", break-glass = "payops-break-glass" }
  account_ids     = { test = "471122334433", prod = "471122334477", management = "471122334411" }
  assignments     = { viewer = ["test", "prod"], operator = ["test"], support = ["prod"] }
}

run "permission_sets" {
  command = apply

  assert {
    condition     = length(aws_ssoadmin_permission_set.this) == 5 && length(aws_ssoadmin_account_assignment.this) == 4
    error_message = "Five permission sets, assigned as asked."
  }

  assert {
    condition     = alltrue([for attribute in aws_ssoadmin_instance_access_control_attributes.this.attribute : attribute.key == "UserName" && alltrue([for value in attribute.value : contains(value.source, "$${path:userName}")])])
    error_message = "Sessions carry the name that Identity Center knows."
  }

  assert {
    condition     = alltrue([for policy in aws_ssoadmin_permission_set_inline_policy.this : length(policy.inline_policy) <= 10240])
    error_message = "An inline policy has 10,240 characters at most."
  }

  assert {
    condition     = !strcontains(aws_ssoadmin_permission_set_inline_policy.this["viewer"].inline_policy, "payops-operate")
    error_message = "A viewer operates."
  }
}

run "support_in_management_is_refused" {
  command = plan
  variables {
    assignments = { support = ["management"] }
  }
  expect_failures = [var.assignments]
}
