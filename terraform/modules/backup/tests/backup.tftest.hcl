provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]
}

variables {
  name        = "payops-test"
  account_id  = "471122334433"
  kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  copy        = { region = "eu-central-1", kms_key_arn = "arn:aws:kms:eu-central-1:471122334433:key/22222222-2222-2222-2222-222222222222" }
  table_arn   = "arn:aws:dynamodb:eu-west-1:471122334433:table/payops-test"
  ledger      = { arn = "arn:aws:rds:eu-west-1:471122334433:db:payops-ledger-test", subnet_group = "payops-ledger-test", security_group_id = "sg-1" }
}

run "backup" {
  command = apply

  assert {
    condition     = alltrue([for rule in aws_backup_plan.this.rule : alltrue([for copy in rule.copy_action : strcontains(copy.destination_vault_arn, ":eu-central-1:")]) && length(rule.copy_action) == 1])
    error_message = "Every backup is copied to the other region."
  }

  assert {
    condition     = aws_backup_region_settings.this.resource_type_management_preference["DynamoDB"]
    error_message = "Copies of the table to another region need AWS Backup's own management."
  }

  assert {
    condition     = aws_backup_restore_testing_selection.ledger.restore_metadata_overrides["dbSubnetGroupName"] == "payops-ledger-test"
    error_message = "The restore of the ledger finds no subnet."
  }
}

run "a_lock_longer_than_the_backups_is_refused" {
  command = plan
  variables {
    lock_days = 60
  }
  expect_failures = [var.lock_days]
}
