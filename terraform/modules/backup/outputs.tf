output "vault_arn" {
  description = "The vault."
  value       = aws_backup_vault.this["home"].arn
}

output "copy_vault_arn" {
  description = "The vault in the other region."
  value       = aws_backup_vault.this["copy"].arn
}

output "role_arn" {
  description = "Role of backups and restores."
  value       = aws_iam_role.this.arn
}

output "validation_security_group_id" {
  description = "Security group of the function that looks at restores, which the ledger lets in."
  value       = module.validation.security_group_id
}
