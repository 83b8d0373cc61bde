data "aws_region" "current" {}

data "aws_iam_policy_document" "view" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  statement {
    sid       = "ReadTable"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:DescribeTable"]
    resources = [var.table_arn]
  }

  # SQS lists queues on no resource of its own.
  statement {
    sid       = "ListQueues"
    actions   = ["sqs:ListQueues"]
    resources = ["*"]
  }

  statement {
    sid       = "CountQueues"
    actions   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    resources = concat(var.queue_arns.source, var.queue_arns.dead, var.queue_arns.parking)
  }

  # Looking at a dead letter is receiving it and showing it again. Looking at a source queue would take work from its consumer.
  statement {
    sid       = "LookAtDeadLetters"
    actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:ListMessageMoveTasks"]
    resources = var.queue_arns.dead
  }

  statement {
    sid       = "ReadArchive"
    actions   = ["s3:GetObject"]
    resources = ["${var.archive_arn}/*"]
  }

  statement {
    sid       = "ListArchive"
    actions   = ["s3:ListBucket"]
    resources = [var.archive_arn]
  }

  statement {
    sid       = "SeeBus"
    actions   = ["events:DescribeEventBus"]
    resources = [var.bus_arn, var.audit.bus_arn]
  }

  statement {
    sid       = "ShipAudit"
    actions   = ["events:PutEvents"]
    resources = [var.audit.bus_arn]

    # A call carries several events: every one of them must be a line of the record, and there must be one.
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "events:source"
      values   = [var.audit.source]
    }
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "events:detail-type"
      values   = [var.audit.detail_type]
    }
    condition {
      test     = "Null"
      variable = "events:source"
      values   = ["false"]
    }
  }

  statement {
    sid       = "ReadAudit"
    actions   = ["logs:FilterLogEvents", "logs:StartQuery"]
    resources = ["${var.audit.log_group_arn}:*"]
  }

  statement {
    sid       = "SignAudit"
    actions   = ["kms:GenerateMac", "kms:VerifyMac"]
    resources = [var.audit.key_arn]
  }

  # The user that reads, of the ledger's replica; no other secret.
  statement {
    sid       = "LedgerUrl"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [var.ledger_secret_arn]
  }

  statement {
    sid       = "DecryptSecret"
    actions   = ["kms:Decrypt"]
    resources = [var.secrets_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.current.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "DecryptData"
    actions   = ["kms:Decrypt"]
    resources = [var.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["sqs", "s3"] : "${service}.${data.aws_region.current.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "Cluster"
    actions   = ["eks:DescribeCluster"]
    resources = [var.cluster_arn]
  }

  # CloudWatch answers about metrics, composite alarms and running queries on all of them alone.
  statement {
    sid = "Signals"
    actions = ["cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics",
    "logs:GetQueryResults", "logs:StopQuery"]
    resources = ["*"]
  }

  statement {
    sid       = "Canary"
    actions   = ["lambda:GetAlias", "lambda:ListVersionsByFunction"]
    resources = [var.worker.function_arn, "${var.worker.function_arn}:*"]
  }

  statement {
    sid       = "Deployment"
    actions   = ["codedeploy:GetDeployment", "codedeploy:ListDeployments"]
    resources = [var.worker.deployment_group_arn]
  }
}

data "aws_iam_policy_document" "operate" {
  # A transaction needs the actions of its items; conditions on items that it changes need no more.
  statement {
    sid       = "WriteTable"
    actions   = ["dynamodb:PutItem"]
    resources = [var.table_arn]
  }

  # A freeze is lifted. Payments, their history and approvals stay.
  statement {
    sid       = "LiftFreeze"
    actions   = ["dynamodb:DeleteItem"]
    resources = [var.table_arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = [var.freeze_key]
    }
    condition {
      test     = "Null"
      variable = "dynamodb:LeadingKeys"
      values   = ["false"]
    }
  }

  # An approval is an item under the approver's own name. "/" is in no name: a session without a source identity approves nothing.
  statement {
    sid    = "ApproveUnderOnesOwnName"
    effect = "Deny"
    actions = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"]
    resources = [var.table_arn]

    condition {
      test     = "ForAnyValue:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.approval_prefix}*"]
    }
    condition {
      test     = "ForAnyValue:StringNotEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.approval_prefix}&{aws:SourceIdentity, '/'}"]
    }
  }

  # A new API key is a merchant's way in.
  statement {
    sid    = "NoKeys"
    effect = "Deny"
    actions = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"]
    resources = [var.table_arn]

    condition {
      test     = "ForAnyValue:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.api_key_prefix}*"]
    }
    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::${var.account_id}:role/${var.role_names["break-glass"]}"]
    }
  }

  statement {
    sid       = "SendBack"
    actions   = ["sqs:SendMessage"]
    resources = concat(var.queue_arns.source, var.queue_arns.parking)
  }

  statement {
    sid       = "MoveDeadLetters"
    actions   = ["sqs:DeleteMessage", "sqs:StartMessageMoveTask", "sqs:CancelMessageMoveTask"]
    resources = var.queue_arns.dead
  }

  statement {
    sid       = "LookAtParked"
    actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"]
    resources = var.queue_arns.parking
  }

  statement {
    sid       = "EncryptMessages"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${data.aws_region.current.region}.amazonaws.com"]
    }
  }

  statement {
    # A mute rule has a name that whoever makes it chooses, and names the alarms that it mutes.
    sid       = "MuteAlarms"
    actions   = ["cloudwatch:PutAlarmMuteRule", "cloudwatch:DeleteAlarmMuteRule"]
    resources = ["*"]
  }

  # CodeDeploy knows no resource for this call; there is one application in the account.
  statement {
    sid       = "StopCanary"
    actions   = ["codedeploy:StopDeployment"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "break_glass" {
  statement {
    sid       = "LookAtSources"
    actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"]
    resources = var.queue_arns.source
  }

  dynamic "statement" {
    for_each = var.may_purge ? [1] : []

    content {
      sid       = "Purge"
      actions   = ["sqs:PurgeQueue"]
      resources = concat(var.queue_arns.source, var.queue_arns.dead, var.queue_arns.parking)
    }
  }
}
