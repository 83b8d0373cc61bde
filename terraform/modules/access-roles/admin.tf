# Admin Web signs people in at its identity provider, and gives each approval with a session of the approver: the token carries
# the name as source identity, so the provider vouches for it and not the pod.
resource "aws_iam_openid_connect_provider" "admin" {
  url            = var.admin.issuer
  client_id_list = [var.admin.client_id]
}

locals {
  admin_host = replace(var.admin.issuer, "https://", "")
}

data "aws_iam_policy_document" "admin_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.admin.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.admin_host}:aud"
      values   = [var.admin.client_id]
    }
    condition {
      test     = "StringLike"
      variable = "sts:SourceIdentity"
      values   = ["?*"]
    }
  }
}

resource "aws_iam_role" "admin_approve" {
  name                 = var.role_names["admin-approve"]
  description          = "Admin Web gives an approval in the approver's name"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.admin_trust.json
  permissions_boundary = var.permissions_boundary
}

data "aws_iam_policy_document" "admin_approve" {
  statement {
    sid       = "OwnApproval"
    actions   = ["dynamodb:PutItem", "dynamodb:GetItem"]
    resources = [var.table_arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.approval_prefix}&{aws:SourceIdentity, '/'}"]
    }
    condition {
      test     = "Null"
      variable = "dynamodb:LeadingKeys"
      values   = ["false"]
    }
  }
}

resource "aws_iam_role_policy" "admin_approve" {
  name   = "approve"
  role   = aws_iam_role.admin_approve.id
  policy = data.aws_iam_policy_document.admin_approve.json
}
