output "names" {
  description = "Names of the repositories."
  value       = sort([for repository in aws_ecr_repository.this : repository.name])
}
