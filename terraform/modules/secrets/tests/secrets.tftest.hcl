provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  env             = "test"
  account_id      = "471122334433"
  prefix          = "test/payops/"
  secrets         = { cursor-key = "seals list cursors" }
  kms_key_arn     = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  sops_alias      = "alias/payops-test-sops"
  sops_principals = ["arn:aws:iam::471122334433:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_break-glass_*"]
  audit_alias     = "alias/payops-test-audit-hmac"
  audit_role_arns = ["arn:aws:iam::471122334433:role/payops-view"]
}

run "secrets" {
  command = apply

  assert {
    condition     = aws_secretsmanager_secret.this["cursor-key"].name == "test/payops/cursor-key" && aws_secretsmanager_secret.this["cursor-key"].kms_key_id == var.kms_key_arn
    error_message = "Names are the prefix and ours."
  }

  assert {
    condition     = aws_kms_key.audit.key_usage == "GENERATE_VERIFY_MAC" && aws_kms_key.audit.customer_master_key_spec == "HMAC_256"
    error_message = "The audit record's key makes codes."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.sops.policy).Statement :
      can(statement.Condition.ArnLike["aws:PrincipalArn"]) if contains(flatten([statement.Action]), "kms:Decrypt")
    ])
    error_message = "Somebody who is no admin decrypts SOPS files."
  }
}

run "every_role_as_admin_is_refused" {
  command = plan
  variables {
    sops_principals = ["arn:aws:iam::471122334433:role/*"]
  }
  expect_failures = [var.sops_principals]
}
