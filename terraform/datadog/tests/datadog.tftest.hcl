run "every_environment_is_watched" {
  command = plan

  assert {
    condition     = alltrue([for env in ["test", "preprod", "prod"] : output.monitors[env]["metrics-silent"] == "metrics-silent ${env}"])
    error_message = "An environment has no monitor."
  }

  # What Datadog tells by itself is a signal of the accounts, too, with its runbook.
  assert {
    condition     = alltrue([for key, signal in module.names["prod"].signals : contains(keys(output.monitors["prod"]), key) if signal.source == "datadog"])
    error_message = "A signal of Datadog has no monitor."
  }
}
