locals {
  account_root = "arn:aws:iam::${var.account_id}:root"
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:values that only another system can change are put by an admin
  for_each = var.secrets

  name                    = "${var.prefix}${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days

  dynamic "replica" {
    for_each = var.replica == null ? [] : [var.replica]

    content {
      region     = replica.value.region
      kms_key_id = replica.value.kms_key_arn
    }
  }
}

# SOPS: files in the repository are encrypted with this key. The key policy decides alone who reads them: no statement hands
# kms:Decrypt to the account's IAM policies, so that no policy of a role can.
data "aws_iam_policy_document" "sops" {
  # checkov:skip=CKV_AWS_109:a key policy speaks of its own key
  # checkov:skip=CKV_AWS_111:a key policy speaks of its own key
  # checkov:skip=CKV_AWS_356:a key policy speaks of its own key
  statement {
    sid = "Administration"
    actions = [
      "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:EnableKeyRotation", "kms:ListResourceTags",
      "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
      "kms:ListGrants", "kms:RevokeGrant", "kms:UpdateAlias", "kms:CreateAlias", "kms:DeleteAlias",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
  }

  statement {
    sid       = "AdminsDecryptAndAdd"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = var.sops_principals
    }
  }
}

resource "aws_kms_key" "sops" {
  description             = "SOPS files of ${var.env}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.sops.json
}

resource "aws_kms_alias" "sops" {
  name          = var.sops_alias
  target_key_id = aws_kms_key.sops.key_id
}

# The chain of the audit record is keyed: whoever can rewrite the files cannot make its codes.
data "aws_iam_policy_document" "audit" {
  # checkov:skip=CKV_AWS_109:a key policy speaks of its own key
  # checkov:skip=CKV_AWS_111:a key policy speaks of its own key
  # checkov:skip=CKV_AWS_356:a key policy speaks of its own key
  statement {
    sid = "Administration"
    actions = [
      "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ListResourceTags", "kms:TagResource", "kms:UntagResource",
      "kms:UpdateKeyDescription", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:UpdateAlias", "kms:CreateAlias", "kms:DeleteAlias",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
  }

  statement {
    sid       = "RolesOfPeopleSignAndVerify"
    actions   = ["kms:GenerateMac", "kms:VerifyMac", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = var.audit_role_arns
    }
  }
}

resource "aws_kms_key" "audit" {
  description              = "Codes of the audit record of ${var.env}"
  key_usage                = "GENERATE_VERIFY_MAC"
  customer_master_key_spec = "HMAC_256"
  deletion_window_in_days  = 30
  policy                   = data.aws_iam_policy_document.audit.json
}

resource "aws_kms_alias" "audit" {
  name          = var.audit_alias
  target_key_id = aws_kms_key.audit.key_id
}
