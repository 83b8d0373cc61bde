output "security_group_id" {
  description = "Security group of the function, which the ledger lets in."
  value       = module.rotation.security_group_id
}

output "function_name" {
  description = "Name of the function."
  value       = module.rotation.name
}
