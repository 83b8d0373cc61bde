output "id" {
  description = "The organization."
  value       = aws_organizations_organization.this.id
}

output "arn" {
  description = "ARN of the organization."
  value       = aws_organizations_organization.this.arn
}

output "policies" {
  description = "Names of the policies, and their sizes."
  value       = { for key, policy in aws_organizations_policy.this : key => { type = policy.type, characters = length(policy.content) } }
}
