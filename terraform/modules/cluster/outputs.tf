output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "log_group" {
  description = "Log group of the control plane, audit log included."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group_id" {
  description = "Security group of nodes and pods."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "node_groups" {
  description = "Names of the node groups."
  value       = keys(var.node_groups)
}
