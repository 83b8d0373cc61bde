# What each service may do, from the calls that its code makes: adapters/aws.
locals {
  # Statements that several services have.
  parts = {
    table_read  = { actions = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"], resources = [var.table_arn, "${var.table_arn}/index/*"] }
    table_write = { actions = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"], resources = [var.table_arn] }
    put_events  = { actions = ["events:PutEvents"], resources = [var.bus_arn] }
  }
  consume = { for key, queue in var.queues : key => {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    resources = [queue.arn]
  } }
  # A consumer sends dead letters itself, with the reason.
  give_up = { for key, queue in var.queues : key => { actions = ["sqs:SendMessage", "sqs:GetQueueUrl"], resources = [queue.dead_arn] } }

  statements = {
    payments-api = {
      ReadTable   = local.parts.table_read
      WriteTable  = local.parts.table_write
      Archive     = { actions = ["s3:PutObject", "s3:GetObject"], resources = ["${var.archive_arn}/*"] }
      ListArchive = { actions = ["s3:ListBucket"], resources = [var.archive_arn] }
      PutEvents   = local.parts.put_events
      Redrive     = { actions = ["sqs:SendMessage", "sqs:GetQueueUrl"], resources = [var.queues["payments-work"].arn] }
      Consume     = local.consume["projections"]
      GiveUp      = local.give_up["projections"]
    }
    payments-worker = {
      ReadTable   = local.parts.table_read
      WriteTable  = local.parts.table_write
      ReadArchive = { actions = ["s3:GetObject"], resources = ["${var.archive_arn}/*"] }
      ListArchive = { actions = ["s3:ListBucket"], resources = [var.archive_arn] }
      PutEvents   = local.parts.put_events
      Consume     = local.consume["payments-work"]
      GiveUp      = local.give_up["payments-work"]
    }
    notifier = {
      ReadTable  = local.parts.table_read
      WriteTable = local.parts.table_write
      Consume    = local.consume["notifications"]
      GiveUp     = local.give_up["notifications"]
      Mail       = { actions = ["ses:SendEmail"], resources = var.mail_arns }
    }
    payments-web = {}
    # It changes the ledger's schema, and nothing of AWS.
    payments-api-migrate = {}
    admin = {
      ReadTable   = local.parts.table_read
      CountQueues = { actions = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], resources = flatten([for queue in var.queues : [queue.arn, queue.dead_arn, queue.parking_arn]]) }
      LookAtDead  = { actions = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"], resources = [for queue in var.queues : queue.dead_arn] }
    }
  }
  service_secrets = { for service in keys(local.statements) : service => [
    for name, secret in var.secrets : secret.arn if contains(secret.readers, service)
  ] }
  # Services of AWS through which a service uses the data key.
  via = {
    payments-api         = ["sqs", "s3"]
    payments-api-migrate = []
    payments-worker      = ["sqs", "s3"]
    notifier             = ["sqs"]
    payments-web         = []
    admin                = ["sqs"]
  }
}

data "aws_iam_policy_document" "service" {
  for_each = local.statements

  dynamic "statement" {
    for_each = each.value

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  dynamic "statement" {
    for_each = length(local.service_secrets[each.key]) == 0 ? [] : [1]

    content {
      sid       = "OwnSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = local.service_secrets[each.key]
    }
  }

  dynamic "statement" {
    for_each = length(local.service_secrets[each.key]) == 0 ? [] : [1]

    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = [var.secrets_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.region}.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.via[each.key]) == 0 ? [] : [1]

    content {
      sid       = "DataKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.data_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in local.via[each.key] : "${service}.${var.region}.amazonaws.com"]
      }
    }
  }

  # No service gives approvals in a person's name, ends a freeze, or makes keys.
  dynamic "statement" {
    for_each = contains(keys(each.value), "WriteTable") ? [1] : []

    content {
      sid       = "NotOperations"
      effect    = "Deny"
      actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]
      resources = [var.table_arn]

      condition {
        test     = "ForAnyValue:StringLike"
        variable = "dynamodb:LeadingKeys"
        values   = ["OPS#*", "${var.api_key_prefix}*"]
      }
    }
  }
}
