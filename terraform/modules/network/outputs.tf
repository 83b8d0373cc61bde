output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Public subnets, one a zone."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "private_subnet_ids" {
  description = "Private subnets, one a zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "data_subnet_ids" {
  description = "Subnets of databases, one a zone."
  value       = [for subnet in aws_subnet.data : subnet.id]
}

output "data_cidrs" {
  description = "Networks of those."
  value       = values(local.data)
}

output "flow_log_group" {
  description = "Log group of the flow logs."
  value       = aws_cloudwatch_log_group.flow.name
}

output "transit_attachment_id" {
  description = "Attachment to the Transit Gateway, if there is one."
  value       = one(aws_ec2_transit_gateway_vpc_attachment.this[*].id)
}

output "nat_gateway_ids" {
  description = "NAT gateways, one a zone."
  value       = [for nat in aws_nat_gateway.this : nat.id]
}
