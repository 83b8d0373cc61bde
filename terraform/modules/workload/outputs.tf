output "payops" {
  description = "What payops config import reads."
  value = {
    environment       = var.env
    account_id        = local.account.id
    region            = local.regions.home
    table             = module.table.name
    bucket            = module.archive.id
    bus               = module.bus.name
    audit_bus         = module.bus.audit_bus
    queue_prefix      = local.names.queue_prefix
    ledger_url_secret = module.secrets.names["ledger-url-readonly"]
    opensearch_url    = "https://${module.search.endpoint}"
    index             = module.names.search_alias
    api_url           = module.edge.internal_urls["api"]
    from_address      = "payments@${local.names.domain}"
    protected         = var.env != "test"
    roles = {
      view        = local.role_arns["view"]
      operate     = local.role_arns["operate"]
      break_glass = local.role_arns["break-glass"]
    }
    clusters = [{ name = var.env, eks = module.cluster.name }]
  }
}

output "alarms" {
  description = "Alarms by key: severity, owner, runbook, source, the name that pages and those below it."
  value       = local.alarms
}

output "names" {
  description = "Names of what was made."
  value = {
    queues         = { for key, queue in module.queues : key => { name = queue.name, dead = queue.dead_name, parking = queue.parking_name } }
    table          = { name = module.table.name, indexes = module.table.indexes }
    buckets        = { archive = module.archive.id, assets = module.assets.id, artifacts = module.artifacts.id, logs = module.logs.id }
    buses          = { main = module.bus.name, audit = module.bus.audit_bus }
    audit_log      = module.bus.audit_log_group
    audit_key      = local.names.audit_key_alias
    secrets        = module.secrets.names
    roles          = module.names.roles
    service_roles  = { for key, role in module.service_role : key => role.name }
    controllers    = { for key, role in module.controller_role : key => role.name }
    cluster        = module.cluster.name
    function       = module.worker.function_name
    codedeploy     = module.worker.codedeploy
    ledger         = { main = module.ledger.identifier, replica = module.ledger.replica_identifier }
    search_domain  = module.search.name
    repositories   = flatten(module.pull_request_registry[*].names)
    load_balancers = { public = local.names.public_load_balancer, internal = local.names.internal_load_balancer }
  }
}

output "bindings" {
  description = "What charts name: load balancers with their security groups, and the addresses behind the VPN."
  value = {
    load_balancers = module.edge.load_balancers
    internal_urls  = module.edge.internal_urls
  }
}

output "dns" {
  description = "What is made by hand in other zones: the delegation, and records of the mail domain."
  value = {
    name_servers = module.edge.name_servers
    mail         = module.mail.dns_records
  }
}
