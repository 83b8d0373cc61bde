# What a pull request's environment needs of AWS, in the test account, named after it. Its pods run in the test cluster.
# platform-check: known module.bus.aws_cloudwatch_event_target.this["archive-payments-work"] two rules lead to this queue
module "names" {
  source = "../modules/names"
  env    = "pr-${var.number}"
}

module "test" {
  source = "../modules/names"
  env    = "test"
}

locals {
  names      = module.names.names
  account    = module.names.account
  region     = module.names.regions.home
  cluster    = module.test.names.cluster
  events_arn = "arn:aws:events:${local.region}:${local.account.id}"
  rule_arns = { for queue in keys(module.names.queues) : queue => concat(
    ["${local.events_arn}:rule/${local.names.bus}/${module.names.queue_names[queue]}"],
    queue == "payments-work" ? ["${local.events_arn}:rule/${module.names.queue_names[queue]}"] : [],
  ) }
}

data "aws_kms_alias" "data" {
  name = "alias/payops-test-data"
}

data "aws_kms_alias" "secrets" {
  name = "alias/payops-test-secrets"
}

module "table" {
  source = "../modules/table"

  name                = local.names.table
  table               = module.names.table
  kms_key_arn         = data.aws_kms_alias.data.target_key_arn
  recovery_days       = 1
  deletion_protection = false
  backup              = false
}

module "archive" {
  source = "../modules/bucket"

  name                 = local.names.archive_bucket
  kms_key_arn          = data.aws_kms_alias.data.target_key_arn
  expiration_days      = 7
  noncurrent_days      = 1
  force_destroy        = true
  permissions_boundary = "arn:aws:iam::${local.account.id}:policy/payops-boundary"
}

module "queues" {
  source   = "../modules/queue"
  for_each = module.names.queues

  name             = module.names.queue_names[each.key]
  suffixes         = module.names.queue_suffixes
  kms_key_arn      = data.aws_kms_alias.data.target_key_arn
  consumer_limit   = each.value.consumer_limit
  sender_rule_arns = local.rule_arns[each.key]
}

module "bus" {
  source = "../modules/bus"

  name         = local.names.bus
  kms_key_arn  = data.aws_kms_alias.data.target_key_arn
  source_name  = module.names.source
  events       = module.names.events
  archive      = { bucket = local.names.archive_bucket, queue = "payments-work" }
  queues       = { for key, queue in module.queues : key => { name = queue.name, arn = queue.arn, dead_arn = queue.dead_arn } }
  archive_days = 1
}

# Secrets are those of test: a pull request has no provider of its own.
module "service_policies" {
  source = "../modules/service-policies"

  region          = local.region
  table_arn       = module.table.arn
  api_key_prefix  = module.names.table.api_key_prefix
  archive_arn     = module.archive.arn
  bus_arn         = module.bus.arn
  queues          = { for key, queue in module.queues : key => { arn = queue.arn, dead_arn = queue.dead_arn, parking_arn = queue.parking_arn } }
  mail_arns       = ["arn:aws:ses:${local.region}:${local.account.id}:identity/${module.test.names.domain}", "arn:aws:ses:${local.region}:${local.account.id}:configuration-set/payops-test"]
  secrets_key_arn = data.aws_kms_alias.secrets.target_key_arn
  data_key_arn    = data.aws_kms_alias.data.target_key_arn
  secrets = { for name, secret in module.names.secrets : name => {
    arn     = "arn:aws:secretsmanager:${local.region}:${local.account.id}:secret:${module.test.names.secret_prefix}${name}-??????"
    readers = secret.readers
  } }
}

module "service_role" {
  source   = "../modules/pod-role"
  for_each = merge({ for name, service in module.names.services : name => service.service_account }, { for job in keys(module.names.jobs) : job => job })

  name                 = "payops-pr-${var.number}-${each.key}"
  account_id           = local.account.id
  cluster_name         = local.cluster
  cluster_arn          = "arn:aws:eks:${local.region}:${local.account.id}:cluster/${local.cluster}"
  namespace            = "pr-${var.number}"
  service_account      = each.value
  policy               = module.service_policies.policies[each.key]
  permissions_boundary = "arn:aws:iam::${local.account.id}:policy/payops-boundary"
}
