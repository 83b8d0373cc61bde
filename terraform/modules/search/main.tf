resource "aws_security_group" "this" {
  name        = var.name
  description = "OpenSearch from the services"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.client_security_groups

  security_group_id            = aws_security_group.this.id
  description                  = "HTTPS from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "network" {
  for_each = toset(var.client_cidrs)

  security_group_id = aws_security_group.this.id
  description       = "HTTPS from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = { slow-search = "SEARCH_SLOW_LOGS", slow-index = "INDEX_SLOW_LOGS", application = "ES_APPLICATION_LOGS", audit = "AUDIT_LOGS" }

  name              = "/aws/opensearch/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_region" "current" {}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["logs:PutLogEvents", "logs:CreateLogStream"]
    resources = ["arn:aws:logs:${data.aws_region.current.region}:${var.account_id}:log-group:/aws/opensearch/${var.name}/*"]

    principals {
      type        = "Service"
      identifiers = ["es.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  policy_name     = "opensearch-${var.name}"
  policy_document = data.aws_iam_policy_document.logs.json
}

resource "random_password" "first" {
  length      = 40
  min_upper   = 1
  min_lower   = 1
  min_numeric = 1
  min_special = 1
}

# OpenSearch's own users decide who may do what; this lets requests from the VPC through to it.
data "aws_iam_policy_document" "access" {
  statement {
    actions   = ["es:ESHttp*"]
    resources = ["arn:aws:es:${data.aws_region.current.region}:${var.account_id}:domain/${var.name}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceVpc"
      values   = [var.vpc_id]
    }
  }
}

resource "aws_opensearch_domain" "this" {
  # checkov:skip=CKV2_AWS_59:prod has dedicated masters; small environments do without
  # checkov:skip=CKV_AWS_317:it is on; the block is dynamic
  domain_name    = var.name
  engine_version = var.engine_version

  cluster_config {
    instance_type            = var.instance_type
    instance_count           = var.instance_count
    dedicated_master_enabled = var.master_type != null
    dedicated_master_type    = var.master_type
    dedicated_master_count   = var.master_type == null ? null : 3
    zone_awareness_enabled   = var.instance_count > 1

    dynamic "zone_awareness_config" {
      for_each = var.instance_count > 1 ? [1] : []

      content {
        availability_zone_count = var.instance_count % 3 == 0 ? 3 : 2
      }
    }
  }

  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = var.volume_gb
  }

  vpc_options {
    subnet_ids         = slice(var.subnet_ids, 0, var.instance_count == 1 ? 1 : var.instance_count % 3 == 0 ? 3 : 2)
    security_group_ids = [aws_security_group.this.id]
  }

  encrypt_at_rest {
    enabled    = true
    kms_key_id = var.kms_key_arn
  }

  node_to_node_encryption {
    enabled = true
  }

  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"

    # A name of ours stays when the domain is made anew.
    custom_endpoint_enabled         = true
    custom_endpoint                 = var.endpoint.name
    custom_endpoint_certificate_arn = var.endpoint.certificate_arn
  }

  # The services log in by name and password: they sign no requests. OpenSearch has no write-only password, so this first one is
  # in the state; an admin changes it at first set-up, and Terraform leaves it alone.
  advanced_security_options {
    enabled                        = true
    internal_user_database_enabled = true

    master_user_options {
      master_user_name     = "payops-master"
      master_user_password = random_password.first.result
    }
  }

  dynamic "log_publishing_options" {
    for_each = { slow-search = "SEARCH_SLOW_LOGS", slow-index = "INDEX_SLOW_LOGS", application = "ES_APPLICATION_LOGS", audit = "AUDIT_LOGS" }

    content {
      log_type                 = log_publishing_options.value
      cloudwatch_log_group_arn = aws_cloudwatch_log_group.this[log_publishing_options.key].arn
    }
  }

  software_update_options {
    auto_software_update_enabled = true
  }

  access_policies = data.aws_iam_policy_document.access.json

  lifecycle {
    ignore_changes = [advanced_security_options[0].master_user_options]
  }

  depends_on = [aws_cloudwatch_log_resource_policy.this]
}

resource "aws_route53_record" "this" {
  zone_id = var.endpoint.zone_id
  name    = var.endpoint.name
  type    = "CNAME"
  ttl     = 300
  records = [aws_opensearch_domain.this.endpoint]
}
