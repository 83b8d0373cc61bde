output "security_group_id" {
  description = "Security group of the router."
  value       = aws_security_group.this.id
}

output "auth_key_secret" {
  description = "Secret that an admin puts the auth key in."
  value       = aws_secretsmanager_secret.auth_key.name
}
