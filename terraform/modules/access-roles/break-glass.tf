# The only identity that may end a retention early, and only with its second factor. It has no key and no password until
# somebody opens the envelope; sessions of Identity Center carry no key that tells of a second factor, so they cannot.
resource "aws_iam_user" "break_glass" {
  # checkov:skip=CKV_AWS_273:the one identity that has a second factor AWS can see
  name = "break-glass"
}

data "aws_iam_policy_document" "break_glass_user" {
  statement {
    sid       = "EndRetentionWithASecondFactor"
    actions   = ["s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:ListBucketVersions", "s3:GetObjectRetention"]
    resources = [var.archive_arn, "${var.archive_arn}/*"]

    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
  }

  statement {
    sid       = "OwnSecondFactor"
    actions   = ["iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice"]
    resources = ["arn:aws:iam::${var.account_id}:user/break-glass"]
  }
}

resource "aws_iam_user_policy" "break_glass" {
  # checkov:skip=CKV_AWS_40:there is one user, and no group of one
  name   = "archive"
  user   = aws_iam_user.break_glass.name
  policy = data.aws_iam_policy_document.break_glass_user.json
}
