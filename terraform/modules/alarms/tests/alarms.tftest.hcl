provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  env             = "test"
  account_id      = "471122334433"
  slack_workspace = "T0EXAMPLE1"
  teams           = { payments = { slack_channel = "C0PAYMENTS" }, security = { slack_channel = "C0SECURITY" } }
  runbooks        = "https://example.com/runbooks"
  kms_key_arn     = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  region_kms_key_arns = {
    us-east-1 = "arn:aws:kms:us-east-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  }
  signals = {
    sqs-dlq    = { title = "Messages died", owner = "payments", severity = "page" }
    api-errors = { title = "Requests fail", owner = "payments", severity = "page" }
    cdn-errors = { title = "CloudFront fails", owner = "payments", severity = "page" }
    guardduty  = { title = "Found", owner = "security", severity = "page" }
    root-used  = { title = "Root", owner = "security", severity = "page" }
  }
  metric_alarms = {
    sqs-dlq = { members = {
      a = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "a-dlq" }, stat = "Maximum", threshold = 0, periods = 1 }
      b = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "b-dlq" }, stat = "Maximum", threshold = 0, periods = 1 }
    } }
    api-errors = { members = {
      target = {
        namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = { LoadBalancer = "app/x/1" }, stat = "Sum", band = 3
        comparison = "GreaterThanUpperThreshold"
        per        = { namespace = "AWS/ApplicationELB", metric = "RequestCount", dimensions = { LoadBalancer = "app/x/1" }, stat = "Sum", at_least = 20 }
      }
    } }
    cdn-errors = { region = "us-east-1", members = {
      rate   = { namespace = "AWS/CloudFront", metric = "5xxErrorRate", dimensions = { DistributionId = "E1", Region = "Global" }, stat = "Average", threshold = 1 }
      access = { namespace = "AWS/CloudFront", metric = "403ErrorRate", dimensions = { DistributionId = "E1", Region = "Global" }, stat = "Average", threshold = 5 }
    } }
  }
  event_alarms = { guardduty = { pattern = "{\"source\":[\"aws.guardduty\"]}" } }
  log_alarms   = { root-used = { log_group = "trail", pattern = "{$.userIdentity.type=\"Root\"}" } }
}

run "alarms" {
  command = apply

  assert {
    condition     = toset(keys(output.alarms)) == toset(keys(var.signals))
    error_message = "Every signal has an alarm."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this["sqs-dlq"].alarm_rule == "ALARM(\"sqs-dlq-a\") OR ALARM(\"sqs-dlq-b\")" && length(aws_cloudwatch_metric_alarm.plain["sqs-dlq a"].alarm_actions) == 0
    error_message = "Two queues, one page."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.plain["guardduty rule"].dimensions["RuleName"] == aws_cloudwatch_event_rule.this["guardduty"].name
    error_message = "An event is counted by its rule."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.plain["root-used filter"].namespace == aws_cloudwatch_log_metric_filter.this["root-used"].metric_transformation[0].namespace
    error_message = "A log's alarm watches the filter's metric."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this["cdn-errors"].region == "us-east-1" && strcontains(one(aws_cloudwatch_composite_alarm.this["cdn-errors"].alarm_actions), ":us-east-1:")
    error_message = "An alarm of another region tells a topic there."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.derived["api-errors target"].alarm_description, "Runbook: https://example.com/runbooks/api-errors.md")
    error_message = "An alarm says where its runbook is."
  }
}

run "threshold_and_band_are_refused" {
  command = plan
  variables {
    metric_alarms = { sqs-dlq = { members = {
      a = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "a" }, stat = "Maximum", threshold = 0, band = 2 }
    } } }
  }
  expect_failures = [var.metric_alarms]
}
