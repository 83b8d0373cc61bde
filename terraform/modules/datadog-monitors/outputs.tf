output "names" {
  description = "Names of the monitors by key."
  value       = { for key, monitor in datadog_monitor.this : key => monitor.name }
}
