data "aws_region" "current" {}

locals {
  internal_domain = "internal.${var.domain}"

  # Ids of policies that AWS manages, the same in every account.
  cache_static     = "658327ea-f89d-4fab-a63d-7e88639e58f6" # CachingOptimized
  cache_none       = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # CachingDisabled
  forward_all      = "216adef6-5c7f-47e4-b989-5492eafa07d3" # AllViewer
  security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03" # SecurityHeadersPolicy
}

resource "aws_route53_zone" "this" {
  # checkov:skip=CKV2_AWS_38:the parent zone signs nothing, so a chain of trust would end there
  # checkov:skip=CKV2_AWS_39:the zone holds public names alone
  name    = var.domain
  comment = "Delegated to from the parent zone at first set-up"
}

# CloudFront takes certificates of us-east-1 alone.
resource "aws_acm_certificate" "edge" {
  region            = var.edge_region
  domain_name       = var.domain
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_acm_certificate" "regional" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${local.internal_domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# The record of a name is the same for both certificates.
resource "aws_route53_record" "validation" {
  for_each = { for option in aws_acm_certificate.regional.domain_validation_options : option.domain_name => option }

  zone_id         = aws_route53_zone.this.zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "edge" {
  region                  = var.edge_region
  certificate_arn         = aws_acm_certificate.edge.arn
  validation_record_fqdns = [aws_route53_record.validation[var.domain].fqdn]
}

resource "aws_acm_certificate_validation" "regional" {
  certificate_arn         = aws_acm_certificate.regional.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "site" {
  for_each = toset(["A", "AAAA"])

  zone_id = aws_route53_zone.this.zone_id
  name    = var.domain
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}

# Names resolve for everybody, to addresses that only the VPN reaches. Which host is whose is the Ingresses': api, admin, pr-NUMBER.
resource "aws_route53_record" "internal" {
  zone_id = aws_route53_zone.this.zone_id
  name    = "*.${local.internal_domain}"
  type    = "A"

  alias {
    name                   = aws_lb.internal.dns_name
    zone_id                = aws_lb.internal.zone_id
    evaluate_target_health = true
  }
}
