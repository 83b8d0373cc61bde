provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name               = "payops-test"
  account_id         = "471122334433"
  kubernetes_version = "1.34"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  api_cidrs          = ["10.0.0.0/16"]
  kms_key_arn        = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  node_groups = {
    general = { instance_types = ["m7g.large"], min = 3, max = 6 }
    secure  = { instance_types = ["m7g.large"], min = 3, max = 6, taint = "secure" }
  }
  access = {
    view = { principal_arn = "arn:aws:iam::471122334433:role/payops-view", groups = ["payops-view"], policy = "AmazonEKSViewPolicy" }
  }
}

run "cluster" {
  command = apply

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "The API is private."
  }

  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "The audit log is on and secrets are encrypted."
  }

  assert {
    condition     = !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions && aws_eks_cluster.this.access_config[0].authentication_mode == "API"
    error_message = "Access is by entries alone; whoever made the cluster is nobody in it."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Pods reach the node's credentials."
  }

  assert {
    condition     = [for taint in aws_eks_node_group.this["secure"].taint : taint.effect] == ["NO_SCHEDULE"] && length(aws_eks_node_group.this["general"].taint) == 0
    error_message = "Secure work has nodes of its own."
  }

  assert {
    condition     = aws_eks_addon.before_nodes["vpc-cni"].service_account_role_arn == aws_iam_role.cni.arn
    error_message = "The CNI has its role before Pod Identity's agent runs."
  }
}

run "an_open_api_is_refused" {
  command = plan
  variables {
    api_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.api_cidrs]
}
