output "payops" {
  description = "What payops config import reads: terraform output -json | payops config import -"
  value       = module.workload.payops
}

output "alarms" {
  description = "Alarms by key."
  value       = module.workload.alarms
}

output "names" {
  description = "Names of what was made."
  value       = module.workload.names
}

output "bindings" {
  description = "What charts name."
  value       = module.workload.bindings
}

output "dns" {
  description = "What is made by hand in other zones."
  value       = module.workload.dns
}
