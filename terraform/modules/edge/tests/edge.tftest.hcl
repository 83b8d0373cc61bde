provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  domain                    = "test.pay.example.com"
  public_name               = "payops-test-public"
  internal_name             = "payops-test-internal"
  vpc_id                    = "vpc-1"
  public_subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  private_subnet_ids        = ["subnet-4", "subnet-5", "subnet-6"]
  internal_cidrs            = ["10.0.0.0/16", "10.16.0.0/16"]
  cluster_security_group_id = "sg-1"
  cluster_name              = "payops-test"
  assets_domain_name        = "payops-assets-test.s3.eu-west-1.amazonaws.com"
  log_bucket                = "payops-logs-test"
  kms_key_arn               = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  edge_kms_key_arn          = "arn:aws:kms:us-east-1:471122334433:key/22222222-2222-2222-2222-222222222222"
}

run "edge" {
  command = apply

  assert {
    condition     = aws_lb.internal.internal && !aws_lb.public.internal
    error_message = "One load balancer is internal, the other is not."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.public.prefix_list_id != null && aws_vpc_security_group_ingress_rule.public.cidr_ipv4 == null
    error_message = "The public load balancer takes requests past CloudFront."
  }

  assert {
    condition = length(aws_wafv2_web_acl.this["regional"].default_action[0].block) == 1 && alltrue([
      for rule in aws_wafv2_web_acl.this["regional"].rule : alltrue([
        for password in random_password.origin : strcontains(rule.statement[0].regex_match_statement[0].regex_string, password.result)
      ]) if rule.name == "from-cloudfront"
    ])
    error_message = "A request without the distribution's header is answered."
  }

  assert {
    condition = alltrue([
      for balancer in [aws_lb.public, aws_lb.internal] :
      balancer.tags["elbv2.k8s.aws/cluster"] == "payops-test" && balancer.tags["ingress.k8s.aws/stack"] == balancer.name && balancer.enable_deletion_protection
    ])
    error_message = "The controller finds a load balancer by its group's name, and cannot delete it."
  }

  assert {
    condition     = [aws_security_group.public.tags["Name"], aws_security_group.internal.tags["Name"]] == ["payops-test-public-alb", "payops-test-internal-alb"]
    error_message = "Ingresses ask for a security group by its load balancer's name and -alb."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.pods : rule.from_port == 8080 && rule.to_port == 8080])
    error_message = "Load balancers reach pods on their port for requests, and on no other."
  }

  assert {
    condition     = aws_wafv2_web_acl.this["edge"].scope == "CLOUDFRONT" && aws_wafv2_web_acl.this["edge"].region == "us-east-1"
    error_message = "CloudFront's web ACL lives in us-east-1."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.web_acl_id == aws_wafv2_web_acl.this["edge"].arn && aws_cloudfront_distribution.this.default_cache_behavior[0].cache_policy_id == local.cache_none
    error_message = "The distribution has its web ACL, and caches no payments."
  }
}

run "an_internal_load_balancer_for_everybody_is_refused" {
  command = plan
  variables {
    internal_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.internal_cidrs]
}
