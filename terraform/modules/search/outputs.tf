output "name" {
  description = "Name of the domain."
  value       = aws_opensearch_domain.this.domain_name
}

output "arn" {
  description = "ARN of the domain."
  value       = aws_opensearch_domain.this.arn
}

output "endpoint" {
  description = "Address of the domain, without a scheme."
  value       = var.endpoint.name
}

output "log_groups" {
  description = "Its log groups."
  value       = [for group in aws_cloudwatch_log_group.this : group.name]
}
