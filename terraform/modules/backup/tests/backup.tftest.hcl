provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name        = "payops-test"
  account_id  = "471122334433"
  kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  copy        = { region = "eu-central-1", kms_key_arn = "arn:aws:kms:eu-central-1:471122334433:key/22222222-2222-2222-2222-222222222222" }
  table       = { arn = "arn:aws:dynamodb:eu-west-1:471122334433:table/payops-test", key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111" }
  ledger = {
    arn               = "arn:aws:rds:eu-west-1:471122334433:db:payops-ledger-test"
    subnet_group      = "payops-ledger-test"
    security_group_id = "sg-1"
    master_secret_arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/ledger-master-AbCdEf"
    secrets_key_arn   = "arn:aws:kms:eu-west-1:471122334433:key/33333333-3333-3333-3333-333333333333"
  }
  region               = "eu-west-1"
  vpc_id               = "vpc-1"
  subnet_ids           = ["subnet-4", "subnet-5", "subnet-6"]
  permissions_boundary = "arn:aws:iam::471122334433:policy/payops-boundary"
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

run "restores_are_looked_at" {
  command = apply

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.restored.event_pattern).detail.restoreTestingPlanArn == [aws_backup_restore_testing_plan.this.arn] && aws_cloudwatch_event_target.restored.arn == module.validation.arn
    error_message = "Nobody looks at what a restore test brings back."
  }

  assert {
    condition = alltrue([
      for selection in [aws_backup_restore_testing_selection.table, aws_backup_restore_testing_selection.ledger] : selection.validation_window_hours >= 1
    ])
    error_message = "What a test brings back is gone before anybody looks."
  }
}

run "a_lock_longer_than_the_backups_is_refused" {
  command = plan
  variables {
    lock_days = 60
  }
  expect_failures = [var.lock_days]
}
