output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "security_group_id" {
  description = "Its security group, which the database lets in."
  value       = aws_security_group.this.id
}
