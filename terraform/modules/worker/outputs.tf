output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "alias" {
  description = "Name of the alias that the queue invokes."
  value       = aws_lambda_alias.live.name
}

output "role_arn" {
  description = "ARN of its role."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "Its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}

output "codedeploy" {
  description = "CodeDeploy's application and group."
  value       = { app = aws_codedeploy_app.this.name, group = aws_codedeploy_deployment_group.this.deployment_group_name }
}
