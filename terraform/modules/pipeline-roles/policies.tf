locals {
  state = {
    bucket = "arn:aws:s3:::${var.state.bucket}"
    key    = var.state.key_arn
  }
}

data "aws_iam_policy_document" "state_read" {
  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${local.state.bucket}/*"]
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [local.state.bucket]
  }

  statement {
    sid       = "DecryptState"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.state.key]
  }

  # Plans lock too.
  statement {
    sid       = "Lock"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.state.bucket}/*.tflock"]
  }
}

# A plan reads what there is. It reads no payment, no message and no secret: configuration alone.
data "aws_iam_policy_document" "plan" {
  # checkov:skip=CKV_AWS_107:configuration of every kind is refreshed; data is denied below
  # checkov:skip=CKV_AWS_356:configuration of every kind is refreshed; data is denied below
  source_policy_documents = [data.aws_iam_policy_document.state_read.json]

  # Terraform refreshes resources of many kinds by calls that take no resource; what is read is configuration, and the
  # statement below takes the data out of it.
  statement {
    sid = "ReadConfiguration"
    actions = concat(var.reads, [
      "access-analyzer:Get*", "access-analyzer:List*", "acm:Describe*", "acm:List*", "backup:Describe*", "backup:Get*", "backup:List*",
      "cloudfront:Get*", "cloudfront:List*", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "codedeploy:Get*",
      "codedeploy:List*", "config:Describe*", "config:Get*", "config:List*", "dynamodb:Describe*", "dynamodb:List*", "ec2:Describe*",
      "ec2:Get*", "ecr:Describe*", "ecr:Get*", "ecr:List*", "eks:Describe*", "eks:List*", "elasticloadbalancing:Describe*", "es:Describe*",
      "es:Get*", "es:List*", "events:Describe*", "events:List*", "guardduty:Get*", "guardduty:List*", "iam:Get*", "iam:List*",
      "kms:Describe*", "kms:Get*", "kms:List*", "lambda:Get*", "lambda:List*", "logs:Describe*", "logs:Get*", "logs:List*",
      "rds:Describe*", "rds:List*", "route53:Get*", "route53:List*", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:GetAccountPublicAccessBlock", "s3:ListAllMyBuckets",
      "secretsmanager:Describe*", "secretsmanager:GetResourcePolicy", "secretsmanager:List*", "ses:Get*", "ses:List*", "sns:Get*",
      "sns:List*", "sqs:Get*", "sqs:List*", "ssm:Describe*", "wafv2:Get*", "wafv2:List*", "chatbot:Describe*", "serverlessrepo:Get*",
      "cloudformation:Describe*", "cloudformation:Get*", "tag:Get*",
    ])
    resources = ["*"]
  }

  statement {
    sid    = "NoData"
    effect = "Deny"
    actions = [
      "logs:GetLogEvents", "logs:GetQueryResults", "logs:FilterLogEvents", "logs:StartQuery", "logs:GetLogRecord",
      "secretsmanager:GetSecretValue", "kms:GetParametersForImport",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "apply" {
  # checkov:skip=CKV_AWS_107:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  # checkov:skip=CKV_AWS_108:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  # checkov:skip=CKV_AWS_109:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  # checkov:skip=CKV_AWS_110:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  # checkov:skip=CKV_AWS_111:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  # checkov:skip=CKV_AWS_356:Terraform makes resources of these kinds under names that AWS chooses; data is denied below
  source_policy_documents = [data.aws_iam_policy_document.state_read.json]

  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = ["${local.state.bucket}/*"]
  }

  # Terraform makes resources of all of these kinds, and most of their names are AWS's to choose. Identity is apart, below, and
  # payments, messages and secrets are denied.
  statement {
    sid = "Make"
    actions = [
      "access-analyzer:*", "acm:*", "autoscaling:*", "backup:*", "backup-storage:*", "chatbot:*", "cloudformation:*", "cloudfront:*",
      "cloudwatch:*", "codedeploy:*", "config:*", "dynamodb:*", "ec2:*", "ecr:*", "eks:*", "elasticloadbalancing:*", "es:*", "events:*",
      "guardduty:*", "kms:*", "lambda:*", "logs:*", "ram:*", "rds:*", "route53:*", "s3:*", "secretsmanager:*", "serverlessrepo:*",
      "ses:*", "sns:*", "sqs:*", "ssm:*", "tag:*", "wafv2:*",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ReadIdentity"
    actions   = ["iam:Get*", "iam:List*"]
    resources = ["*"]
  }

  # A role of a service is made within the boundary, or not at all.
  statement {
    sid       = "RolesWithinTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DetachRolePolicy", "iam:DeleteRolePolicy"]
    resources = ["arn:aws:iam::${var.account_id}:role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }
  }

  statement {
    sid = "RolesAsTheyAre"
    actions = ["iam:UpdateRole", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole", "iam:DeleteRole", "iam:PassRole", "iam:CreateServiceLinkedRole",
    "iam:UpdateAssumeRolePolicy"]
    resources = ["arn:aws:iam::${var.account_id}:role/*"]
  }

  # People's and pipelines' own ways in are changed by an admin, at first set-up or by hand: a pipeline that could would be one.
  statement {
    sid    = "NotTheWaysIn"
    effect = "Deny"
    actions = ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy",
    "iam:DeleteRole", "iam:PassRole", "iam:PutRolePermissionsBoundary"]
    resources = [for name in values(var.role_names) : "arn:aws:iam::${var.account_id}:role/${name}*"]
  }

  statement {
    sid    = "NoDataNoEvidence"
    effect = "Deny"
    actions = [
      "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PutItem", "dynamodb:UpdateItem",
      "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:PurgeQueue",
      "secretsmanager:GetSecretValue", "s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "guardduty:DeleteDetector",
      "config:StopConfigurationRecorder", "kms:Decrypt",
    ]
    not_resources = concat(["${local.state.bucket}/*", local.state.key], var.managed_arns)
  }
}

locals {
  pull_actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"]
  push_actions = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]

  # What a release does, as far as the account has it: images and charts go to management, the rest to each environment.
  release = { for sid, statement in {
    Push           = { actions = concat(local.pull_actions, local.push_actions), resources = var.push_arns, via = [] }
    Pull           = { actions = local.pull_actions, resources = var.pull_arns, via = [] }
    Upload         = { actions = ["s3:PutObject", "s3:GetObject"], resources = [for bucket in var.release_buckets : "${bucket}/*"], via = [] }
    EncryptUploads = { actions = ["kms:GenerateDataKey", "kms:Decrypt"], resources = length(var.release_buckets) == 0 ? [] : [var.data_key_arn], via = ["s3"] }
    Publish = {
      actions   = ["lambda:UpdateFunctionCode", "lambda:PublishVersion", "lambda:GetFunction", "lambda:GetAlias"]
      resources = var.worker == null ? [] : [var.worker.function_arn, "${var.worker.function_arn}:*"]
      via       = []
    }
    Shift = {
      actions   = ["codedeploy:CreateDeployment", "codedeploy:GetDeployment", "codedeploy:RegisterApplicationRevision", "codedeploy:StopDeployment"]
      resources = var.worker == null ? [] : [var.worker.application_arn, var.worker.deployment_group_arn]
      via       = []
    }
    ShiftBy = {
      actions   = ["codedeploy:GetDeploymentConfig"]
      resources = var.worker == null ? [] : ["arn:aws:codedeploy:${var.region}:${var.account_id}:deploymentconfig:*"]
      via       = []
    }
    Invalidate    = { actions = ["cloudfront:CreateInvalidation"], resources = var.distribution_arn == null ? [] : [var.distribution_arn], via = [] }
    SuitesSecrets = { actions = ["secretsmanager:GetSecretValue"], resources = var.secrets == null ? [] : var.secrets.arns, via = [] }
    DecryptThem   = { actions = ["kms:Decrypt"], resources = var.secrets == null ? [] : [var.secrets.key_arn], via = ["secretsmanager"] }
  } : sid => statement if length(statement.resources) > 0 }
}

data "aws_iam_policy_document" "release" {
  # ECR hands out its token on no repository.
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = local.release

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.via

        content {
          test     = "StringEquals"
          variable = "kms:ViaService"
          values   = ["${condition.value}.${var.region}.amazonaws.com"]
        }
      }
    }
  }
}

# What a pull request's environment needs, under its own names alone.
data "aws_iam_policy_document" "pull_request" {
  count = var.pull_requests == null ? 0 : 1

  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.state.bucket}/pr/*"]
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [local.state.bucket]
  }

  statement {
    sid       = "StateKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.state.key]
  }

  # Every resource of these services that a pull request's environment makes is named after it.
  statement {
    sid     = "OwnNames"
    actions = ["dynamodb:*", "sqs:*", "events:*", "s3:*", "logs:*"]
    resources = [
      "arn:aws:dynamodb:${var.region}:${var.account_id}:table/payops-pr-*",
      "arn:aws:sqs:${var.region}:${var.account_id}:pr-*",
      "arn:aws:events:${var.region}:${var.account_id}:event-bus/payops-pr-*",
      "arn:aws:events:${var.region}:${var.account_id}:archive/payops-pr-*",
      "arn:aws:events:${var.region}:${var.account_id}:rule/payops-pr-*/pr-*",
      "arn:aws:events:${var.region}:${var.account_id}:rule/pr-*",
      "arn:aws:s3:::payops-archive-pr-*",
      "arn:aws:logs:${var.region}:${var.account_id}:log-group:payops-audit-pr-*",
    ]
  }

  # ECR hands out its token on no repository.
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Push"
    actions   = concat(local.pull_actions, local.push_actions)
    resources = var.pull_requests.push_arns
  }

  # Environments of pull requests use test's secrets; the suites read the one that is theirs.
  dynamic "statement" {
    for_each = var.secrets == null ? [] : [var.secrets]

    content {
      sid       = "SuitesSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value.arns
    }
  }

  dynamic "statement" {
    for_each = var.secrets == null ? [] : [var.secrets]

    content {
      sid       = "DecryptThem"
      actions   = ["kms:Decrypt"]
      resources = [statement.value.key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.region}.amazonaws.com"]
      }
    }
  }

  statement {
    sid       = "PodRoles"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"]
    resources = ["arn:aws:iam::${var.account_id}:role/payops-pr-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }
  }

  statement {
    sid = "OwnRoles"
    actions = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole", "iam:PassRole", "iam:TagRole", "iam:UpdateAssumeRolePolicy"]
    resources = ["arn:aws:iam::${var.account_id}:role/payops-pr-*"]
  }

  statement {
    sid       = "Associate"
    actions   = ["eks:CreatePodIdentityAssociation", "eks:DeletePodIdentityAssociation", "eks:DescribePodIdentityAssociation", "eks:ListPodIdentityAssociations", "eks:DescribeCluster"]
    resources = [var.pull_requests.cluster_arn, replace("${var.pull_requests.cluster_arn}/*", ":cluster/", ":podidentityassociation/")]
  }

  # The keys of the test account encrypt what the environment makes.
  statement {
    sid       = "Keys"
    actions   = ["kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }

  statement {
    sid       = "FindKeys"
    actions   = ["kms:ListAliases"]
    resources = ["*"] # KMS lists aliases on no key.
  }
}
