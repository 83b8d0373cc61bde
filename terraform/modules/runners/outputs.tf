output "security_group_id" {
  description = "Security group of the runners."
  value       = aws_security_group.this.id
}

output "label" {
  description = "What a job's runs-on begins with; the run's id and attempt follow."
  value       = "codebuild-${aws_codebuild_project.this.name}-"
}
