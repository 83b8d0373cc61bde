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

module "argocd_role" {
  source = "../../modules/pod-role"
  for_each = {
    controller = { service_account = "argocd-application-controller", policy = data.aws_iam_policy_document.argocd.json }
    server     = { service_account = "argocd-server", policy = data.aws_iam_policy_document.argocd.json }
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

# What Argo CD must know is brought into its cluster by External Secrets, whose token for the registries pulls charts, too.
resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:values that only another system can change are put by an admin
  for_each = module.names.secrets

  name                    = "${local.names.secret_prefix}${each.key}"
  description             = each.value.what
  kms_key_id              = module.secrets_key.arn
  recovery_window_in_days = 30
}

module "secrets_key" {
  source = "../../modules/key"

  name        = "payops-management-secrets"
  description = "Secrets of Argo CD"
}

data "aws_iam_policy_document" "external_secrets" {
  statement {
    sid       = "Read"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [for name, secret in module.names.secrets : aws_secretsmanager_secret.this[name].arn if contains(secret.readers, "external-secrets")]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [module.secrets_key.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${local.regions.home}.amazonaws.com"]
    }
  }

  # ECR hands out its token on no repository.
  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullCharts"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:DescribeImages"]
    resources = [for registry in module.names.registry : registry.chart_arns]
  }
}

module "external_secrets_role" {
  source = "../../modules/pod-role"

  name                 = "payops-management-external-secrets"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = module.names.controllers["external-secrets"].namespace
  service_account      = "external-secrets"
  policy               = data.aws_iam_policy_document.external_secrets.json
  permissions_boundary = module.boundary.arn
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
