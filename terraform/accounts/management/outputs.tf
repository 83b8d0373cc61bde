output "payops" {
  description = "What payops config import reads: the cluster of Argo CD."
  value = {
    environment = "management"
    account_id  = local.account.id
    region      = local.regions.home
    protected   = true
    roles       = { break_glass = local.break_glass_role }
    clusters    = [{ name = "management", eks = module.cluster.name }]
  }
}

output "alarms" {
  description = "Alarms by key."
  value       = local.alarms
}

output "names" {
  description = "Names of what was made."
  value = {
    cluster         = module.cluster.name
    trail_log_group = module.trail.log_group
    log_archive     = module.trail.bucket
    groups          = module.identity_center.groups
    argocd_roles    = { for key, role in module.argocd_role : key => role.name }
    runner_label    = module.runners.label
    vpn_secret      = module.vpn.auth_key_secret
    secrets         = { for name, secret in aws_secretsmanager_secret.this : name => secret.name }
    repositories    = module.registry.names
    policies        = keys(module.organization.policies)
  }
}
