# What every account has before anything runs in it.
resource "aws_s3_account_public_access_block" "this" {
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_ebs_encryption_by_default" "this" {
  enabled = true
}

resource "aws_ebs_default_kms_key" "this" {
  key_arn = var.kms_key_arn
}

resource "aws_ebs_snapshot_block_public_access" "this" {
  state = "block-all-sharing"
}

resource "aws_ec2_instance_metadata_defaults" "this" {
  http_tokens                 = "required"
  http_put_response_hop_limit = 1
}

resource "aws_iam_account_password_policy" "this" {
  minimum_password_length        = 20
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  allow_users_to_change_password = true
  password_reuse_prevention      = 24
  max_password_age               = 90
}

resource "aws_accessanalyzer_analyzer" "this" {
  analyzer_name = "payops"
  type          = "ACCOUNT"
}

# The detector is the account's own; members and settings are the organization's.
resource "aws_guardduty_detector" "this" {
  # checkov:skip=CKV2_AWS_3:accounts/management enables it for the organization
  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

data "aws_iam_policy_document" "config_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["config.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "config" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${var.config_bucket}/config/AWSLogs/${var.account_id}/*"]
  }

  statement {
    actions   = ["s3:GetBucketAcl", "s3:ListBucket"]
    resources = ["arn:aws:s3:::${var.config_bucket}"]
  }
}

resource "aws_iam_role" "config" {
  name                 = "payops-config"
  assume_role_policy   = data.aws_iam_policy_document.config_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "config" {
  name   = "deliver"
  role   = aws_iam_role.config.id
  policy = data.aws_iam_policy_document.config.json
}

resource "aws_iam_role_policy_attachment" "config" {
  role       = aws_iam_role.config.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"
}

resource "aws_config_configuration_recorder" "this" {
  name     = "payops"
  role_arn = aws_iam_role.config.arn

  recording_group {
    all_supported                 = true
    include_global_resource_types = true
  }
}

resource "aws_config_delivery_channel" "this" {
  name           = "payops"
  s3_bucket_name = var.config_bucket
  s3_key_prefix  = "config"

  depends_on = [aws_config_configuration_recorder.this, aws_iam_role_policy.config]
}

resource "aws_config_configuration_recorder_status" "this" {
  name       = aws_config_configuration_recorder.this.name
  is_enabled = true

  depends_on = [aws_config_delivery_channel.this]
}

# Rules are named after the alarm that judges them.
resource "aws_config_config_rule" "this" {
  for_each = var.config_rules

  name             = each.key
  input_parameters = each.value.parameters == null ? null : jsonencode(each.value.parameters)

  source {
    owner             = "AWS"
    source_identifier = each.value.identifier
  }

  depends_on = [aws_config_configuration_recorder.this]
}
