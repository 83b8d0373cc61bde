locals {
  # CloudFront's lives in us-east-1; the public load balancer has one too, for what would come past CloudFront.
  acls = {
    edge     = { region = var.edge_region, scope = "CLOUDFRONT" }
    regional = { region = null, scope = "REGIONAL" }
  }
  managed_rules = ["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"]
}

resource "aws_wafv2_web_acl" "this" {
  for_each = local.acls

  name   = "${var.public_name}-${each.key}"
  region = each.value.region
  scope  = each.value.scope

  # Who found the address of the public load balancer is still not CloudFront: there only its header is let in, by the last rule.
  default_action {
    dynamic "allow" {
      for_each = each.key == "edge" ? [1] : []
      content {}
    }
    dynamic "block" {
      for_each = each.key == "edge" ? [] : [1]
      content {}
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules

    content {
      name     = rule.value
      priority = rule.key + 10

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = rule.value
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit                 = var.requests_per_5_minutes
        aggregate_key_type    = each.key == "edge" ? "IP" : "FORWARDED_IP"
        evaluation_window_sec = 300

        dynamic "forwarded_ip_config" {
          for_each = each.key == "edge" ? [] : [1]

          content {
            header_name       = "X-Forwarded-For"
            fallback_behavior = "MATCH"
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = each.key == "edge" ? [] : [1]

    content {
      name     = "from-cloudfront"
      priority = 100

      action {
        allow {}
      }

      statement {
        regex_match_statement {
          regex_string = "^(${join("|", [for password in random_password.origin : password.result])})$"

          field_to_match {
            single_header {
              name = "x-origin-verify"
            }
          }

          text_transformation {
            priority = 0
            type     = "NONE"
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "from-cloudfront"
        sampled_requests_enabled   = false
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "${var.public_name}-${each.key}"
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "public" {
  resource_arn = aws_lb.public.arn
  web_acl_arn  = aws_wafv2_web_acl.this["regional"].arn
}

resource "aws_cloudwatch_log_group" "waf" {
  for_each = local.acls

  # WAF writes to log groups of this prefix alone.
  name              = "aws-waf-logs-${var.public_name}-${each.key}"
  region            = each.value.region
  retention_in_days = var.log_days
  kms_key_id        = each.key == "edge" ? var.edge_kms_key_arn : var.kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  for_each = local.acls

  region                  = each.value.region
  resource_arn            = aws_wafv2_web_acl.this[each.key].arn
  log_destination_configs = [aws_cloudwatch_log_group.waf[each.key].arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }
  redacted_fields {
    single_header {
      name = "cookie"
    }
  }
  redacted_fields {
    single_header {
      name = "x-origin-verify"
    }
  }
}
