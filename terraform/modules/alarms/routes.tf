resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = "payops-alarms-${each.value.team}"
  region            = each.value.region
  kms_master_key_id = each.value.region == null ? var.kms_key_arn : var.region_kms_key_arns[each.value.region]
}

data "aws_iam_policy_document" "topic" {
  for_each = local.topics

  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn    = aws_sns_topic.this[each.key].arn
  region = each.value.region
  policy = data.aws_iam_policy_document.topic[each.key].json
}

data "aws_iam_policy_document" "chatbot_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["chatbot.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

# The channel shows alarms and charts; it runs no commands.
data "aws_iam_policy_document" "chatbot" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  statement {
    actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics"]
    resources = ["*"] # CloudWatch answers these on no resource.
  }
}

resource "aws_iam_role" "chatbot" {
  name                 = "payops-alarms-chatbot"
  assume_role_policy   = data.aws_iam_policy_document.chatbot_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "chatbot" {
  name   = "show"
  role   = aws_iam_role.chatbot.id
  policy = data.aws_iam_policy_document.chatbot.json
}

resource "aws_iam_policy" "guardrail" {
  name        = "payops-alarms-chatbot-guardrail"
  description = "The most that a Slack channel may do"
  policy      = data.aws_iam_policy_document.chatbot.json
}

resource "aws_chatbot_slack_channel_configuration" "this" {
  for_each = var.teams

  configuration_name          = "payops-${var.env}-${each.key}"
  slack_team_id               = var.slack_workspace
  slack_channel_id            = each.value.slack_channel
  iam_role_arn                = aws_iam_role.chatbot.arn
  guardrail_policy_arns       = [aws_iam_policy.guardrail.arn]
  logging_level               = "ERROR"
  user_authorization_required = true
  sns_topic_arns              = [for key, topic in local.topics : aws_sns_topic.this[key].arn if topic.team == each.key]
}
