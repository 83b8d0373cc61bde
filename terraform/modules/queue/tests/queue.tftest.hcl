provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name             = "test-payments-work"
  suffixes         = { dead = "-dlq", parking = "-parking" }
  kms_key_arn      = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  consumer_limit   = 6
  sender_rule_arns = ["arn:aws:events:eu-west-1:471122334433:rule/payops-test/test-payments-work"]
}

run "queue" {
  command = apply

  assert {
    condition     = try(jsondecode(aws_sqs_queue.this.redrive_policy).deadLetterTargetArn, "") == aws_sqs_queue.dead.arn
    error_message = "The queue's messages die in its dead-letter queue."
  }

  assert {
    condition     = try(jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount, 0) == 2 * var.consumer_limit
    error_message = "The queue's limit is twice the consumer's."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead.redrive_allow_policy).sourceQueueArns == [aws_sqs_queue.this.arn]
    error_message = "Another queue's messages may die here."
  }

  assert {
    condition     = alltrue([for policy in aws_sqs_queue_redrive_allow_policy.none : jsondecode(policy.redrive_allow_policy).redrivePermission == "denyAll"])
    error_message = "A source or parking queue takes dead letters."
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds >= 6 * var.consumer_timeout_seconds
    error_message = "Messages show again while they are worked on."
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 345600 && aws_sqs_queue.dead.message_retention_seconds == 1209600 && aws_sqs_queue.parking.message_retention_seconds == 1209600
    error_message = "Sources keep four days, dead letters fourteen."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dead, aws_sqs_queue.parking] : queue.kms_master_key_id == var.kms_key_arn])
    error_message = "A queue is not encrypted with the key."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sqs_queue_policy.this["source"].policy).Statement :
      try(statement.Condition.ArnEquals["aws:SourceArn"] == one(var.sender_rule_arns), statement.Effect == "Deny")
    ])
    error_message = "Only its own rules send to the queue by service."
  }
}

run "a_limit_of_none_is_refused" {
  command = plan
  variables {
    consumer_limit = 0
  }
  expect_failures = [var.consumer_limit]
}
