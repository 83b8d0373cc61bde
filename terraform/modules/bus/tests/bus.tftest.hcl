provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name        = "payops-test"
  kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  source_name = "payops.payments"
  events      = { payments-work = ["RefundRequested"], notifications = ["PaymentFailed", "PaymentCompleted"] }
  archive     = { bucket = "payops-archive-test", queue = "payments-work" }
  queues = {
    payments-work = { name = "test-payments-work", arn = "arn:aws:sqs:eu-west-1:471122334433:test-payments-work", dead_arn = "arn:aws:sqs:eu-west-1:471122334433:test-payments-work-dlq" }
    notifications = { name = "test-notifications", arn = "arn:aws:sqs:eu-west-1:471122334433:test-notifications", dead_arn = "arn:aws:sqs:eu-west-1:471122334433:test-notifications-dlq" }
  }
  audit = { bus = "payops-audit-test", log_group = "payops-audit-test", source = "payops", detail_type = "payops.audit", days = 400 }
}

run "bus" {
  command = apply

  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 3 && aws_cloudwatch_event_rule.this["archive-payments-work"].event_bus_name == "default"
    error_message = "A rule for each queue, and one on the account's own bus for the archive."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["archive-payments-work"].event_pattern).detail.bucket.name == ["payops-archive-test"]
    error_message = "Objects of another bucket start payments."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : endswith(target.dead_letter_config[0].arn, "-dlq")])
    error_message = "An event that cannot be delivered is lost."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.audit[0].event_pattern) == { source = ["payops"], detail-type = ["payops.audit"] }
    error_message = "Lines of the audit record reach their log group."
  }
}
