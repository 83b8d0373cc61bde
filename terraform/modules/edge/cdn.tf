resource "aws_cloudfront_origin_access_control" "assets" {
  name                              = var.public_name
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "this" {
  # checkov:skip=CKV2_AWS_32:it has one; AWS manages it
  # checkov:skip=CKV2_AWS_47:the managed rules hold it; they are made by a dynamic block
  # checkov:skip=CKV_AWS_305:the root is the services', and no object
  # checkov:skip=CKV_AWS_310:there is one place that takes payments; a second origin would be another
  # checkov:skip=CKV_AWS_374:merchants sell everywhere
  # checkov:skip=CKV_AWS_86:by the log delivery below, which the argument cannot name
  enabled         = true
  is_ipv6_enabled = true
  comment         = var.public_name
  aliases         = [var.domain]
  http_version    = "http2and3"
  price_class     = var.price_class
  web_acl_id      = aws_wafv2_web_acl.this["edge"].arn

  origin {
    origin_id                = "assets"
    domain_name              = var.assets_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.assets.id
  }

  origin {
    origin_id   = "services"
    domain_name = aws_lb.public.dns_name

    custom_header {
      name  = "x-origin-verify"
      value = random_password.origin[tostring(var.origin_version)].result
    }

    # The certificate is checked against the Host header, which is the viewer's.
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      origin_read_timeout    = 35
    }
  }

  default_cache_behavior {
    target_origin_id           = "services"
    allowed_methods            = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    cache_policy_id            = local.cache_none
    origin_request_policy_id   = local.forward_all
    response_headers_policy_id = local.security_headers
    compress                   = true
  }

  ordered_cache_behavior {
    path_pattern               = "/assets/*"
    target_origin_id           = "assets"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    cache_policy_id            = local.cache_static
    response_headers_policy_id = local.security_headers
    compress                   = true
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.edge.certificate_arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }
}

resource "aws_cloudwatch_log_group" "cdn" {
  name              = "/payops/cdn/${var.public_name}"
  region            = var.edge_region
  retention_in_days = var.log_days
  kms_key_id        = var.edge_kms_key_arn
}

resource "aws_cloudwatch_log_delivery_source" "cdn" {
  region       = var.edge_region
  name         = var.public_name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this.arn
}

resource "aws_cloudwatch_log_delivery_destination" "cdn" {
  region        = var.edge_region
  name          = var.public_name
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = aws_cloudwatch_log_group.cdn.arn
  }
}

resource "aws_cloudwatch_log_delivery" "cdn" {
  region                   = var.edge_region
  delivery_source_name     = aws_cloudwatch_log_delivery_source.cdn.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.cdn.arn
}
