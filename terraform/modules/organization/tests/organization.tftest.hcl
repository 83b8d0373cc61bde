provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  accounts              = { test = { email = "t@example.com", unit = "nonproduction" }, prod = { email = "p@example.com", unit = "production" } }
  production_account_id = "471122334477"
  regions               = ["eu-west-1", "eu-central-1"]
}

run "policies" {
  command = apply

  assert {
    condition     = alltrue([for key, policy in local.policies : length(policy.content) <= (policy.type == "RESOURCE_CONTROL_POLICY" ? 5120 : 10240)])
    error_message = "SCPs have 10,240 characters at most, RCPs 5,120."
  }

  assert {
    condition     = alltrue([for statement in local.perimeter.Statement : statement.Effect == "Deny" && statement.Principal == "*" && !contains(statement.Action, "*")])
    error_message = "AWS takes an RCP only with Deny, for everybody, on named actions."
  }

  assert {
    condition     = alltrue([for statement in local.perimeter.Statement : !contains(statement.Action, "sts:AssumeRoleWithWebIdentity") && !contains(statement.Action, "sts:SetSourceIdentity") && !contains(statement.Action, "sts:TagSession")])
    error_message = "A token of GitHub has no organization: the perimeter would lock pipelines out."
  }

  assert {
    condition     = length([for policy in local.policies : 1 if policy.type == "SERVICE_CONTROL_POLICY"]) <= 9
    error_message = "Ten SCPs a target at most, AWS's own among them."
  }

  assert {
    condition     = contains(jsondecode(data.aws_iam_policy_document.production.minified_json).Statement[0].Action, "sqs:PurgeQueue")
    error_message = "A queue of prod is purged."
  }
}

run "another_unit_is_refused" {
  command = plan
  variables {
    accounts = { test = { email = "t@example.com", unit = "sandbox" } }
  }
  expect_failures = [var.accounts]
}
