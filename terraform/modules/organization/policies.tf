locals {
  # Sessions of Identity Center's and of the pipelines' that repair: what a guard would otherwise lock forever.
  break_glass = ["arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_break-glass_*"]

  policies = {
    guard      = { type = "SERVICE_CONTROL_POLICY", production = false, description = "What nobody does in a workload account", content = data.aws_iam_policy_document.guard.minified_json }
    regions    = { type = "SERVICE_CONTROL_POLICY", production = false, description = "Where workloads run", content = data.aws_iam_policy_document.regions.minified_json }
    storage    = { type = "SERVICE_CONTROL_POLICY", production = false, description = "No storage without encryption, none in public", content = data.aws_iam_policy_document.storage.minified_json }
    production = { type = "SERVICE_CONTROL_POLICY", production = true, description = "What nobody does in prod", content = data.aws_iam_policy_document.production.minified_json }
    perimeter  = { type = "RESOURCE_CONTROL_POLICY", production = false, description = "Resources answer to the organization alone", content = jsonencode(local.perimeter) }
  }

  # RCPs count white space, and take Deny for everybody alone.
  perimeter = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OrganizationOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "dynamodb:*", "ecr:*", "logs:*"]
        Resource  = "*"
        Condition = {
          StringNotEqualsIfExists = { "aws:PrincipalOrgID" = aws_organizations_organization.this.id }
          BoolIfExists            = { "aws:PrincipalIsAWSService" = "false" }
        }
      },
      # Not on AssumeRoleWithWebIdentity, SetSourceIdentity or TagSession: a token of GitHub or of a pod has no organization yet.
      {
        Sid       = "OrganizationAssumes"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sts:AssumeRole"]
        Resource  = "*"
        Condition = {
          StringNotEqualsIfExists = { "aws:PrincipalOrgID" = aws_organizations_organization.this.id }
          BoolIfExists            = { "aws:PrincipalIsAWSService" = "false" }
        }
      },
      # A service acts for our resources, or not here: nobody's bucket or rule elsewhere borrows it.
      {
        Sid       = "ServicesForTheOrganization"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:*", "sqs:*", "kms:*", "secretsmanager:*"]
        Resource  = "*"
        Condition = {
          StringNotEqualsIfExists = { "aws:SourceOrgID" = aws_organizations_organization.this.id }
          Null                    = { "aws:SourceAccount" = "false" }
          Bool                    = { "aws:PrincipalIsAWSService" = "true" }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:*", "sqs:*", "secretsmanager:*", "dynamodb:*"]
        Resource  = "*"
        Condition = { BoolIfExists = { "aws:SecureTransport" = "false" } }
      },
    ]
  }
}

data "aws_iam_policy_document" "guard" {
  statement {
    sid       = "StayInTheOrganization"
    effect    = "Deny"
    actions   = ["organizations:LeaveOrganization", "account:CloseAccount", "account:PutAlternateContact"]
    resources = ["*"]
  }

  statement {
    sid       = "NoRoot"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]

    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::*:root"]
    }
  }

  statement {
    sid    = "KeepEvidence"
    effect = "Deny"
    actions = [
      "cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors",
      "guardduty:DeleteDetector", "guardduty:UpdateDetector", "guardduty:DisassociateFromAdministratorAccount", "guardduty:StopMonitoringMembers",
      "securityhub:DisableSecurityHub", "securityhub:DisassociateFromAdministratorAccount",
      "config:StopConfigurationRecorder", "config:DeleteConfigurationRecorder", "config:DeleteDeliveryChannel",
      "access-analyzer:DeleteAnalyzer", "ec2:DeleteFlowLogs",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "KeepAuditRecord"
    effect    = "Deny"
    actions   = ["logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy"]
    resources = ["arn:aws:logs:*:*:log-group:payops-audit-*", "arn:aws:logs:*:*:log-group:/aws/eks/*/cluster*", "arn:aws:logs:*:*:log-group:/payops/flow/*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = concat(["arn:aws:iam::*:role/payops-deploy-apply*"], local.break_glass)
    }
  }

  # Keys of people are sessions; the one user is break-glass, which is made by an admin.
  statement {
    sid       = "NoUsers"
    effect    = "Deny"
    actions   = ["iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile"]
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.break_glass
    }
  }

  statement {
    sid       = "NoSharingOutside"
    effect    = "Deny"
    actions   = ["ram:CreateResourceShare", "ram:UpdateResourceShare"]
    resources = ["*"]

    condition {
      test     = "Bool"
      variable = "ram:RequestedAllowsExternalPrincipals"
      values   = ["true"]
    }
  }
}

data "aws_iam_policy_document" "regions" {
  # Services that are global, or answer from us-east-1 for the whole account.
  statement {
    sid    = "OnlyOurRegions"
    effect = "Deny"
    not_actions = [
      "account:*", "acm:*", "budgets:*", "ce:*", "chatbot:*", "cloudfront:*", "cloudwatch:*", "events:*", "globalaccelerator:*", "health:*", "iam:*",
      "kms:*", "logs:*", "organizations:*", "route53:*", "route53domains:*", "s3:GetAccountPublicAccessBlock", "s3:ListAllMyBuckets",
      "s3:PutAccountPublicAccessBlock", "serverlessrepo:*", "shield:*", "sns:*", "sso:*", "sts:*", "support:*", "tag:*", "trustedadvisor:*", "waf:*", "wafv2:*",
    ]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:RequestedRegion"
      values   = var.regions
    }
  }
}

data "aws_iam_policy_document" "storage" {
  statement {
    sid       = "NoPublicBuckets"
    effect    = "Deny"
    actions   = ["s3:PutAccountPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "s3:DeleteBucketPolicy"]
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = concat(["arn:aws:iam::*:role/payops-deploy-apply*"], local.break_glass)
    }
  }

  statement {
    sid       = "NoPublicAcls"
    effect    = "Deny"
    actions   = ["s3:PutBucketAcl", "s3:PutObjectAcl", "s3:PutObject", "s3:CreateBucket"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "s3:x-amz-acl"
      values   = ["public-*", "authenticated-read"]
    }
  }

  statement {
    sid       = "EncryptedDisks"
    effect    = "Deny"
    actions   = ["ec2:CreateVolume"]
    resources = ["*"]

    condition {
      test     = "Bool"
      variable = "ec2:Encrypted"
      values   = ["false"]
    }
  }

  statement {
    sid       = "EncryptedDatabases"
    effect    = "Deny"
    actions   = ["rds:CreateDBInstance", "rds:CreateDBCluster"]
    resources = ["*"]

    condition {
      test     = "Bool"
      variable = "rds:StorageEncrypted"
      values   = ["false"]
    }
  }

  statement {
    sid       = "EncryptionStays"
    effect    = "Deny"
    actions   = ["ec2:DisableEbsEncryptionByDefault", "ec2:DisableSnapshotBlockPublicAccess"]
    resources = ["*"]
  }

  statement {
    sid       = "NewMetadataService"
    effect    = "Deny"
    actions   = ["ec2:RunInstances"]
    resources = ["arn:aws:ec2:*:*:instance/*"]

    condition {
      test     = "StringNotEquals"
      variable = "ec2:MetadataHttpTokens"
      values   = ["required"]
    }
  }
}

data "aws_iam_policy_document" "production" {
  # A purge loses payments; dead letters are replayed or discarded one by one, on record.
  statement {
    sid       = "NoPurge"
    effect    = "Deny"
    actions   = ["sqs:PurgeQueue", "sqs:DeleteQueue"]
    resources = ["*"]
  }

  statement {
    sid       = "KeepData"
    effect    = "Deny"
    actions   = ["dynamodb:DeleteTable", "dynamodb:DeleteBackup", "rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup", "s3:DeleteBucket", "kms:ScheduleKeyDeletion", "backup:DeleteRecoveryPoint", "backup:DeleteBackupVault"]
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.break_glass
    }
  }

  statement {
    sid       = "KeepArchive"
    effect    = "Deny"
    actions   = ["s3:BypassGovernanceRetention", "s3:PutBucketObjectLockConfiguration"]
    resources = ["*"]

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::${var.production_account_id}:user/break-glass"]
    }
  }
}
