# The management account: the organization, people, shared network, Argo CD, and what is judged of all accounts.
# SCPs do not bind this account: every role of a service here has the boundary instead.
# platform-check: known module.alarms.aws_cloudwatch_event_target.this["guardduty"] a target's ARN is where it leads; several lead to one
module "names" {
  source = "../../modules/names"
  env    = "management"
}

locals {
  names     = module.names.names
  account   = module.names.account
  regions   = module.names.regions
  workloads = { for name, account in module.names.accounts : name => account if name != "management" }
}

module "boundary" {
  source = "../../modules/boundary"
}

module "key" {
  source = "../../modules/key"

  name        = "payops-management"
  description = "Logs, cluster, topics and secrets of the management account"
  logs        = true
  services    = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "delivery.logs.amazonaws.com"]
}

module "organization" {
  source = "../../modules/organization"

  accounts              = { for name, account in local.workloads : name => { email = account.email, unit = name == "prod" ? "production" : "nonproduction" } }
  production_account_id = module.names.accounts["prod"].id
  regions               = [local.regions.home, local.regions.replica]
}

module "identity_center" {
  source = "../../modules/identity-center"

  organization_id = module.names.organization_id
  role_names      = module.names.roles
  account_ids     = { for name, account in module.names.accounts : name => account.id }
  assignments     = var.assignments
}

module "trail" {
  source = "../../modules/trail"

  name                 = module.names.project
  account_id           = local.account.id
  organization_id      = module.names.organization_id
  region               = local.regions.home
  replica_region       = local.regions.replica
  bucket               = local.names.logs_bucket
  data_event_buckets   = [for name in keys(local.workloads) : module.names.names_by_account[name].archive_bucket]
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn
}

module "baseline" {
  source = "../../modules/baseline"

  account_id           = local.account.id
  kms_key_arn          = module.key.arn
  config_bucket        = module.trail.bucket
  permissions_boundary = module.boundary.arn
  config_rules         = { root-mfa = { identifier = "ROOT_ACCOUNT_MFA_ENABLED" } }
}

# With four accounts there is none for security alone, so this one administers the detectors of all.
resource "aws_guardduty_organization_admin_account" "this" {
  admin_account_id = local.account.id

  depends_on = [module.organization]
}

resource "aws_guardduty_organization_configuration" "this" {
  detector_id                      = module.baseline.detector_id
  auto_enable_organization_members = "ALL"

  depends_on = [aws_guardduty_organization_admin_account.this]
}

resource "aws_guardduty_organization_configuration_feature" "this" {
  for_each = toset(["S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS", "EBS_MALWARE_PROTECTION"])

  detector_id = module.baseline.detector_id
  name        = each.key
  auto_enable = "ALL"

  depends_on = [aws_guardduty_organization_configuration.this]
}

resource "aws_securityhub_account" "this" {
  enable_default_standards = true
}

resource "aws_securityhub_organization_admin_account" "this" {
  admin_account_id = local.account.id

  depends_on = [aws_securityhub_account.this, module.organization]
}

resource "aws_securityhub_organization_configuration" "this" {
  auto_enable           = true
  auto_enable_standards = "DEFAULT"

  depends_on = [aws_securityhub_organization_admin_account.this]
}
