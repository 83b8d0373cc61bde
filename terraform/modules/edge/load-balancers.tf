# The load balancers are Terraform's, so that CloudFront, the firewall, alarms and names have something that no cluster replaces. What
# is behind them is the load balancer controller's: it finds them by three tags and makes listeners, rules and target groups from
# the Ingresses, whose weights the canaries shift. The public one takes requests from CloudFront alone: by address, and by a
# header that only this distribution sends, which its firewall asks for.
locals {
  load_balancers = {
    public   = { name = var.public_name, security_group_id = aws_security_group.public.id }
    internal = { name = var.internal_name, security_group_id = aws_security_group.internal.id }
  }
  # The controller's marks: the cluster, the group of Ingresses, and what this is to it.
  adopted = { for key, balancer in local.load_balancers : key => {
    "elbv2.k8s.aws/cluster"    = var.cluster_name
    "ingress.k8s.aws/stack"    = balancer.name
    "ingress.k8s.aws/resource" = "LoadBalancer"
  } }
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

# This one and the one before are taken: raising the version changes the header while requests are under way.
resource "random_password" "origin" {
  for_each = toset([tostring(var.origin_version), tostring(var.origin_version - 1)])

  length  = 40
  special = false
}

resource "aws_security_group" "public" {
  name        = "${var.public_name}-alb"
  description = "HTTPS from CloudFront"
  vpc_id      = var.vpc_id

  # By this name the Ingresses ask for it.
  tags = { Name = "${var.public_name}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  security_group_id = aws_security_group.public.id
  description       = "HTTPS from CloudFront"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "internal" {
  name        = "${var.internal_name}-alb"
  description = "HTTPS from the VPN and the VPC"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.internal_name}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "internal" {
  for_each = toset(var.internal_cidrs)

  security_group_id = aws_security_group.internal.id
  description       = "HTTPS from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "pods" {
  for_each = local.load_balancers

  security_group_id            = each.value.security_group_id
  description                  = "Pods behind the Ingresses, by requests and health checks"
  referenced_security_group_id = var.cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.pod_port
  to_port                      = var.pod_port
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  for_each = local.load_balancers

  security_group_id            = var.cluster_security_group_id
  description                  = "Pods behind the Ingresses, from the ${each.key} load balancer"
  referenced_security_group_id = each.value.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.pod_port
  to_port                      = var.pod_port
}

resource "aws_lb" "public" {
  # checkov:skip=CKV2_AWS_76:the managed rules hold it; they are made by a dynamic block
  # checkov:skip=CKV2_AWS_20:there is no listener of Terraform's; the Ingresses ask for HTTPS alone
  name                       = var.public_name
  load_balancer_type         = "application"
  subnets                    = var.public_subnet_ids
  security_groups            = [aws_security_group.public.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true # The controller deletes what carries its tags when the last Ingress goes.
  enable_http2               = true
  idle_timeout               = 35

  access_logs {
    bucket  = var.log_bucket
    prefix  = "alb/${var.public_name}"
    enabled = true
  }

  tags = local.adopted["public"]
}

resource "aws_lb" "internal" {
  name                       = var.internal_name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.private_subnet_ids
  security_groups            = [aws_security_group.internal.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true
  idle_timeout               = 35

  access_logs {
    bucket  = var.log_bucket
    prefix  = "alb/${var.internal_name}"
    enabled = true
  }

  tags = local.adopted["internal"]
}
