provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                     = "payops"
  asn                      = 64512
  organization_arn         = "arn:aws:organizations::471122334411:organization/o-exampleorg"
  management_attachment_id = "tgw-attach-1"
  workload_attachment_ids  = { test = "tgw-attach-2" }
}

run "hub" {
  command = apply

  assert {
    condition     = aws_ec2_transit_gateway.this.default_route_table_propagation == "disable" && !aws_ram_resource_share.this.allow_external_principals
    error_message = "Networks learn of one another by default, or of strangers."
  }

  assert {
    condition     = aws_ec2_transit_gateway_route_table_propagation.workload["test"].transit_gateway_route_table_id == aws_ec2_transit_gateway_route_table.this["management"].id
    error_message = "A workload's network is known to another's."
  }
}

run "a_public_asn_is_refused" {
  command = plan
  variables {
    asn = 16509
  }
  expect_failures = [var.asn]
}
