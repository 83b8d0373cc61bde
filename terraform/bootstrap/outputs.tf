output "bucket" {
  description = "Bucket of the state."
  value       = module.state.id
}

output "key_alias" {
  description = "Alias of its key."
  value       = module.key.alias
}
