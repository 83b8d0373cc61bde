provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name       = "payops-test-ledger-logins"
  account_id = "471122334433"
  region     = "eu-west-1"
  logins = { "test/payops/ledger-url" = {
    secret_arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/ledger-url-AbCdEf"
    role       = "payops_services"
    host       = "payops-ledger-test.example.eu-west-1.rds.amazonaws.com"
  } }
  master_secret_arn          = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/ledger-master-AbCdEf"
  secrets_key_arn            = "arn:aws:kms:eu-west-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["subnet-4", "subnet-5", "subnet-6"]
  database_security_group_id = "sg-1"
  kms_key_arn                = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  permissions_boundary       = "arn:aws:iam::471122334433:policy/payops-boundary"
}

run "rotation" {
  command = apply

  assert {
    condition     = alltrue([for rotation in aws_secretsmanager_secret_rotation.this : rotation.rotation_rules[0].automatically_after_days == 30])
    error_message = "A login does not rotate."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.rotation.json).Statement : !strcontains(jsonencode(statement.Resource), "*")
    ])
    error_message = "The function reads secrets that are none of its own."
  }
}

run "a_role_that_is_no_name_is_refused" {
  command = plan
  variables {
    logins = { "test/payops/ledger-url" = { secret_arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:x", role = "payops\"; drop", host = "h" } }
  }
  expect_failures = [var.logins]
}
