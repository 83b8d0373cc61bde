output "arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.this.arn
}

output "url" {
  description = "Address of the queue."
  value       = aws_sqs_queue.this.id
}

output "name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.this.name
}

output "dead_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead.arn
}

output "dead_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead.name
}

output "parking_arn" {
  description = "ARN of the parking queue."
  value       = aws_sqs_queue.parking.arn
}

output "parking_name" {
  description = "Name of the parking queue."
  value       = aws_sqs_queue.parking.name
}

output "visibility_seconds" {
  description = "For how long a received message is hidden."
  value       = local.visibility_seconds
}
