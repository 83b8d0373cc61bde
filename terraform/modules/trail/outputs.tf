output "log_group" {
  description = "Log group of the trail."
  value       = aws_cloudwatch_log_group.this.name
}

output "bucket" {
  description = "The log archive."
  value       = module.archive.id
}
