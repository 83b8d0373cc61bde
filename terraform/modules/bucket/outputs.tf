output "id" {
  description = "Name of the bucket."
  value       = var.name
  depends_on  = [aws_s3_bucket.this, aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = "arn:aws:s3:::${var.name}"
  depends_on  = [aws_s3_bucket.this]
}

output "domain_name" {
  description = "Regional address of the bucket."
  value       = aws_s3_bucket.this["primary"].bucket_regional_domain_name
}

output "replica_id" {
  description = "Name of the replica, if there is one."
  value       = var.replica == null ? null : var.replica.name
}

output "replication_rule" {
  description = "Id of the replication rule, if there is one: a dimension of its metrics."
  value       = var.replica == null ? null : "all"
}
