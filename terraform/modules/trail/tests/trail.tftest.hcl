provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                 = "payops"
  account_id           = "471122334411"
  organization_id      = "o-exampleorg"
  region               = "eu-west-1"
  replica_region       = "eu-central-1"
  bucket               = "payops-logs-management"
  data_event_buckets   = ["payops-archive-prod"]
  kms_key_arn          = "arn:aws:kms:eu-west-1:471122334411:key/11111111-1111-1111-1111-111111111111"
  permissions_boundary = "arn:aws:iam::471122334411:policy/payops-boundary"
}

run "trail" {
  command = apply

  assert {
    condition     = aws_cloudtrail.this.is_organization_trail && aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.enable_log_file_validation
    error_message = "The trail misses accounts, regions, or that it was changed."
  }
}
