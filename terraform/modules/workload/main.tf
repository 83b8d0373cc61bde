# One workload account: test, preprod and prod are this module with different sizes.
module "names" {
  source = "../names"
  env    = var.env
}

locals {
  project = module.names.project
  name    = "${local.project}-${var.env}"
  names   = module.names.names
  account = module.names.account
  regions = module.names.regions

  management  = module.names.accounts["management"]
  role_prefix = "arn:aws:iam::${local.account.id}:role"
  role_arns   = { for key, name in module.names.roles : key => "${local.role_prefix}/${name}" }
  is_prod     = var.env == "prod"

  sso_role = "${local.role_prefix}/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO"
}

module "boundary" {
  source = "../boundary"
}

module "key" {
  source = "../key"

  name        = "${local.name}-data"
  description = "Data of ${var.env}: table, queues, archive, ledger, index, logs"
  tables      = true
  logs        = true
  services    = ["events.amazonaws.com", "cloudwatch.amazonaws.com", "cloudfront.amazonaws.com", "delivery.logs.amazonaws.com"]
}

module "secrets_key" {
  source = "../key"

  name        = "${local.name}-secrets"
  description = "Secrets of ${var.env}"
}

# Keys do not leave their region: copies for disaster recovery have one there, topics of CloudFront's alarms have one at the edge.
module "replica_key" {
  source = "../key"

  name        = "${local.name}-replica"
  description = "Copies of ${var.env} for disaster recovery"
  region      = local.regions.replica
}

module "edge_key" {
  source = "../key"

  name        = "${local.name}-edge"
  description = "Alarms and logs of ${var.env} about CloudFront"
  region      = local.regions.edge
  logs        = true
  services    = ["cloudwatch.amazonaws.com"]
}

module "baseline" {
  source = "../baseline"

  account_id           = local.account.id
  kms_key_arn          = module.key.arn
  config_bucket        = module.names.names_by_account["management"].logs_bucket
  permissions_boundary = module.boundary.arn
  config_rules = {
    s3-logging   = { identifier = "S3_BUCKET_LOGGING_ENABLED" }
    s3-lifecycle = { identifier = "S3_LIFECYCLE_POLICY_CHECK" }
    s3-kms       = { identifier = "S3_DEFAULT_ENCRYPTION_KMS" }
  }
}
