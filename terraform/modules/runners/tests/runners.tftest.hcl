provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                 = "payops-runners"
  account_id           = "471122334411"
  region               = "eu-west-1"
  repository           = "example/payops"
  vpc_id               = "vpc-1"
  subnet_ids           = ["subnet-1", "subnet-2", "subnet-3"]
  kms_key_arn          = "arn:aws:kms:eu-west-1:471122334411:key/11111111-1111-1111-1111-111111111111"
  permissions_boundary = "arn:aws:iam::471122334411:policy/payops-boundary"
}

run "runners" {
  command = apply

  assert {
    condition     = length(flatten([for group in aws_codebuild_webhook.this.filter_group : [for filter in group.filter : filter if filter.pattern == "WORKFLOW_JOB_QUEUED"]])) == 1
    error_message = "Only queued jobs start a runner."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "sts:AssumeRole") && length(aws_codebuild_project.this.vpc_config) == 1
    error_message = "A runner has rights of its own, or stands outside the network."
  }

  assert {
    condition     = aws_codebuild_project.this.environment[0].privileged_mode && aws_codebuild_project.this.build_timeout > 240
    error_message = "A stage has no Docker, or is ended before its own time is over."
  }
}
