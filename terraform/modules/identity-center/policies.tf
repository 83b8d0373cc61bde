data "aws_iam_policy_document" "assume" {
  for_each = local.duties

  dynamic "statement" {
    for_each = length(each.value) == 0 ? [] : [1]

    content {
      sid       = "BecomeUnderOnesOwnName"
      actions   = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
      resources = [for duty in each.value : "arn:aws:iam::*:role/${var.role_names[duty]}"]

      condition {
        test     = "StringEquals"
        variable = "aws:ResourceOrgID"
        values   = [var.organization_id]
      }
    }
  }
}

# Support reads payments themselves, by key: no scan, no API key, no operations item, no archive, no secret.
data "aws_iam_policy_document" "support" {
  statement {
    sid       = "ReadPayments"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
    resources = ["arn:aws:dynamodb:*:*:table/payops-*"]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["PAY#*"]
    }
    condition {
      test     = "Null"
      variable = "dynamodb:LeadingKeys"
      values   = ["false"]
    }
  }

  # SQS lists queues on no resource of its own.
  statement {
    sid       = "SeeQueues"
    actions   = ["sqs:ListQueues"]
    resources = ["*"]
  }

  statement {
    sid       = "CountQueues"
    actions   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    resources = ["arn:aws:sqs:*:*:*-payments-work*", "arn:aws:sqs:*:*:*-projections*", "arn:aws:sqs:*:*:*-notifications*"]
  }
}

# Signals are everybody's to read; CloudWatch answers on no resource.
data "aws_iam_policy_document" "signals" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  statement {
    sid       = "Signals"
    actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "cloudwatch:GetDashboard", "cloudwatch:ListDashboards"]
    resources = ["*"]
  }
}

# Admins repair what a pipeline may not: its own ways in, SOPS files, the break-glass user. Every use is an alarm.
data "aws_iam_policy_document" "break_glass" {
  # checkov:skip=CKV_AWS_1:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_107:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_108:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_109:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_110:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_111:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_356:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # checkov:skip=CKV_AWS_49:an emergency is what no list foresaw; SCPs and the archive's policy hold, and each use is an alarm
  # An emergency is what no list of actions foresaw; SCPs and the archive's policy still hold.
  statement {
    sid       = "Repair"
    actions   = ["*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "deployer" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  statement {
    sid = "SeeDeployments"
    actions = ["codedeploy:GetDeployment", "codedeploy:ListDeployments", "codedeploy:BatchGetDeployments", "lambda:GetAlias", "lambda:ListVersionsByFunction",
    "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListImages", "eks:DescribeCluster", "eks:ListClusters", "eks:DescribeNodegroup", "eks:ListNodegroups"]
    resources = ["*"] # Deployments, images and node groups of every service: names that pipelines choose.
  }
}

data "aws_iam_policy_document" "sops" {
  statement {
    sid       = "SopsFiles"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
    resources = ["arn:aws:kms:*:*:key/*"]

    condition {
      test     = "ForAnyValue:StringLike"
      variable = "kms:ResourceAliases"
      values   = ["alias/payops-*-sops"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  for_each = local.duties

  source_policy_documents = concat(
    [data.aws_iam_policy_document.assume[each.key].json, data.aws_iam_policy_document.signals.json],
    each.key == "support" ? [data.aws_iam_policy_document.support.json] : [],
    each.key == "deployer" ? [data.aws_iam_policy_document.deployer.json] : [],
    contains(["deployer", "operator"], each.key) ? [data.aws_iam_policy_document.sops.json] : [],
    each.key == "break-glass" ? [data.aws_iam_policy_document.break_glass.json] : [],
  )
}
