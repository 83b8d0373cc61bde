# What each service may do, from the calls that its code makes: adapters/aws.
locals {
  # Statements that several services have.
  parts = {
    get_item    = { actions = ["dynamodb:GetItem"], resources = [var.table_arn] }
    query       = { actions = ["dynamodb:Query"], resources = [var.table_arn, "${var.table_arn}/index/*"] }
    transaction = { actions = ["dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [var.table_arn] }
    put_item    = { actions = ["dynamodb:PutItem"], resources = [var.table_arn] }
    outbox      = { actions = ["dynamodb:BatchWriteItem"], resources = [var.table_arn] }
    put_events  = { actions = ["events:PutEvents"], resources = [var.bus_arn] }
  }
  consume = { for key, queue in var.queues : key => {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"]
    resources = [queue.arn]
  } }
  # A consumer sends dead letters itself, with the reason.
  give_up = { for key, queue in var.queues : key => { actions = ["sqs:SendMessage", "sqs:GetQueueUrl"], resources = [queue.dead_arn] } }

  statements = {
    payments-api = {
      GetItem     = local.parts.get_item
      Query       = local.parts.query
      Compare     = { actions = ["dynamodb:BatchGetItem", "dynamodb:Scan"], resources = [var.table_arn] }
      WriteTable  = local.parts.transaction
      Outbox      = local.parts.outbox
      Archive     = { actions = ["s3:PutObject", "s3:GetObject"], resources = ["${var.archive_arn}/*"] }
      ListArchive = { actions = ["s3:ListBucket"], resources = [var.archive_arn] }
      PutEvents   = local.parts.put_events
      Redrive     = { actions = ["sqs:SendMessage", "sqs:GetQueueUrl"], resources = [var.queues["payments-work"].arn] }
      Consume     = local.consume["projections"]
      GiveUp      = local.give_up["projections"]
    }
    payments-worker = {
      GetItem     = local.parts.get_item
      WriteTable  = local.parts.put_item
      Outbox      = local.parts.outbox
      ReadArchive = { actions = ["s3:GetObject"], resources = ["${var.archive_arn}/*"] }
      ListArchive = { actions = ["s3:ListBucket"], resources = [var.archive_arn] }
      PutEvents   = local.parts.put_events
      Consume     = local.consume["payments-work"]
      # Lambda polls the queue as the function.
      Poll   = { actions = ["sqs:GetQueueAttributes"], resources = [var.queues["payments-work"].arn] }
      GiveUp = local.give_up["payments-work"]
      # A record that there was no time to begin is sent anew, so that the receive does not count.
      GiveBack = { actions = ["sqs:SendMessage"], resources = [var.queues["payments-work"].arn] }
    }
    notifier = {
      GetItem    = local.parts.get_item
      Query      = { actions = ["dynamodb:Query"], resources = [var.table_arn] }
      WriteTable = local.parts.transaction
      Consume    = local.consume["notifications"]
      GiveUp     = local.give_up["notifications"]
      Mail       = { actions = ["ses:SendEmail"], resources = var.mail_arns }
    }
    payments-web = {}
    # It changes the ledger's schema, and nothing of AWS.
    payments-api-migrate = {}
    admin = {
      GetItem     = { actions = ["dynamodb:GetItem", "dynamodb:BatchGetItem"], resources = [var.table_arn] }
      Query       = local.parts.query
      CountQueues = { actions = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], resources = flatten([for queue in var.queues : [queue.arn, queue.dead_arn, queue.parking_arn]]) }
      LookAtDead  = { actions = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"], resources = [for queue in var.queues : queue.dead_arn] }
    }
  }
  service_secrets = { for service in keys(local.statements) : service => [
    for name, secret in var.secrets : secret.arn if contains(secret.readers, service)
  ] }
  # Services of AWS through which a service uses the data key; one that writes there makes data keys.
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
      actions   = each.key == "admin" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"]
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
