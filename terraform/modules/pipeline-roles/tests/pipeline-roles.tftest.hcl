provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  env              = "test"
  account_id       = "471122334433"
  region           = "eu-west-1"
  role_names       = { view = "payops-view", deploy-plan = "payops-deploy-plan", deploy-apply = "payops-deploy-apply", release = "payops-release" }
  sub_prefix       = "repo:example@1001/payops@2002"
  boundary_name    = "payops-boundary"
  state            = { bucket = "payops-state-test", key_arn = "arn:aws:kms:eu-west-1:471122334433:key/44444444-4444-4444-4444-444444444444" }
  release_buckets  = ["arn:aws:s3:::payops-artifacts-test"]
  data_key_arn     = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  distribution_arn = "arn:aws:cloudfront::471122334433:distribution/E1"
  worker = {
    function_arn         = "arn:aws:lambda:eu-west-1:471122334433:function:payments-worker"
    application_arn      = "arn:aws:codedeploy:eu-west-1:471122334433:application:payments-worker"
    deployment_group_arn = "arn:aws:codedeploy:eu-west-1:471122334433:deploymentgroup:payments-worker/live"
  }
  pull_arns = ["arn:aws:ecr:eu-west-1:471122334411:repository/payops/*"]
  secrets = {
    arns    = ["arn:aws:secretsmanager:eu-west-1:471122334433:secret:test/payops/smoke-AbCdEf"]
    key_arn = "arn:aws:kms:eu-west-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  }
  pull_requests = {
    cluster_arn = "arn:aws:eks:eu-west-1:471122334433:cluster/payops-test"
    push_arns   = ["arn:aws:ecr:eu-west-1:471122334433:repository/pr/*"]
  }
}

run "roles" {
  command = apply

  assert {
    condition = alltrue([
      for role in aws_iam_role.this :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    ])
    error_message = "A token for somebody else is taken."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["deploy-apply"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:example@1001/payops@2002:environment:test"
    error_message = "Only the environment, with its reviewers, applies."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["release"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:example@1001/payops@2002:environment:test"
    error_message = "Only the environment releases to itself."
  }

  assert {
    condition     = contains(jsondecode(aws_iam_role.this["deploy-plan"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"], "repo:example@1001/payops@2002:pull_request")
    error_message = "A pull request plans."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.this : length(policy.policy) <= 10240])
    error_message = "A role's inline policies have 10,240 characters at most."
  }
}

run "where_releases_are_kept" {
  command = apply
  variables {
    release_environment = "build"
    push_arns           = ["arn:aws:ecr:eu-west-1:471122334411:repository/payops/*"]
    pull_arns           = []
    secrets             = null
    worker              = null
    distribution_arn    = null
    release_buckets     = []
    pull_requests       = null
  }

  assert {
    condition = [for key in ["release", "deploy-apply"] :
      jsondecode(aws_iam_role.this[key].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]
    ] == ["repo:example@1001/payops@2002:environment:build", "repo:example@1001/payops@2002:environment:test"]
    error_message = "Builds release without the reviewers of what is applied, and apply nothing."
  }

  assert {
    condition     = toset([for statement in jsondecode(aws_iam_role_policy.this["release"].policy).Statement : statement.Sid]) == toset(["Login", "Push"])
    error_message = "A release to the registry pushes, and does nothing else."
  }
}

run "every_environment_is_refused" {
  command = plan
  variables {
    release_environment = "*"
  }
  expect_failures = [var.release_environment]
}

run "every_repository_is_refused" {
  command = plan
  variables {
    sub_prefix = "repo:example/*"
  }
  expect_failures = [var.sub_prefix]
}
