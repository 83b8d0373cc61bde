output "arns" {
  description = "ARNs of the secrets by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "names" {
  description = "Whole names of the secrets by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.name }
}

output "sops_key_arn" {
  description = "Key of SOPS files."
  value       = aws_kms_key.sops.arn
}

output "audit_key_arn" {
  description = "Key of the audit record."
  value       = aws_kms_key.audit.arn
}
