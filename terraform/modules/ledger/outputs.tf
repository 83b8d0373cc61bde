output "identifier" {
  description = "Identifier of the instance."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "addresses" {
  description = "Hosts of the instance and of the replica."
  value       = { main = aws_db_instance.this.address, replica = aws_db_instance.replica.address }
}

output "replica_identifier" {
  description = "Identifier of the read replica."
  value       = aws_db_instance.replica.identifier
}

output "subnet_group" {
  description = "Name of the subnet group, which restores name."
  value       = aws_db_subnet_group.this.name
}

output "security_group_id" {
  description = "Security group of the instances."
  value       = aws_security_group.this.id
}

output "master_secret_arn" {
  description = "Secret of the master user."
  value       = aws_secretsmanager_secret.master.arn
}

output "log_groups" {
  description = "Log groups of the instance and the replica."
  value       = [for group in aws_cloudwatch_log_group.this : group.name]
}

output "log_group" {
  description = "Log group of the instance."
  value       = aws_cloudwatch_log_group.this[var.name].name
}
