provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name            = "payops-test"
  account_id      = "471122334433"
  cidr            = "10.16.0.0/16"
  organization_id = "o-exampleorg"
  kms_key_arn     = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  transit         = { gateway_id = "tgw-1", cidrs = ["10.0.0.0/16"] }
}

run "network" {
  command = apply

  assert {
    condition     = length(aws_subnet.public) == 3 && length(aws_subnet.private) == 3 && length(aws_subnet.data) == 3
    error_message = "Three zones, with a public, a private and a data subnet each."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 3
    error_message = "Each zone leaves by a NAT gateway of its own."
  }

  assert {
    condition     = length(aws_route.transit) == 3
    error_message = "Every private route table leads to the management network."
  }

  assert {
    condition     = alltrue([for endpoint in merge(aws_vpc_endpoint.gateway, aws_vpc_endpoint.interface) : can(jsondecode(endpoint.policy).Statement)])
    error_message = "Every endpoint has a policy."
  }

  assert {
    condition     = strcontains(aws_vpc_endpoint.gateway["s3"].policy, "prod-eu-west-1-starport-layer-bucket")
    error_message = "Nodes pull image layers from a bucket of AWS."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Flow logs show what was let through as well."
  }
}

run "a_network_of_another_size_is_refused" {
  command = plan
  variables {
    cidr = "10.16.0.0/20"
  }
  expect_failures = [var.cidr]
}
