# What only Datadog sees: nodes by Kubernetes' own conditions, and whether the metrics arrive by which canaries are judged.
locals {
  monitors = {
    # EKS repairs a node within half an hour; CloudWatch counts nodes that failed, this one those that are not ready.
    eks-node = {
      query   = "min(last_15m):sum:kubernetes_state.node.by_condition{condition:ready,status:false,kube_cluster_name:${var.cluster_name}} by {node} > 0"
      message = "{{node.name}} is not ready."
      silent  = false
    }
    # A counter is sent as zero when nobody pays: nothing at all means that the agent, its key or the scrape is broken.
    metrics-silent = {
      query   = "sum(last_15m):sum:payops.http.requests.count{env:${var.env}}.as_count() < 0"
      message = "Datadog gets no metrics of payments-api. Canaries that are under way end inconclusive and wait."
      silent  = true
    }
  }
}

resource "datadog_monitor" "this" {
  for_each = local.monitors

  name     = "${each.key} ${var.env}"
  type     = "query alert"
  query    = each.value.query
  priority = var.signals[each.key].severity == "page" ? 2 : 4

  message = join("\n", [
    var.signals[each.key].title,
    each.value.message,
    "Owner: ${var.signals[each.key].owner}",
    "Runbook: ${var.runbooks}/${each.key}.md",
    "@slack-${var.signals[each.key].owner}-alerts",
  ])

  monitor_thresholds {
    critical = "0"
  }

  # Silence is what one of them is about, and says nothing about nodes: their cluster has a monitor of its own in CloudWatch.
  on_missing_data     = each.value.silent ? "show_and_notify_no_data" : "show_no_data"
  require_full_window = false
  renotify_interval   = var.signals[each.key].severity == "page" ? 60 : 0
  renotify_statuses   = var.signals[each.key].severity == "page" ? ["alert", "no data"] : null
  include_tags        = true

  tags = ["env:${var.env}", "owner:${var.signals[each.key].owner}", "severity:${var.signals[each.key].severity}", "managed-by:terraform"]
}
