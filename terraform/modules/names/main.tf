locals {
  all     = jsondecode(file("${path.module}/names.json"))
  signals = jsondecode(file("${path.module}/signals.json"))

  # A pull request's environment lives in the test account.
  account = startswith(var.env, "pr-") ? "test" : var.env
  names   = { for key, template in local.all.templates : key => replace(template, "{env}", var.env) }
  by_account = { for account in keys(local.all.accounts) : account => {
    for key, template in local.all.templates : key => replace(template, "{env}", account)
  } }

  registry = { for key, registry in {
    release      = { account = local.all.registry.account, images = local.all.registry.images, charts = local.all.registry.charts }
    pull_request = local.all.registry.pull_request
    } : key => merge(registry, {
      account_id = local.all.accounts[registry.account].id
      repositories = concat(
        [for name in concat(keys(local.all.services), local.all.registry.tools) : "${registry.images}/${name}"],
        [for name in keys(local.all.services) : "${registry.charts}/${name}"],
      )
      image_arns = "arn:aws:ecr:${local.all.regions.home}:${local.all.accounts[registry.account].id}:repository/${registry.images}/*"
      chart_arns = "arn:aws:ecr:${local.all.regions.home}:${local.all.accounts[registry.account].id}:repository/${registry.charts}/*"
  }) }

  secrets = { for name, secret in local.all.secrets : name => {
    readers     = secret.readers
    what        = secret.what
    ledger_role = try(secret.ledger_role, null)
  } if contains(try(secret.accounts, ["workload"]), local.account == "management" ? "management" : "workload") }

  queue_names = merge([
    for queue in keys(local.all.queues) : {
      (queue)                                          = "${local.names.queue_prefix}${queue}"
      "${queue}${local.all.queue_suffixes["dead"]}"    = "${local.names.queue_prefix}${queue}${local.all.queue_suffixes["dead"]}"
      "${queue}${local.all.queue_suffixes["parking"]}" = "${local.names.queue_prefix}${queue}${local.all.queue_suffixes["parking"]}"
    }
  ]...)
}
