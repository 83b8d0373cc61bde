data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-backup"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])

  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.key}"
}

locals {
  vaults = {
    home = { region = null, kms_key_arn = var.kms_key_arn }
    copy = { region = var.copy.region, kms_key_arn = var.copy.kms_key_arn }
  }
}

resource "aws_backup_vault" "this" {
  for_each = local.vaults

  name        = var.name
  region      = each.value.region
  kms_key_arn = each.value.kms_key_arn
}

# Nobody deletes a recovery point early; whoever may govern can end the lock itself, which is logged.
resource "aws_backup_vault_lock_configuration" "this" {
  for_each = local.vaults

  backup_vault_name  = aws_backup_vault.this[each.key].name
  region             = each.value.region
  min_retention_days = var.lock_days
  max_retention_days = 400
}

# Copies of DynamoDB to other regions are made by AWS Backup only once it manages the table's backups wholly.
resource "aws_backup_region_settings" "this" {
  resource_type_opt_in_preference = {
    DynamoDB = true
    RDS      = true
    S3       = true
  }
  resource_type_management_preference = {
    DynamoDB = true
  }
}

resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this["home"].name
    schedule          = "cron(0 1 * * ? *)"
    start_window      = 60
    completion_window = 360

    lifecycle {
      delete_after = var.keep_days
    }

    copy_action {
      destination_vault_arn = aws_backup_vault.this["copy"].arn

      lifecycle {
        delete_after = var.keep_days
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = "tagged"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn

  selection_tag {
    type  = "STRINGEQUALS"
    key   = "backup"
    value = "daily"
  }
}

# A backup that was never restored is a hope. OpenSearch is rebuilt from the table and is in no test.
resource "aws_backup_restore_testing_plan" "this" {
  name                         = replace(var.name, "-", "_")
  schedule_expression          = "cron(0 5 ? * SUN *)"
  schedule_expression_timezone = "Etc/UTC"
  start_window_hours           = 2

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.this["home"].arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

resource "aws_backup_restore_testing_selection" "table" {
  name                      = "table"
  restore_testing_plan_name = aws_backup_restore_testing_plan.this.name
  iam_role_arn              = aws_iam_role.this.arn
  protected_resource_type   = "DynamoDB"
  protected_resource_arns   = [var.table.arn]
  validation_window_hours   = 4
}

resource "aws_backup_restore_testing_selection" "ledger" {
  name                      = "ledger"
  restore_testing_plan_name = aws_backup_restore_testing_plan.this.name
  iam_role_arn              = aws_iam_role.this.arn
  protected_resource_type   = "RDS"
  protected_resource_arns   = [var.ledger.arn]
  validation_window_hours   = 4

  # There is no default VPC to restore into.
  restore_metadata_overrides = {
    dbSubnetGroupName   = var.ledger.subnet_group
    vpcSecurityGroupIds = jsonencode([var.ledger.security_group_id])
    multiAz             = "false"
  }
}
