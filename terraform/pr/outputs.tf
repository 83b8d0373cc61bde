output "payops" {
  description = "What payops config import reads."
  value = {
    environment  = "pr-${var.number}"
    account_id   = local.account.id
    region       = local.region
    table        = module.table.name
    bucket       = module.archive.id
    bus          = module.bus.name
    queue_prefix = local.names.queue_prefix
    index        = "pr-${var.number}-${module.names.search_alias}"
    clusters     = [{ name = "test", eks = local.cluster }]
  }
}
