module "service_policies" {
  source = "../service-policies"

  region          = local.regions.home
  table_arn       = module.table.arn
  api_key_prefix  = module.names.table.api_key_prefix
  archive_arn     = module.archive.arn
  bus_arn         = module.bus.arn
  queues          = { for key, queue in module.queues : key => { arn = queue.arn, dead_arn = queue.dead_arn, parking_arn = queue.parking_arn } }
  mail_arns       = [module.mail.identity_arn, module.mail.configuration_set_arn]
  secrets         = { for name, secret in module.names.secrets : name => { arn = module.secrets.arns[name], readers = secret.readers } }
  secrets_key_arn = module.secrets_key.arn
  data_key_arn    = module.key.arn
}

module "service_role" {
  source   = "../pod-role"
  for_each = module.names.services

  name                 = "${local.name}-${each.key}"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = each.value.namespace
  service_account      = each.value.service_account
  policy               = module.service_policies.policies[each.key]
  permissions_boundary = module.boundary.arn
}

# Controllers of the cluster.
data "aws_iam_policy_document" "load_balancer_controller" {
  # It registers pods with target groups that Terraform made; EC2 and ELB describe on no resource.
  statement {
    sid = "Describe"
    actions = [
      "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeAvailabilityZones", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
      "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTags",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Register"
    actions   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    resources = [module.edge.public_load_balancer.target_group_arn, module.edge.internal_load_balancer.target_group_arn]
  }
}

data "aws_iam_policy_document" "external_secrets" {
  statement {
    sid       = "Read"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = values(module.secrets.arns)
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

  # Charts come from ECR; its tokens are handed out on no repository.
  statement {
    sid       = "EcrToken"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "autoscaler" {
  # Auto Scaling and EC2 describe on no resource.
  statement {
    sid = "Describe"
    actions = ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities", "autoscaling:DescribeTags", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeImages", "ec2:GetInstanceTypesFromInstanceRequirements"]
    resources = ["*"]
  }

  statement {
    sid       = "Nodes"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:aws:eks:${local.regions.home}:${local.account.id}:nodegroup/${local.names.cluster}/*"]
  }

  # Auto Scaling names its groups itself; the tag says whose they are.
  statement {
    sid       = "Scale"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [local.names.cluster]
    }
  }
}

module "controller_role" {
  source = "../pod-role"
  for_each = {
    aws-load-balancer-controller = { namespace = "kube-system", policy = data.aws_iam_policy_document.load_balancer_controller.json }
    external-secrets             = { namespace = "external-secrets", policy = data.aws_iam_policy_document.external_secrets.json }
    cluster-autoscaler           = { namespace = "kube-system", policy = data.aws_iam_policy_document.autoscaler.json }
  }

  name                 = "${local.name}-${each.key}"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = each.value.namespace
  service_account      = each.key
  policy               = each.value.policy
  permissions_boundary = module.boundary.arn
}
