module "service_policies" {
  source = "../service-policies"

  region          = local.regions.home
  table_arn       = module.table.arn
  api_key_prefix  = module.names.table.api_key_prefix
  archive_arn     = module.archive.arn
  bus_arn         = module.bus.arn
  queues          = { for key, queue in module.queues : key => { arn = queue.arn, dead_arn = queue.dead_arn, parking_arn = queue.parking_arn } }
  mail_arns       = [module.mail.identity_arn, module.mail.configuration_set_arn]
  secrets         = { for name, secret in module.names.secrets : name => { arn = module.secrets.arns[name], readers = secret.readers } }
  secrets_key_arn = module.secrets_key.arn
  data_key_arn    = module.key.arn
}

module "service_role" {
  source = "../pod-role"
  # Jobs have a service account, and so a role, of their own.
  for_each = merge(
    { for name, service in module.names.services : name => { namespace = service.namespace, service_account = service.service_account } },
    { for name, job in module.names.jobs : name => { namespace = job.namespace, service_account = name } },
  )

  name                 = "${local.name}-${each.key}"
  account_id           = local.account.id
  cluster_name         = module.cluster.name
  cluster_arn          = module.cluster.arn
  namespace            = each.value.namespace
  service_account      = each.value.service_account
  policy               = module.service_policies.policies[each.key]
  permissions_boundary = module.boundary.arn
}
