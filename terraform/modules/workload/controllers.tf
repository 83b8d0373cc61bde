# What the controllers of the cluster may do.
locals {
  elb_arn     = "arn:aws:elasticloadbalancing:${local.regions.home}:${local.account.id}"
  our_cluster = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.names.cluster }

  balancer_names = [for balancer in values(module.edge.load_balancers) : balancer.name]
  # What the controller makes: on our two load balancers, and target groups, whose names it begins with k8s-.
  balancer_parts = flatten([for name in local.balancer_names : [
    "${local.elb_arn}:listener/app/${name}/*", "${local.elb_arn}:listener-rule/app/${name}/*",
  ]])
  target_groups = "${local.elb_arn}:targetgroup/k8s-*/*"
}

# The load balancers are Terraform's: the controller has no right to make, delete or change one, only to fill it.
data "aws_iam_policy_document" "load_balancer_controller" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  # EC2, ELB and ACM describe on no resource.
  statement {
    sid = "Describe"
    actions = [
      "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
      "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
      "ec2:DescribeVpcs", "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes",
      "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
      "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies",
      "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTrustStores", "acm:ListCertificates", "acm:DescribeCertificate",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "ListenersAndRules"
    actions = ["elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule"]
    resources = concat([for name in local.balancer_names : "${local.elb_arn}:loadbalancer/app/${name}/*"],
    [for name in local.balancer_names : "${local.elb_arn}:listener/app/${name}/*"])
  }

  statement {
    sid = "ChangeThem"
    actions = [
      "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:DeleteListener",
      "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags",
    ]
    resources = local.balancer_parts
  }

  statement {
    sid       = "TargetGroups"
    actions   = ["elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:AddTags"]
    resources = [local.target_groups]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [local.names.cluster]
    }
  }

  statement {
    sid = "FillThem"
    actions = [
      "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:DeleteTargetGroup",
      "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RemoveTags",
    ]
    resources = [local.target_groups]

    dynamic "condition" {
      for_each = local.our_cluster

      content {
        test     = "StringEquals"
        variable = condition.key
        values   = [condition.value]
      }
    }
  }
}

# What others than the services read: keys of analyses, of the smoke test and of the channel's bot. No secret of a service.
data "aws_iam_policy_document" "external_secrets" {
  statement {
    sid       = "Read"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [for name, secret in module.names.secrets : module.secrets.arns[name] if contains(secret.readers, "external-secrets")]
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
}

# Analyses ask CloudWatch about queues; before weights go on, what the load balancer really has is looked at.
data "aws_iam_policy_document" "argo_rollouts" {
  # CloudWatch and ELB answer these on no resource.
  statement {
    sid = "JudgeAndVerify"
    actions = [
      "cloudwatch:GetMetricData", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeLoadBalancers",
      "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTags",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }
}

# Business metrics come as log lines, which CloudWatch turns into metrics.
resource "aws_cloudwatch_log_group" "metrics" {
  # checkov:skip=CKV_AWS_338:CloudWatch keeps the metrics; the lines are only their way there
  name              = module.names.metrics_log_group
  retention_in_days = 30
  kms_key_id        = module.key.arn
}

data "aws_iam_policy_document" "collector" {
  statement {
    sid       = "WriteMetrics"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.metrics.arn}:*"]
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
    aws-load-balancer-controller = data.aws_iam_policy_document.load_balancer_controller.json
    external-secrets             = data.aws_iam_policy_document.external_secrets.json
    argo-rollouts                = data.aws_iam_policy_document.argo_rollouts.json
    opentelemetry-collector      = data.aws_iam_policy_document.collector.json
    cluster-autoscaler           = data.aws_iam_policy_document.autoscaler.json
  }

  name                 = "${local.name}-${each.key}"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = module.names.controllers[each.key].namespace
  service_account      = each.key
  policy               = each.value
  permissions_boundary = module.boundary.arn
}
