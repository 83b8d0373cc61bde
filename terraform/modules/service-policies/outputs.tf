output "policies" {
  description = "Policy documents by service."
  value       = { for service, document in data.aws_iam_policy_document.service : service => document.json }
}
