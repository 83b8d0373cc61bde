# Workload networks reach the management network and are reached from it; they do not reach one another.
resource "aws_ec2_transit_gateway" "this" {
  description                     = var.name
  amazon_side_asn                 = var.asn
  default_route_table_association = "disable"
  default_route_table_propagation = "disable"
  auto_accept_shared_attachments  = "disable"
  dns_support                     = "enable"

  tags = { Name = var.name }
}

resource "aws_ram_resource_share" "this" {
  name                      = var.name
  allow_external_principals = false
}

resource "aws_ram_resource_association" "this" {
  resource_arn       = aws_ec2_transit_gateway.this.arn
  resource_share_arn = aws_ram_resource_share.this.arn
}

resource "aws_ram_principal_association" "this" {
  principal          = var.organization_arn
  resource_share_arn = aws_ram_resource_share.this.arn
}

resource "aws_ec2_transit_gateway_route_table" "this" {
  for_each = toset(["management", "workloads"])

  transit_gateway_id = aws_ec2_transit_gateway.this.id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_ec2_transit_gateway_route_table_association" "management" {
  transit_gateway_attachment_id  = var.management_attachment_id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.this["management"].id
}

# Workloads learn the way to management alone.
resource "aws_ec2_transit_gateway_route_table_propagation" "management" {
  transit_gateway_attachment_id  = var.management_attachment_id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.this["workloads"].id
}

# An attachment of another account is accepted by name: its id is put here once that account has made it.
resource "aws_ec2_transit_gateway_vpc_attachment_accepter" "this" {
  for_each = var.workload_attachment_ids

  transit_gateway_attachment_id                   = each.value
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false

  tags = { Name = each.key }
}

resource "aws_ec2_transit_gateway_route_table_association" "workload" {
  for_each = var.workload_attachment_ids

  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment_accepter.this[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.this["workloads"].id
}

resource "aws_ec2_transit_gateway_route_table_propagation" "workload" {
  for_each = var.workload_attachment_ids

  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment_accepter.this[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.this["management"].id
}
