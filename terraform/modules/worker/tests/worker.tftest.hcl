provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                = "payments-worker"
  account_id          = "471122334433"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-1", "subnet-2", "subnet-3"]
  kms_key_arn         = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  artifact            = { bucket = "payops-artifacts-test", key = "payments-worker/first.zip" }
  environment         = { PAYOPS_TABLE = "payops-test" }
  policy              = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sqs:ReceiveMessage\",\"Resource\":\"arn:aws:sqs:eu-west-1:471122334433:test-payments-work\"}]}"
  queue               = { arn = "arn:aws:sqs:eu-west-1:471122334433:test-payments-work", visibility_seconds = 180 }
  maximum_concurrency = 5
  rollback_alarms     = ["lambda-errors"]
}

run "worker" {
  command = apply

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == aws_lambda_alias.live.arn
    error_message = "The queue invokes the alias, which CodeDeploy shifts."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"]) && aws_lambda_event_source_mapping.this.scaling_config[0].maximum_concurrency == 5
    error_message = "One bad record fails its whole batch, or nothing brakes the queue."
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "The function is a binary for arm64."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this.alarm_configuration[0].enabled && contains(aws_codedeploy_deployment_group.this.auto_rollback_configuration[0].events, "DEPLOYMENT_STOP_ON_ALARM")
    error_message = "An alarm takes a new version back."
  }
}

run "a_queue_that_hides_too_briefly_is_refused" {
  command = plan
  variables {
    queue = { arn = "arn:aws:sqs:eu-west-1:471122334433:test-payments-work", visibility_seconds = 60 }
  }
  expect_failures = [var.timeout_seconds]
}
