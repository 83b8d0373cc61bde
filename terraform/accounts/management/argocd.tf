module "cluster" {
  source = "../../modules/cluster"

  name                 = local.names.cluster
  account_id           = local.account.id
  kubernetes_version   = module.names.versions.kubernetes
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  api_cidrs            = [local.account.cidr]
  node_groups          = { general = { instance_types = ["m7g.large"], min = 3, max = 6 } }
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn

  # Nobody deploys here but break-glass: Argo CD is installed once, and then manages itself.
  access = {
    break-glass = { principal_arn = local.break_glass_role, policy = "AmazonEKSClusterAdminPolicy" }
  }
}

locals {
  break_glass_role = "arn:aws:iam::${local.account.id}:role/${module.names.roles["break-glass"]}"
}

# Argo CD becomes one role in each workload account, and nothing else.
data "aws_iam_policy_document" "argocd" {
  statement {
    sid       = "PushToWorkloads"
    actions   = ["sts:AssumeRole", "sts:TagSession"]
    resources = [for account in local.workloads : "arn:aws:iam::${account.id}:role/${module.names.roles["argocd"]}"]
  }
}

# Charts lie in the registry of test; its tokens are handed out on no repository.
data "aws_iam_policy_document" "repo_server" {
  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullCharts"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:DescribeImages"]
    resources = ["arn:aws:ecr:${local.regions.home}:${module.names.accounts["test"].id}:repository/charts/*"]
  }
}

module "argocd_role" {
  source = "../../modules/pod-role"
  for_each = {
    controller  = { service_account = "argocd-application-controller", policy = data.aws_iam_policy_document.argocd.json }
    server      = { service_account = "argocd-server", policy = data.aws_iam_policy_document.argocd.json }
    repo-server = { service_account = "argocd-repo-server", policy = data.aws_iam_policy_document.repo_server.json }
  }

  name                 = "${module.names.roles["argocd"]}-${each.key}"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = "argocd"
  service_account      = each.value.service_account
  policy               = each.value.policy
  permissions_boundary = module.boundary.arn
  # Session tags would fill what the chained session in the workload account may carry.
  disable_session_tags = true
}

# Break-glass in this account: cluster administration alone, under one's own name.
data "aws_iam_policy_document" "break_glass_trust" {
  statement {
    sid     = "UnderOnesOwnName"
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account.id}:root"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::${local.account.id}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_break-glass_*"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:SourceIdentity"
      values   = ["&{aws:PrincipalTag/UserName}"]
    }
  }
}

data "aws_iam_policy_document" "break_glass" {
  statement {
    actions   = ["eks:DescribeCluster"]
    resources = [module.cluster.arn]
  }
}

resource "aws_iam_role" "break_glass" {
  name                 = module.names.roles["break-glass"]
  description          = "Administers the management cluster in an emergency"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.break_glass_trust.json
  permissions_boundary = module.boundary.arn
}

resource "aws_iam_role_policy" "break_glass" {
  name   = "duty"
  role   = aws_iam_role.break_glass.id
  policy = data.aws_iam_policy_document.break_glass.json
}
