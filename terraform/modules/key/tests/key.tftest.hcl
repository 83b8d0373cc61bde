provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name        = "payops-test-data"
  description = "Data of the environment"
  services    = ["events.amazonaws.com"]
  logs        = true
  tables      = true
}

run "key" {
  command = apply

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key rotates."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      statement.Condition.StringEquals["kms:CallerAccount"] == "471122334433" && statement.Condition.StringLike["kms:ViaService"] == "dynamodb.*.amazonaws.com"
      if try(statement.Principal, "") == "*" || try(statement.Principal.AWS, "") == "*"
    ]) && strcontains(aws_kms_key.this.policy, "CallersOfTables")
    error_message = "Somebody uses the key who does not call a table of this account."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      can(statement.Principal.AWS) || can(statement.Condition)
    ])
    error_message = "A service may use the key for this account's resources alone."
  }
}

run "an_alias_with_its_prefix_is_refused" {
  command = plan
  variables {
    name = "alias/x"
  }
  expect_failures = [var.name]
}
