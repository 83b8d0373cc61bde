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
