# Lines of the audit record go to a bus of their own, and from there to a log group that no role of people or services may delete.
resource "aws_cloudwatch_event_bus" "audit" {
  count = var.audit == null ? 0 : 1

  name               = var.audit.bus
  kms_key_identifier = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "audit" {
  count = var.audit == null ? 0 : 1

  name              = var.audit.log_group
  retention_in_days = var.audit.days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_event_archive" "audit" {
  count = var.audit == null ? 0 : 1

  name             = var.audit.bus
  event_source_arn = aws_cloudwatch_event_bus.audit[0].arn
}

resource "aws_cloudwatch_event_rule" "audit" {
  count = var.audit == null ? 0 : 1

  name           = var.audit.log_group
  description    = "Lines of the audit record, to a log group"
  event_bus_name = aws_cloudwatch_event_bus.audit[0].name
  event_pattern  = jsonencode({ source = [var.audit.source], detail-type = [var.audit.detail_type] })
}

resource "aws_cloudwatch_event_target" "audit" {
  count = var.audit == null ? 0 : 1

  rule           = aws_cloudwatch_event_rule.audit[0].name
  event_bus_name = aws_cloudwatch_event_bus.audit[0].name
  target_id      = "log-group"
  arn            = aws_cloudwatch_log_group.audit[0].arn
}

data "aws_iam_policy_document" "audit_logs" {
  count = var.audit == null ? 0 : 1

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.region}:${local.account}:log-group:${var.audit.log_group}:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "audit" {
  count = var.audit == null ? 0 : 1

  policy_name     = var.audit.log_group
  policy_document = data.aws_iam_policy_document.audit_logs[0].json
}
