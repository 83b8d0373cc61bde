provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  account_id    = "471122334433"
  kms_key_arn   = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  config_bucket = "payops-logs-management"
  config_rules  = { s3-logging = { identifier = "S3_BUCKET_LOGGING_ENABLED" } }
}

run "baseline" {
  command = apply

  assert {
    condition     = aws_s3_account_public_access_block.this.block_public_policy && aws_ebs_encryption_by_default.this.enabled && aws_ec2_instance_metadata_defaults.this.http_tokens == "required"
    error_message = "No public buckets, no plain disks, no old metadata service."
  }

  assert {
    condition     = aws_config_config_rule.this["s3-logging"].source[0].source_identifier == "S3_BUCKET_LOGGING_ENABLED" && aws_config_configuration_recorder_status.this.is_enabled
    error_message = "Config judges, and records."
  }
}
