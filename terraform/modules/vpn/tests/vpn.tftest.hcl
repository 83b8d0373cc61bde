provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                 = "payops-vpn"
  region               = "eu-west-1"
  vpc_id               = "vpc-1"
  subnet_ids           = ["subnet-1", "subnet-2", "subnet-3"]
  routes               = ["10.0.0.0/16", "10.16.0.0/16"]
  kms_key_arn          = "arn:aws:kms:eu-west-1:471122334411:key/11111111-1111-1111-1111-111111111111"
  permissions_boundary = "arn:aws:iam::471122334411:policy/payops-boundary"
}

run "router" {
  command = apply

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_autoscaling_group.this.min_size == 2
    error_message = "One router, or one with the old metadata service."
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.this.user_data), "--advertise-routes='10.0.0.0/16,10.16.0.0/16'") && aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "The router routes to other networks, or without a boundary."
  }
}
