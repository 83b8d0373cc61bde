output "id" {
  description = "The gateway."
  value       = aws_ec2_transit_gateway.this.id
}
