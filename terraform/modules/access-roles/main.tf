# The roles that payops assumes: view, operate, break-glass. Each person comes from a permission set of Identity Center in this
# account and must take the name that Identity Center knows as source identity.
locals {
  root = "arn:aws:iam::${var.account_id}:root"

  # Which permission sets lead to which role.
  callers = {
    view        = ["viewer", "operator", "deployer", "break-glass"]
    operate     = ["operator", "break-glass"]
    break-glass = ["break-glass"]
  }
  policies = {
    view        = [data.aws_iam_policy_document.view.json]
    operate     = [data.aws_iam_policy_document.view.json, data.aws_iam_policy_document.operate.json]
    break-glass = [data.aws_iam_policy_document.view.json, data.aws_iam_policy_document.operate.json, data.aws_iam_policy_document.break_glass.json]
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.callers

  # Under one's own name, or not at all. No second factor is asked for here: sessions of Identity Center carry no key that says
  # so; it is always asked for where they begin.
  statement {
    sid     = "UnderOnesOwnName"
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]

    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = [for set in each.value : "arn:aws:iam::${var.account_id}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_${set}_*"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:SourceIdentity"
      values   = ["&{aws:PrincipalTag/UserName}"]
    }
  }

  statement {
    sid     = "Tags"
    actions = ["sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = [for set in each.value : "arn:aws:iam::${var.account_id}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_${set}_*"]
    }
    condition {
      test     = "ForAllValues:StringLike"
      variable = "aws:TagKeys"
      values   = ["payops:*"]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.callers

  name        = var.role_names[each.key]
  description = "payops assumes it for the duty ${each.key}"
  # A role that assumes another gets an hour at most, whatever stands here; payops asks for less.
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
}

data "aws_iam_policy_document" "this" {
  for_each = local.policies

  source_policy_documents = each.value
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = "duty"
  role   = aws_iam_role.this[each.key].id
  policy = data.aws_iam_policy_document.this[each.key].minified_json
}
