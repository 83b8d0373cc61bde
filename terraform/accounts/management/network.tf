module "network" {
  source = "../../modules/network"

  name                 = local.names.cluster
  account_id           = local.account.id
  cidr                 = local.account.cidr
  organization_id      = module.names.organization_id
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn
  transit = {
    gateway_id = module.transit.id
    cidrs      = [for account in local.workloads : account.cidr]
  }
}

module "transit" {
  source = "../../modules/transit-hub"

  name                     = module.names.project
  asn                      = module.names.transit_gateway_asn
  organization_arn         = module.organization.arn
  management_attachment_id = module.network.transit_attachment_id
  workload_attachment_ids  = var.workload_attachment_ids
}

module "vpn" {
  source = "../../modules/vpn"

  name                 = "payops-vpn"
  region               = local.regions.home
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  routes               = [for account in module.names.accounts : account.cidr]
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn
}

module "runners" {
  source = "../../modules/runners"

  name                 = "payops-runners"
  account_id           = local.account.id
  region               = local.regions.home
  repository           = module.names.github.repository
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn
}
