locals {
  events_arn = "arn:aws:events:${local.regions.home}:${local.account.id}"

  # Which rules lead to a queue, by the names that the bus gives them: a queue's policy names its rules before they are made.
  rule_arns = { for queue in keys(module.names.queues) : queue => concat(
    contains(keys(module.names.events), queue) ? ["${local.events_arn}:rule/${local.names.bus}/${module.names.queue_names[queue]}"] : [],
    queue == "payments-work" ? ["${local.events_arn}:rule/${module.names.queue_names[queue]}"] : [],
  ) }

  # Nobody ends a retention but one user with a second factor.
  archive_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, condition in {
      OnlyBreakGlassEndsRetention        = { ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::${local.account.id}:user/break-glass" } }
      OnlyWithASecondFactorEndsRetention = { BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }
      } : {
      Sid       = sid
      Effect    = "Deny"
      Principal = "*"
      Action = [
        "s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketVersioning", "s3:DeleteBucket", "s3:PutLifecycleConfiguration",
      ]
      Resource  = ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]
      Condition = condition
    }]
  })

  # Log deliveries sign as services, for this account.
  log_delivery_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for service, prefix in { "logdelivery.elasticloadbalancing.amazonaws.com" = "alb", "logging.s3.amazonaws.com" = "s3" } : {
      Sid       = "Deliver${prefix}"
      Effect    = "Allow"
      Principal = { Service = service }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::{bucket}/${prefix}/*"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account.id } }
    }]
  })

  assets_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CloudFront"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::{bucket}/*"
      Condition = { StringEquals = { "aws:SourceArn" = module.edge.distribution_arn } }
    }]
  })
}

module "table" {
  source = "../table"

  name                = local.names.table
  table               = module.names.table
  kms_key_arn         = module.key.arn
  deletion_protection = var.deletion_protection
}

module "archive" {
  source = "../bucket"

  name                 = local.names.archive_bucket
  kms_key_arn          = module.key.arn
  replica              = { name = local.names.archive_replica_bucket, region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  object_lock          = { mode = "GOVERNANCE", days = var.archive_lock_days }
  policies             = [local.archive_policy]
  log_bucket           = module.logs.id
  transition_days      = 90
  noncurrent_days      = var.archive_lock_days + 1
  permissions_boundary = module.boundary.arn
}

module "assets" {
  source = "../bucket"

  name                 = local.names.assets_bucket
  kms_key_arn          = module.key.arn
  replica              = { name = "${local.names.assets_bucket}-replica", region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  policies             = [local.assets_policy]
  log_bucket           = module.logs.id
  permissions_boundary = module.boundary.arn
}

module "artifacts" {
  source = "../bucket"

  name                 = local.names.artifacts_bucket
  kms_key_arn          = module.key.arn
  replica              = { name = "${local.names.artifacts_bucket}-replica", region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  log_bucket           = module.logs.id
  permissions_boundary = module.boundary.arn
}

module "logs" {
  source = "../bucket"

  name                 = local.names.logs_bucket
  replica              = { name = "${local.names.logs_bucket}-replica", region = local.regions.replica }
  policies             = [local.log_delivery_policy]
  expiration_days      = 400
  permissions_boundary = module.boundary.arn
}

# That deliveries arrive is a metric of the bucket, by prefix.
resource "aws_s3_bucket_metric" "alb" {
  bucket = module.logs.id
  name   = "alb"

  filter {
    prefix = "alb/"
  }
}

module "queues" {
  source   = "../queue"
  for_each = module.names.queues

  name             = module.names.queue_names[each.key]
  suffixes         = module.names.queue_suffixes
  kms_key_arn      = module.key.arn
  consumer_limit   = each.value.consumer_limit
  sender_rule_arns = local.rule_arns[each.key]
}

module "bus" {
  source = "../bus"

  name        = local.names.bus
  kms_key_arn = module.key.arn
  source_name = module.names.source
  events      = module.names.events
  archive     = { bucket = local.names.archive_bucket, queue = "payments-work" }
  queues      = { for key, queue in module.queues : key => { name = queue.name, arn = queue.arn, dead_arn = queue.dead_arn } }
  audit = {
    bus         = local.names.audit_bus
    log_group   = local.names.audit_log_group
    source      = module.names.audit.source
    detail_type = module.names.audit.detail_type
    days        = 400
  }
}

module "ledger" {
  source = "../ledger"

  name                = local.names.ledger
  replica_name        = local.names.ledger_replica
  account_id          = local.account.id
  database            = module.names.ledger_database
  engine_version      = module.names.versions.postgres
  instance_class      = var.ledger.instance_class
  multi_az            = var.ledger.multi_az
  storage_gb          = var.ledger.storage_gb
  storage_max_gb      = var.ledger.storage_max_gb
  vpc_id              = module.network.vpc_id
  vpc_cidr            = local.account.cidr
  subnet_ids          = module.network.data_subnet_ids
  rotation_subnet_ids = module.network.private_subnet_ids
  client_security_groups = {
    cluster  = module.cluster.security_group_id
    logins   = module.ledger_logins.security_group_id
    restores = module.backup.validation_security_group_id
  }
  client_cidrs         = [local.management.cidr]
  kms_key_arn          = module.key.arn
  secrets_key_arn      = module.secrets_key.arn
  master_secret_name   = "${local.names.secret_prefix}ledger-master"
  copy                 = { region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  log_days             = var.log_days
  deletion_protection  = var.deletion_protection
  permissions_boundary = module.boundary.arn
}

module "search" {
  source = "../search"

  name                   = local.names.search_domain
  account_id             = local.account.id
  engine_version         = module.names.versions.opensearch
  instance_type          = var.search.instance_type
  instance_count         = var.search.instance_count
  master_type            = var.search.master_type
  volume_gb              = var.search.volume_gb
  endpoint               = { name = "search.internal.${local.names.domain}", zone_id = module.edge.zone_id, certificate_arn = module.edge.certificate_arn }
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.data_subnet_ids
  client_security_groups = { cluster = module.cluster.security_group_id }
  client_cidrs           = [local.management.cidr]
  kms_key_arn            = module.key.arn
  log_days               = var.log_days
}

module "mail" {
  source = "../mail"

  name        = local.name
  account_id  = local.account.id
  domain      = local.names.domain
  kms_key_arn = module.key.arn
  log_days    = var.log_days
}

module "secrets" {
  source = "../secrets"

  env             = var.env
  account_id      = local.account.id
  prefix          = local.names.secret_prefix
  secrets         = { for name, secret in module.names.secrets : name => secret.what }
  kms_key_arn     = module.secrets_key.arn
  replica         = { region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  sops_alias      = local.names.sops_key_alias
  sops_principals = [for set in local.is_prod ? ["break-glass"] : ["break-glass", "deployer", "operator"] : "${local.sso_role}_${set}_*"]
  audit_alias     = local.names.audit_key_alias
  audit_role_arns = [local.role_arns["view"], local.role_arns["operate"], local.role_arns["break-glass"]]
}

module "ledger_logins" {
  source = "../ledger-logins"

  name       = "${local.name}-ledger-logins"
  account_id = local.account.id
  region     = local.regions.home
  # Who only reads asks the replica.
  logins = { for name, secret in module.names.secrets : "${local.names.secret_prefix}${name}" => {
    secret_arn = module.secrets.arns[name]
    role       = secret.ledger_role
    host       = module.ledger.addresses[secret.ledger_role == "payops_reader" ? "replica" : "main"]
  } if secret.ledger_role != null }
  master_secret_arn          = module.ledger.master_secret_arn
  secrets_key_arn            = module.secrets_key.arn
  vpc_id                     = module.network.vpc_id
  subnet_ids                 = module.network.private_subnet_ids
  database_security_group_id = module.ledger.security_group_id
  kms_key_arn                = module.key.arn
  log_days                   = var.log_days
  permissions_boundary       = module.boundary.arn
}

module "backup" {
  source = "../backup"

  name        = local.names.backup_vault
  account_id  = local.account.id
  kms_key_arn = module.key.arn
  copy        = { region = local.regions.replica, kms_key_arn = module.replica_key.arn }
  region      = local.regions.home
  table       = { arn = module.table.arn, key_arn = module.key.arn }
  ledger = {
    arn               = module.ledger.arn
    subnet_group      = module.ledger.subnet_group
    security_group_id = module.ledger.security_group_id
    master_secret_arn = module.ledger.master_secret_arn
    secrets_key_arn   = module.secrets_key.arn
  }
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  log_days             = var.log_days
  permissions_boundary = module.boundary.arn
}
