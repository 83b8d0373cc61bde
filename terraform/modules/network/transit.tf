resource "aws_ec2_transit_gateway_vpc_attachment" "this" {
  count = var.transit == null ? 0 : 1

  transit_gateway_id                              = var.transit.gateway_id
  vpc_id                                          = aws_vpc.this.id
  subnet_ids                                      = [for subnet in aws_subnet.private : subnet.id]
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false

  tags = { Name = var.name }
}

resource "aws_route" "transit" {
  for_each = var.transit == null ? {} : {
    for pair in setproduct(keys(local.private), var.transit.cidrs) : "${pair[0]} ${pair[1]}" => { zone = pair[0], cidr = pair[1] }
  }

  route_table_id         = aws_route_table.private[each.value.zone].id
  destination_cidr_block = each.value.cidr
  transit_gateway_id     = var.transit.gateway_id

  depends_on = [aws_ec2_transit_gateway_vpc_attachment.this]
}
