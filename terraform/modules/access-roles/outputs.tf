output "arns" {
  description = "ARNs of the roles by duty, as payops reads them."
  value = {
    view        = aws_iam_role.this["view"].arn
    operate     = aws_iam_role.this["operate"].arn
    break_glass = aws_iam_role.this["break-glass"].arn
  }
}

output "admin_approve_arn" {
  description = "Role that Admin Web gives approvals with."
  value       = aws_iam_role.admin_approve.arn
}
