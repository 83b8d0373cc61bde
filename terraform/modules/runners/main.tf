# GitHub's jobs that reach a cluster or Argo CD run here, inside the network: both are private.
resource "aws_codeconnections_connection" "github" {
  name          = var.name
  provider_type = "GitHub"
}

resource "aws_codebuild_source_credential" "github" {
  auth_type   = "CODECONNECTIONS"
  server_type = "GITHUB"
  token       = aws_codeconnections_connection.github.arn
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:the account's root says how long, from 30 days in test to 400 in prod
  name              = "/payops/runners/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["codebuild.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

# A runner has no rights of its own in AWS: jobs take roles by GitHub's token, as everywhere.
data "aws_iam_policy_document" "own" {
  # checkov:skip=CKV_AWS_111:calls of AWS whose resource is not known before, or an endpoint policy whose conditions are the limit
  # checkov:skip=CKV_AWS_356:calls of AWS whose resource is not known before, or an endpoint policy whose conditions are the limit
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  statement {
    actions   = ["codeconnections:UseConnection", "codeconnections:GetConnection", "codeconnections:GetConnectionToken"]
    resources = [aws_codeconnections_connection.github.arn]
  }

  # CodeBuild makes its network interfaces with this role; EC2 describes on no resource.
  statement {
    actions = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
    "ec2:DescribeDhcpOptions", "ec2:DescribeVpcs"]
    resources = ["*"]
  }

  statement {
    actions   = ["ec2:CreateNetworkInterfacePermission"]
    resources = ["arn:aws:ec2:${var.region}:${var.account_id}:network-interface/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:AuthorizedService"
      values   = ["codebuild.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "run"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.own.json
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Runners: nothing comes in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to GitHub, AWS, clusters and Argo CD"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_codebuild_project" "this" {
  # checkov:skip=CKV_AWS_316:jobs take programs out of images, for which Docker must run; a runner is one job's own and has no rights in AWS
  name                   = var.name
  description            = "Runners of GitHub Actions inside the network"
  service_role           = aws_iam_role.this.arn
  build_timeout          = 250 # A stage may take 240, and starts within it.
  concurrent_build_limit = 10

  source {
    type            = "GITHUB"
    location        = "https://github.com/${var.repository}.git"
    git_clone_depth = 1
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type            = "ARM_CONTAINER"
    compute_type    = "BUILD_GENERAL1_SMALL"
    image           = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
    privileged_mode = true
  }

  vpc_config {
    vpc_id             = var.vpc_id
    subnets            = var.subnet_ids
    security_group_ids = [aws_security_group.this.id]
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this.name
    }
  }

  depends_on = [aws_codebuild_source_credential.github, aws_iam_role_policy.this]
}

resource "aws_codebuild_webhook" "this" {
  project_name = aws_codebuild_project.this.name
  build_type   = "BUILD"

  filter_group {
    filter {
      type    = "EVENT"
      pattern = "WORKFLOW_JOB_QUEUED"
    }
  }
}
