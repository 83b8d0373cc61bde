data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "this" {
  # checkov:skip=CKV_AWS_109:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_111:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_356:a boundary caps, and grants nothing; a key policy speaks of its own key
  # The account's own IAM policies decide who uses the key; without this nobody could, root included.
  statement {
    sid       = "AccountPoliciesDecide"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = var.services

    content {
      sid       = "Service${index(var.services, statement.value)}"
      actions   = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:CreateGrant"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = [statement.value]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
    }
  }

  # DynamoDB uses the key as whoever calls it; the table's own permissions decide who may. So AWS's own keys are made, too.
  dynamic "statement" {
    for_each = var.tables ? [1] : []

    content {
      sid       = "CallersOfTables"
      actions   = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:CallerAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["dynamodb.*.amazonaws.com"]
      }
    }
  }

  # CloudWatch Logs sends no source account but the log group as encryption context.
  dynamic "statement" {
    for_each = var.logs ? [1] : []

    content {
      sid       = "Logs"
      actions   = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.amazonaws.com"]
      }
      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = ["arn:aws:logs:*:${data.aws_caller_identity.current.account_id}:log-group:*"]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  description             = var.description
  region                  = var.region
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  region        = var.region
  target_key_id = aws_kms_key.this.key_id
}
