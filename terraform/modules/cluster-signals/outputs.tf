output "metric_alarms" {
  description = "Alarms on metrics, as the module alarms takes them."
  value       = local.metric_alarms
}

output "log_alarms" {
  description = "Alarms on logs, as the module alarms takes them."
  value       = local.log_alarms
}
