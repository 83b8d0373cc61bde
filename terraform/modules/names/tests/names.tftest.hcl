variables {
  env = "prod"
}

run "prod" {
  command = plan

  assert {
    condition     = output.names.table == "payops-prod" && output.names.queue_prefix == "prod-" && output.account.name == "prod"
    error_message = "Names of prod come from the templates."
  }

  assert {
    condition     = length(output.queue_names) == 9 && output.queue_names["payments-work-dlq"] == "prod-payments-work-dlq"
    error_message = "Each of the three queues has a dead-letter and a parking queue: ${jsonencode(output.queue_names)}"
  }

  assert {
    condition     = alltrue([for name in values(output.names) : !strcontains(name, "{")])
    error_message = "A template has a place that is not filled."
  }

  assert {
    condition     = alltrue([for queue, types in output.events : contains(keys(output.queues), queue) && length(types) > 0])
    error_message = "An event leads to a queue that there is not."
  }

  assert {
    condition = alltrue(flatten([for secret in output.secrets : [
      for reader in secret.readers : contains(concat(keys(output.services), keys(output.jobs), keys(output.controllers), ["release"]), reader)
    ]]))
    error_message = "A secret has a reader that there is not."
  }

  assert {
    condition     = alltrue([for name in ["datadog", "smoke", "slack"] : contains(output.secrets[name].readers, "external-secrets")]) && !contains(keys(output.secrets), "argocd-sso")
    error_message = "External Secrets brings Datadog's, the smoke test's and Slack's keys into the cluster, and none of the management account's."
  }

  assert {
    condition     = alltrue([for queue in output.queues : contains(keys(output.services), queue.consumer)])
    error_message = "A queue has a consumer that is no service."
  }

  assert {
    condition     = length(distinct([for account in output.accounts : account.id])) == 4 && length(distinct([for account in output.accounts : account.cidr])) == 4
    error_message = "Two accounts share an id or a network."
  }

  # 10.X.0.0/16 each: two networks overlap exactly if the second octet is the same.
  assert {
    condition     = alltrue([for account in output.accounts : can(regex("^10\\.[0-9]+\\.0\\.0/16$", account.cidr))])
    error_message = "Networks are of the form 10.X.0.0/16."
  }
  assert {
    condition     = alltrue([for signal in output.signals : contains(keys(output.teams), signal.owner) && contains(["page", "ticket"], signal.severity)])
    error_message = "A signal has an owner that is no team, or a severity that is none."
  }

  assert {
    condition     = alltrue([for key in keys(output.signals) : fileexists("../../../docs/runbooks/${key}.md")])
    error_message = "A signal without a runbook: ${join(", ", [for key in keys(output.signals) : key if !fileexists("../../../docs/runbooks/${key}.md")])}"
  }
}

# Runbooks and what leads to them: an alarm, or a step of delivery.
run "nobody_looks_for_a_runbook_in_vain" {
  command = plan

  assert {
    condition = alltrue([for file in fileset("../../../docs/runbooks", "*.md") :
    contains(keys(output.signals), trimsuffix(file, ".md")) || strcontains(file("../../../docs/delivery.md"), "runbooks/${file}")])
    error_message = "A runbook that nothing leads to: ${join(", ", [for file in fileset("../../../docs/runbooks", "*.md") : file if !contains(keys(output.signals), trimsuffix(file, ".md")) && !strcontains(file("../../../docs/delivery.md"), "runbooks/${file}")])}"
  }

  assert {
    condition     = alltrue([for name in keys(output.secrets) : strcontains(file("../../../docs/platform/secrets.md"), "| `${name}` |")])
    error_message = "docs/platform/secrets.md does not say how a secret changes: ${join(", ", [for name in keys(output.secrets) : name if !strcontains(file("../../../docs/platform/secrets.md"), "| `${name}` |")])}"
  }
}

run "management_has_secrets_of_its_own" {
  command = plan
  variables {
    env = "management"
  }

  assert {
    condition = toset(keys(output.secrets)) == toset(concat(
      ["argocd-sso", "github-app", "slack"], [for account in keys(output.accounts) : "cluster-${account}" if account != "management"]
    ))
    error_message = "Argo CD's secrets, and a cluster of each workload account: ${jsonencode(keys(output.secrets))}"
  }

  assert {
    condition     = alltrue([for name in keys(output.secrets) : strcontains(file("../../../docs/platform/secrets.md"), "| `${name}` |")])
    error_message = "docs/platform/secrets.md does not say how a secret changes: ${join(", ", [for name in keys(output.secrets) : name if !strcontains(file("../../../docs/platform/secrets.md"), "| `${name}` |")])}"
  }
}

run "a_pull_request_is_in_test" {
  command = plan
  variables {
    env = "pr-17"
  }

  assert {
    condition     = output.account.name == "test" && output.names.table == "payops-pr-17" && output.queue_names["projections"] == "pr-17-projections"
    error_message = "A pull request's environment is named after it, in the test account."
  }
}

run "another_environment_is_refused" {
  command = plan
  variables {
    env = "production"
  }
  expect_failures = [var.env]
}
