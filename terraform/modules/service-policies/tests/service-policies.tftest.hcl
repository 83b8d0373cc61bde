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
  mail_arns = ["arn:aws:ses:eu-west-1:471122334433:identity/test.pay.example.com"]
  secrets = {
    web-api-key  = { arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/web-api-key-AbCdEf", readers = ["payments-web", "payments-api-migrate"] }
    provider-key = { arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/provider-key-AbCdEf", readers = ["payments-api", "payments-worker"] }
    admin-search = { arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/admin-search-AbCdEf", readers = ["admin"] }
  }
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

  # calls.json is made from the table of calls in adapters/aws: a call without a permission fails, and a permission without a call.
  assert {
    condition = alltrue([
      for service in keys(output.policies) : toset(jsondecode(file("../names/calls.json"))[service]) == toset(flatten([
        for statement in jsondecode(output.policies[service]).Statement : statement.Action if statement.Effect == "Allow"
      ]))
    ])
    error_message = "A service may do other things than its code does: ${jsonencode({
      for service in keys(output.policies) : service => {
        lacks    = setsubtract(jsondecode(file("../names/calls.json"))[service], flatten([for statement in jsondecode(output.policies[service]).Statement : statement.Action if statement.Effect == "Allow"]))
        too_much = setsubtract(flatten([for statement in jsondecode(output.policies[service]).Statement : statement.Action if statement.Effect == "Allow"]), jsondecode(file("../names/calls.json"))[service])
      }
    })}"
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
