data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region

  # Two rules may lead to one queue: ours on the bus, and S3's on the account's own bus, where its events come.
  rules = merge(
    { for queue, types in var.events : "own-${queue}" => {
      queue   = queue, bus = aws_cloudwatch_event_bus.this.name
      pattern = jsonencode({ source = [var.source_name], detail-type = sort(types) })
    } },
    { "archive-${var.archive.queue}" = {
      queue = var.archive.queue, bus = "default"
      pattern = jsonencode({
        source = ["aws.s3"], detail-type = ["Object Created"]
        detail = { bucket = { name = [var.archive.bucket] } }
      })
    } },
  )
}

resource "aws_cloudwatch_event_bus" "this" {
  name               = var.name
  kms_key_identifier = var.kms_key_arn
}

# Every event of the last days can be replayed.
resource "aws_cloudwatch_event_archive" "this" {
  name             = var.name
  event_source_arn = aws_cloudwatch_event_bus.this.arn
  retention_days   = var.archive_days
  event_pattern    = jsonencode({ source = [var.source_name] })
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name           = var.queues[each.value.queue].name
  description    = "Leads to the queue ${each.value.queue}"
  event_bus_name = each.value.bus
  event_pattern  = each.value.pattern
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule           = aws_cloudwatch_event_rule.this[each.key].name
  event_bus_name = each.value.bus
  target_id      = each.value.queue
  arn            = var.queues[each.value.queue].arn

  dead_letter_config {
    arn = var.queues[each.value.queue].dead_arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }
}

# Only this account's own principals put events here.
data "aws_iam_policy_document" "bus" {
  statement {
    sid       = "OwnAccount"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.this.arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account}:root"]
    }
  }
}

resource "aws_cloudwatch_event_bus_policy" "this" {
  event_bus_name = aws_cloudwatch_event_bus.this.name
  policy         = data.aws_iam_policy_document.bus.json
}
