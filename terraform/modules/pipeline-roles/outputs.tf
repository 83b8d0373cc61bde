output "arns" {
  description = "ARNs of the roles by what they do."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}
