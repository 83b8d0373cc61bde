# A restore that completed has made something; whether it is what was backed up, terraform/functions/validate.py looks.
locals {
  # AWS Backup names what its tests bring back, and deletes it after the window.
  restored = "awsbackup-restore-test-*"
}

data "aws_iam_policy_document" "validation" {
  statement {
    sid       = "LookAtTheRestoredTable"
    actions   = ["dynamodb:DescribeTable", "dynamodb:Scan"]
    resources = ["arn:aws:dynamodb:${var.region}:${var.account_id}:table/${local.restored}"]
  }

  statement {
    sid       = "CompareWithTheTableInUse"
    actions   = ["dynamodb:DescribeTable", "dynamodb:GetItem"]
    resources = [var.table.arn]
  }

  statement {
    sid       = "DecryptItems"
    actions   = ["kms:Decrypt"]
    resources = [var.table.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${var.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "FindTheRestoredLedger"
    actions   = ["rds:DescribeDBInstances"]
    resources = ["arn:aws:rds:${var.region}:${var.account_id}:db:${local.restored}"]
  }

  statement {
    sid       = "SignInAsMaster"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.ledger.master_secret_arn]
  }

  statement {
    sid       = "DecryptTheSecret"
    actions   = ["kms:Decrypt"]
    resources = [var.ledger.secrets_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.region}.amazonaws.com"]
    }
  }

  # Jobs of restores are no resources.
  statement {
    sid       = "TellAwsBackup"
    actions   = ["backup:PutRestoreValidationResult"]
    resources = ["*"]
  }

  statement {
    sid       = "TellTheAlarm"
    actions   = ["events:PutEvents"]
    resources = ["arn:aws:events:${var.region}:${var.account_id}:event-bus/default"]

    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = ["payops.backup"]
    }
  }
}

module "validation" {
  source = "../python-function"

  name        = "${var.name}-restore-validation"
  description = "Looks at what a restore test brought back"
  account_id  = var.account_id
  region      = var.region
  files       = ["postgres.py", "rotate.py", "validate.py"]
  handler     = "validate.handler"
  policy      = data.aws_iam_policy_document.validation.json
  caller      = { service = "events.amazonaws.com", source_arn = aws_cloudwatch_event_rule.restored.arn }

  environment = {
    TABLE  = split("/", var.table.arn)[1]
    MASTER = var.ledger.master_secret_arn
    CA_URL = "https://truststore.pki.rds.amazonaws.com/${var.region}/${var.region}-bundle.pem"
  }

  vpc_id                     = var.vpc_id
  subnet_ids                 = var.subnet_ids
  database_security_group_id = var.ledger.security_group_id
  kms_key_arn                = var.kms_key_arn
  log_days                   = var.log_days
  permissions_boundary       = var.permissions_boundary
}

resource "aws_cloudwatch_event_rule" "restored" {
  name        = "${var.name}-restored"
  description = "A restore test brought something back"
  event_pattern = jsonencode({
    source      = ["aws.backup"]
    detail-type = ["Restore Job State Change"]
    detail = {
      status                = ["COMPLETED"]
      restoreTestingPlanArn = [aws_backup_restore_testing_plan.this.arn]
    }
  })
}

resource "aws_cloudwatch_event_target" "restored" {
  rule      = aws_cloudwatch_event_rule.restored.name
  target_id = "validation"
  arn       = module.validation.arn
}
