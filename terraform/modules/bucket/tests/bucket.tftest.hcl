provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name        = "payops-archive-test"
  kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  replica = {
    name        = "payops-archive-test-replica"
    region      = "eu-central-1"
    kms_key_arn = "arn:aws:kms:eu-central-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  }
  object_lock = { mode = "GOVERNANCE", days = 30 }
}

run "both_buckets_are_closed" {
  command = apply

  assert {
    condition = length(aws_s3_bucket_public_access_block.this) == 2 && alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket lets the public in."
  }

  assert {
    condition = alltrue([
      for config in aws_s3_bucket_server_side_encryption_configuration.this :
      alltrue([for rule in config.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"])
    ]) && length(aws_s3_bucket_server_side_encryption_configuration.this) == 2
    error_message = "A bucket is not encrypted with the key."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 2 && alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "Object Lock and versioning hold on both buckets, or replication is refused."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this[0].rule[0].source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled"
    error_message = "Objects under KMS are replicated only when the rule says so."
  }

  assert {
    condition     = alltrue([for policy in aws_s3_bucket_policy.this : strcontains(policy.policy, "aws:SecureTransport")])
    error_message = "A bucket takes requests without TLS."
  }
}

run "a_log_bucket_has_no_replica" {
  command = plan
  variables {
    kms_key_arn = null
    replica     = null
    object_lock = null
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 1 && length(aws_s3_bucket_replication_configuration.this) == 0
    error_message = "One bucket, no replication."
  }
}

run "a_lock_of_another_mode_is_refused" {
  command = plan
  variables {
    object_lock = { mode = "LEGAL", days = 30 }
  }
  expect_failures = [var.object_lock]
}
