provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

run "names" {
  command = plan
  module {
    source = "../names"
  }
  variables {
    env = "test"
  }
}

run "table" {
  command = apply
  variables {
    name        = run.names.names.table
    table       = run.names.table
    kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  }

  assert {
    condition     = toset([for index in aws_dynamodb_table.this.global_secondary_index : index.name]) == toset(["due", "outbox", "merchant"])
    error_message = "The code asks for the indexes due, outbox and merchant."
  }

  assert {
    condition     = one([for index in aws_dynamodb_table.this.global_secondary_index : index.projection_type if index.name == "due"]) == "KEYS_ONLY"
    error_message = "The due index holds keys alone."
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The table can be restored, is encrypted, and cannot be deleted by mistake."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].attribute_name == "ttl"
    error_message = "Idempotency rows expire by the attribute ttl."
  }
}

run "an_index_of_another_projection_is_refused" {
  command = plan
  variables {
    name        = "payops-test"
    kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
    table = {
      partition_key = "pk", sort_key = "sk", ttl = "ttl"
      indexes       = { due = { partition_key = "a", sort_key = "b", sort_type = "S", projection = "SOME" } }
    }
  }
  expect_failures = [var.table]
}
