provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name           = "payops-test"
  account_id     = "471122334433"
  engine_version = "OpenSearch_3.1"
  instance_type  = "m6g.large.search"
  instance_count = 3
  volume_gb      = 50
  vpc_id         = "vpc-1"
  subnet_ids     = ["subnet-1", "subnet-2", "subnet-3"]
  endpoint = {
    name            = "search.internal.test.pay.example.com", zone_id = "Z1"
    certificate_arn = "arn:aws:acm:eu-west-1:471122334433:certificate/11111111-1111-1111-1111-111111111111"
  }
  client_security_groups = { cluster = "sg-1" }
  kms_key_arn            = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
}

run "search" {
  command = apply

  assert {
    condition     = aws_opensearch_domain.this.encrypt_at_rest[0].enabled && aws_opensearch_domain.this.node_to_node_encryption[0].enabled && aws_opensearch_domain.this.domain_endpoint_options[0].enforce_https
    error_message = "The index is encrypted at rest and on the wire."
  }

  assert {
    condition     = aws_opensearch_domain.this.cluster_config[0].zone_awareness_config[0].availability_zone_count == 3 && length(aws_opensearch_domain.this.vpc_options[0].subnet_ids) == 3
    error_message = "Three nodes stand in three zones."
  }

  assert {
    condition     = length(aws_opensearch_domain.this.log_publishing_options) == 4
    error_message = "Slow, application and audit logs are kept."
  }
}

run "one_node_needs_one_subnet" {
  command = plan
  variables {
    instance_count = 1
  }

  assert {
    condition     = length(aws_opensearch_domain.this.vpc_options[0].subnet_ids) == 1 && !aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled
    error_message = "One node, one zone."
  }
}
