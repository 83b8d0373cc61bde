output "monitors" {
  description = "Names of the monitors by environment and key."
  value       = { for env, monitors in module.monitors : env => monitors.names }
}
