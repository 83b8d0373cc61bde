variables {
  env          = "prod"
  cluster_name = "payops-prod"
  runbooks     = "https://github.com/example/payops/blob/main/docs/runbooks"
  signals = {
    eks-node       = { title = "Nodes fail", owner = "platform", severity = "page" }
    metrics-silent = { title = "Datadog has no metrics", owner = "platform", severity = "ticket" }
  }
}

run "monitors" {
  command = plan

  assert {
    condition     = alltrue([for key, monitor in datadog_monitor.this : strcontains(monitor.message, "Runbook: ${var.runbooks}/${key}.md") && strcontains(monitor.message, "@slack-platform-alerts")])
    error_message = "A monitor says neither what to do nor to whom."
  }

  assert {
    condition     = datadog_monitor.this["metrics-silent"].on_missing_data == "show_and_notify_no_data"
    error_message = "Silence tells nobody."
  }

  assert {
    condition     = strcontains(datadog_monitor.this["eks-node"].query, "kube_cluster_name:payops-prod") && strcontains(datadog_monitor.this["metrics-silent"].query, "{env:prod}")
    error_message = "A monitor looks at another environment."
  }
}

run "a_monitor_without_an_owner_is_refused" {
  command = plan
  variables {
    signals = { eks-node = { title = "Nodes fail", owner = "platform", severity = "page" } }
  }
  expect_failures = [var.signals]
}
