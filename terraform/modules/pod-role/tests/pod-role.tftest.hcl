provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name            = "payops-test-notifier"
  account_id      = "471122334433"
  cluster_name    = "payops-test"
  cluster_arn     = "arn:aws:eks:eu-west-1:471122334433:cluster/payops-test"
  namespace       = "notifier"
  service_account = "notifier"
  policy          = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ses:SendEmail\",\"Resource\":\"arn:aws:ses:eu-west-1:471122334433:identity/example.com\"}]}"
}

run "trust_is_bound_to_the_cluster" {
  command = apply

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == var.cluster_arn
    error_message = "Pods of another cluster get the role."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == var.account_id
    error_message = "A cluster of another account gets the role."
  }
}

run "what_is_no_policy_is_refused" {
  command = plan
  variables {
    policy = "everything"
  }
  expect_failures = [var.policy]
}
