# The most that a role of a service may ever do, whatever its own policies say. It replaces SCPs in the management account, which none binds.
data "aws_iam_policy_document" "this" {
  # checkov:skip=CKV_AWS_107:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_108:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_109:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_110:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_111:a boundary caps, and grants nothing; a key policy speaks of its own key
  # checkov:skip=CKV_AWS_356:a boundary caps, and grants nothing; a key policy speaks of its own key
  # Everything but identity, the organization and billing: what a role may do is its own policy's to say, this only caps it.
  statement {
    sid         = "NotIdentityNotOrganization"
    not_actions = ["iam:*", "organizations:*", "account:*", "sso:*", "sso-directory:*", "identitystore:*", "aws-portal:*", "billing:*"]
    resources   = ["*"]
  }

  statement {
    sid       = "PassAndRead"
    actions   = ["iam:PassRole", "iam:GetRole", "iam:CreateServiceLinkedRole"]
    resources = ["*"]
  }

  statement {
    sid    = "NeverEvidence"
    effect = "Deny"
    actions = [
      "s3:BypassGovernanceRetention", "s3:PutBucketObjectLockConfiguration", "s3:PutObjectRetention", "s3:PutBucketVersioning",
      "cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "guardduty:DeleteDetector", "guardduty:UpdateDetector",
      "config:StopConfigurationRecorder", "config:DeleteConfigurationRecorder", "logs:DeleteLogGroup", "logs:DeleteLogStream",
      "logs:PutRetentionPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "NeverPurge"
    effect    = "Deny"
    actions   = ["sqs:PurgeQueue", "sqs:DeleteQueue"]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "this" {
  name        = var.name
  description = "The most that a role of a service may do"
  policy      = data.aws_iam_policy_document.this.json
}
