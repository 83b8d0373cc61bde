# What the outputs say is committed: payops imports it, and runbooks and the table of docs/platform are held against it.
run "account" {
  command = plan

  assert {
    condition     = jsonencode(output.payops) == jsonencode(jsondecode(file("outputs.json")).payops.value)
    error_message = "outputs.json has other settings for payops: ${jsonencode(output.payops)}"
  }

  assert {
    condition     = jsonencode(output.alarms) == jsonencode(jsondecode(file("outputs.json")).alarms.value)
    error_message = "outputs.json has other alarms: ${jsonencode(output.alarms)}"
  }

  assert {
    condition     = jsonencode(output.names) == jsonencode(jsondecode(file("outputs.json")).names.value)
    error_message = "outputs.json has other names: ${jsonencode(output.names)}"
  }

  assert {
    condition     = toset(keys(output.alarms)) == toset([for key, signal in module.names.signals : key if contains(signal.accounts, "management")])
    error_message = "A signal is judged nowhere, or an alarm is no signal."
  }

  assert {
    condition     = alltrue([for key, alarm in output.alarms : fileexists("../../../${alarm.runbook}")])
    error_message = "An alarm has no runbook: ${join(", ", [for key, alarm in output.alarms : key if !fileexists("../../../${alarm.runbook}")])}"
  }

  assert {
    condition     = alltrue([for key, alarm in output.alarms : strcontains(file("../../../docs/platform/scenario.md"), "(../runbooks/${key}.md)")])
    error_message = "An alarm is in no row of docs/platform/scenario.md: ${join(", ", [for key, alarm in output.alarms : key if !strcontains(file("../../../docs/platform/scenario.md"), "(../runbooks/${key}.md)")])}"
  }

  assert {
    condition     = length(setsubtract(flatten(regexall("\\.\\./runbooks/([a-z0-9-]+)\\.md", file("../../../docs/platform/scenario.md"))), keys(module.names.signals))) == 0 && length(output.alarms) > 0
    error_message = "docs/platform/scenario.md names an alarm that there is not."
  }
}
