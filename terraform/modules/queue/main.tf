locals {
  # SQS refuses a mapping whose function may run longer than the queue hides a message; AWS advises six times.
  visibility_seconds = 6 * var.consumer_timeout_seconds + var.batching_window_seconds
  day                = 24 * 60 * 60

  # Rules of EventBridge that may send here, by ARN.
  senders = var.sender_rule_arns
}

# Dead letters keep for the longest time there is: their clock runs from the first send.
resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}${var.suffixes.dead}"
  message_retention_seconds = 14 * local.day
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue" "parking" {
  name                      = "${var.name}${var.suffixes.parking}"
  message_retention_seconds = 14 * local.day
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  message_retention_seconds  = 4 * local.day
  visibility_timeout_seconds = local.visibility_seconds
  receive_wait_time_seconds  = 20
  kms_master_key_id          = var.kms_key_arn

  # Twice the consumer's own limit: it sends dead letters itself, with the reason, and this catches what no consumer lived to judge.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 2 * var.consumer_limit
  })
}

# Only this queue's messages die here; a source or parking queue is nobody's dead-letter queue.
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "none" {
  for_each = { source = aws_sqs_queue.this.id, parking = aws_sqs_queue.parking.id }

  queue_url            = each.value
  redrive_allow_policy = jsonencode({ redrivePermission = "denyAll" })
}

data "aws_iam_policy_document" "tls" {
  for_each = { source = aws_sqs_queue.this.arn, dead = aws_sqs_queue.dead.arn, parking = aws_sqs_queue.parking.arn }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "source" && length(local.senders) > 0 ? [1] : []

    content {
      sid       = "Rules"
      actions   = ["sqs:SendMessage"]
      resources = [each.value]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = local.senders
      }
    }
  }

  # Events that EventBridge could not deliver.
  dynamic "statement" {
    for_each = each.key == "dead" && length(local.senders) > 0 ? [1] : []

    content {
      sid       = "UndeliveredEvents"
      actions   = ["sqs:SendMessage"]
      resources = [each.value]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = local.senders
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = { source = aws_sqs_queue.this.id, dead = aws_sqs_queue.dead.id, parking = aws_sqs_queue.parking.id }

  queue_url = each.value
  policy    = data.aws_iam_policy_document.tls[each.key].json
}
