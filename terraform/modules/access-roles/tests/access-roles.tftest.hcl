provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  account_id      = "471122334433"
  role_names      = { view = "payops-view", operate = "payops-operate", break-glass = "payops-break-glass", admin-approve = "payops-admin-approve" }
  table_arn       = "arn:aws:dynamodb:eu-west-1:471122334433:table/payops-test"
  approval_prefix = "OPS#approval#"
  api_key_prefix  = "KEY#"
  freeze_key      = "OPS#freeze"
  queue_arns = {
    source  = ["arn:aws:sqs:eu-west-1:471122334433:test-payments-work"]
    dead    = ["arn:aws:sqs:eu-west-1:471122334433:test-payments-work-dlq"]
    parking = ["arn:aws:sqs:eu-west-1:471122334433:test-payments-work-parking"]
  }
  archive_arn = "arn:aws:s3:::payops-archive-test"
  bus_arn     = "arn:aws:events:eu-west-1:471122334433:event-bus/payops-test"
  audit = {
    bus_arn       = "arn:aws:events:eu-west-1:471122334433:event-bus/payops-audit-test"
    source        = "payops"
    detail_type   = "payops.audit"
    log_group_arn = "arn:aws:logs:eu-west-1:471122334433:log-group:payops-audit-test"
    key_arn       = "arn:aws:kms:eu-west-1:471122334433:key/33333333-3333-3333-3333-333333333333"
  }
  ledger_secret_arn = "arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/ledger-url-readonly-AbCdEf"
  secrets_key_arn   = "arn:aws:kms:eu-west-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  data_key_arn      = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  cluster_arn       = "arn:aws:eks:eu-west-1:471122334433:cluster/payops-test"
  worker = {
    function_arn         = "arn:aws:lambda:eu-west-1:471122334433:function:payments-worker"
    deployment_group_arn = "arn:aws:codedeploy:eu-west-1:471122334433:deploymentgroup:payments-worker/live"
  }
  admin = { issuer = "https://login.example.com", client_id = "payops-admin" }
}

run "roles" {
  command = apply

  assert {
    condition = alltrue([
      for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["sts:SourceIdentity"] == "$${aws:PrincipalTag/UserName}"
    ])
    error_message = "A role lets people act under another name."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : length(role.assume_role_policy) <= 2048 && role.max_session_duration == 3600])
    error_message = "A trust policy has 2,048 characters at most, and a session lasts an hour."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.this : length(policy.policy) <= 10240])
    error_message = "A role's inline policies have 10,240 characters at most."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.this : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in flatten([statement.Action]) : !endswith(action, ":*")
        ]
      ]
    ]))
    error_message = "A duty has a wildcard for an action: ${join(", ", flatten([
      for key, policy in aws_iam_role_policy.this : [
        for statement in jsondecode(policy.policy).Statement : [for action in flatten([statement.Action]) : "${key}: ${action}" if endswith(action, ":*")]
      ]
    ]))}"
  }

  # calls.json is made from the table of calls in adapters/aws: a call without a permission fails, and a permission without a call.
  # Purging is the environment's to allow: see the next run.
  assert {
    condition = alltrue([
      for role in ["view", "operate", "break-glass"] : setsubtract(jsondecode(file("../names/calls.json"))[role], ["sqs:PurgeQueue"]) == toset(flatten([
        for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : statement.Action if statement.Effect == "Allow"
      ]))
    ])
    error_message = "A role may do other things than payops does: ${jsonencode({
      for role in ["view", "operate", "break-glass"] : role => {
        lacks    = setsubtract(jsondecode(file("../names/calls.json"))[role], flatten([for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : statement.Action if statement.Effect == "Allow"]))
        too_much = setsubtract(flatten([for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : statement.Action if statement.Effect == "Allow"]), jsondecode(file("../names/calls.json"))[role])
      }
    })}"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this["break-glass"].policy, "sqs:PurgeQueue")
    error_message = "Nobody purges unless the environment says so."
  }

  assert {
    condition     = jsondecode(aws_iam_user_policy.break_glass.policy).Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"] == "true"
    error_message = "A retention ends without a second factor."
  }
}

run "where_the_environment_allows_it_break_glass_purges" {
  command = apply
  variables {
    may_purge = true
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.this["break-glass"].policy).Statement : statement.Resource if contains(flatten([statement.Action]), "sqs:PurgeQueue")
    ])) == toset(concat(var.queue_arns.source, var.queue_arns.dead, var.queue_arns.parking))
    error_message = "A purge is of other queues than the environment's own."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this["operate"].policy, "sqs:PurgeQueue")
    error_message = "Operators purge."
  }
}

run "an_issuer_without_tls_is_refused" {
  command = plan
  variables {
    admin = { issuer = "http://login.example.com", client_id = "payops-admin" }
  }
  expect_failures = [var.admin]
}
