# The public load balancer takes requests from CloudFront alone: by address, and by a header that only this distribution sends.
data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "random_password" "origin" {
  length  = 40
  special = false
}

resource "aws_security_group" "public" {
  name        = "${var.public_name}-alb"
  description = "HTTPS from CloudFront"
  vpc_id      = var.vpc_id
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

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each = { public = aws_security_group.public.id, internal = aws_security_group.internal.id }

  security_group_id            = each.value
  description                  = "The HTTP gateway in the cluster"
  referenced_security_group_id = var.cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  for_each = { public = aws_security_group.public.id, internal = aws_security_group.internal.id }

  security_group_id            = var.cluster_security_group_id
  description                  = "The HTTP gateway, from the ${each.key} load balancer"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_lb" "public" {
  # checkov:skip=CKV2_AWS_76:the managed rules hold it; they are made by a dynamic block
  name                       = var.public_name
  load_balancer_type         = "application"
  subnets                    = var.public_subnet_ids
  security_groups            = [aws_security_group.public.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  enable_http2               = true
  idle_timeout               = 35

  access_logs {
    bucket  = var.log_bucket
    prefix  = "alb/${var.public_name}"
    enabled = true
  }
}

resource "aws_lb" "internal" {
  name                       = var.internal_name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.private_subnet_ids
  security_groups            = [aws_security_group.internal.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  idle_timeout               = 35

  access_logs {
    bucket  = var.log_bucket
    prefix  = "alb/${var.internal_name}"
    enabled = true
  }
}

# Pods of the ingress controller register by a TargetGroupBinding that names the target group.
resource "aws_lb_target_group" "gateway" {
  for_each = { public = var.public_name, internal = var.internal_name }

  name                          = each.value
  vpc_id                        = var.vpc_id
  target_type                   = "ip"
  protocol                      = "HTTPS"
  port                          = 443
  deregistration_delay          = 30
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    protocol            = "HTTPS"
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "public" {
  load_balancer_arn = aws_lb.public.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.regional.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "403"
    }
  }
}

resource "aws_lb_listener_rule" "from_cloudfront" {
  listener_arn = aws_lb_listener.public.arn
  priority     = 1

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway["public"].arn
  }

  condition {
    http_header {
      http_header_name = "x-origin-verify"
      values           = [random_password.origin.result]
    }
  }
}

resource "aws_lb_listener" "internal" {
  load_balancer_arn = aws_lb.internal.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.regional.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway["internal"].arn
  }
}
