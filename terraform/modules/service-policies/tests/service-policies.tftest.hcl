provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  region         = "eu-west-1"
  table_arn      = "arn:aws:dynamodb:eu-west-1:471122334433:table/payops-test"
  api_key_prefix = "KEY#"
  archive_arn    = "arn:aws:s3:::payops-archive-test"
  bus_arn        = "arn:aws:events:eu-west-1:471122334433:event-bus/payops-test"
  queues = { for name in ["payments-work", "projections", "notifications"] : name => {
    arn         = "arn:aws:sqs:eu-west-1:471122334433:test-${name}"
    dead_arn    = "arn:aws:sqs:eu-west-1:471122334433:test-${name}-dlq"
    parking_arn = "arn:aws:sqs:eu-west-1:471122334433:test-${name}-parking"
  } }
  mail_arns       = ["arn:aws:ses:eu-west-1:471122334433:identity/test.pay.example.com"]
  secrets         = { web-api-key = { arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/web-api-key-AbCdEf", readers = ["payments-web"] } }
  secrets_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  data_key_arn    = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
}

run "policies" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy).Statement : [
          for word in flatten([statement.Action, statement.Resource]) : word != "*" && !endswith(word, ":*")
        ]
      ]
    ]))
    error_message = "A service has a wildcard for actions or resources."
  }

  assert {
    condition     = !strcontains(output.policies["notifier"], "s3:") && !strcontains(output.policies["payments-web"], "dynamodb:")
    error_message = "The notifier reads the archive, or the web page the table."
  }

  assert {
    condition     = alltrue([for service in ["payments-api", "payments-worker", "notifier"] : strcontains(output.policies[service], "OPS#*")])
    error_message = "A service writes approvals."
  }
}
