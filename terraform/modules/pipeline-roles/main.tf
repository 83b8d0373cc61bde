# Pipelines hold no keys: GitHub's token is exchanged for a session, and the trust names repository and environment.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  host = "token.actions.githubusercontent.com"

  # A job with an environment has that in its subject, whose reviewers then stand before the role; a pull request's job has none.
  roles = merge(
    {
      deploy-plan  = { name = var.role_names["deploy-plan"], subjects = ["${var.sub_prefix}:pull_request", "${var.sub_prefix}:environment:${var.env}-plan"] }
      deploy-apply = { name = var.role_names["deploy-apply"], subjects = ["${var.sub_prefix}:environment:${var.env}"] }
      release      = { name = var.role_names["release"], subjects = ["${var.sub_prefix}:environment:${coalesce(var.release_environment, var.env)}"] }
    },
    var.pull_requests == null ? {} : {
      pull-request = { name = "${var.role_names["deploy-apply"]}-pr", subjects = ["${var.sub_prefix}:environment:pull-request"] }
    },
  )
  boundary_arn = "arn:aws:iam::${var.account_id}:policy/${var.boundary_name}"
  policies = merge(
    {
      deploy-plan  = data.aws_iam_policy_document.plan.minified_json
      deploy-apply = data.aws_iam_policy_document.apply.minified_json
      release      = data.aws_iam_policy_document.release.minified_json
    },
    { for key in var.pull_requests == null ? [] : ["pull-request"] : key => data.aws_iam_policy_document.pull_request[0].minified_json },
  )
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.host}:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.host}:sub"
      values   = each.value.subjects
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = each.value.name
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "pipeline"
  role   = aws_iam_role.this[each.key].id
  policy = local.policies[each.key]
}
