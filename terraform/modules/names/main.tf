locals {
  all     = jsondecode(file("${path.module}/names.json"))
  signals = jsondecode(file("${path.module}/signals.json"))

  # A pull request's environment lives in the test account.
  account = startswith(var.env, "pr-") ? "test" : var.env
  names   = { for key, template in local.all.templates : key => replace(template, "{env}", var.env) }
  by_account = { for account in keys(local.all.accounts) : account => {
    for key, template in local.all.templates : key => replace(template, "{env}", account)
  } }

  queue_names = merge([
    for queue in keys(local.all.queues) : {
      (queue)                                          = "${local.names.queue_prefix}${queue}"
      "${queue}${local.all.queue_suffixes["dead"]}"    = "${local.names.queue_prefix}${queue}${local.all.queue_suffixes["dead"]}"
      "${queue}${local.all.queue_suffixes["parking"]}" = "${local.names.queue_prefix}${queue}${local.all.queue_suffixes["parking"]}"
    }
  ]...)
}
