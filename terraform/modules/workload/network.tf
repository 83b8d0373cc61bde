# The management account shares the gateway with the organization; it is found by its ASN, so no account reads another's state.
data "aws_ec2_transit_gateway" "shared" {
  filter {
    name   = "options.amazon-side-asn"
    values = [tostring(module.names.transit_gateway_asn)]
  }
  filter {
    name   = "owner-id"
    values = [local.management.id]
  }
  filter {
    name   = "state"
    values = ["available"]
  }
}

module "network" {
  source = "../network"

  name                 = local.name
  account_id           = local.account.id
  cidr                 = local.account.cidr
  organization_id      = module.names.organization_id
  kms_key_arn          = module.key.arn
  log_days             = var.log_days
  permissions_boundary = module.boundary.arn
  transit = {
    gateway_id = data.aws_ec2_transit_gateway.shared.id
    cidrs      = [local.management.cidr]
  }
}

module "edge" {
  source = "../edge"

  domain                    = local.names.domain
  edge_region               = local.regions.edge
  public_name               = local.names.public_load_balancer
  internal_name             = local.names.internal_load_balancer
  vpc_id                    = module.network.vpc_id
  public_subnet_ids         = module.network.public_subnet_ids
  private_subnet_ids        = module.network.private_subnet_ids
  internal_cidrs            = [local.management.cidr, local.account.cidr]
  cluster_security_group_id = module.cluster.security_group_id
  cluster_name              = module.cluster.name
  assets_domain_name        = module.assets.domain_name
  log_bucket                = module.logs.id
  kms_key_arn               = module.key.arn
  edge_kms_key_arn          = module.edge_key.arn
  log_days                  = var.log_days
  requests_per_5_minutes    = var.requests_per_5_minutes
}

