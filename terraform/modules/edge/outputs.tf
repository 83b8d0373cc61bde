output "distribution_id" {
  description = "Id of the distribution."
  value       = aws_cloudfront_distribution.this.id
}

output "distribution_arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.this.arn
}

output "load_balancers" {
  description = "Public and internal load balancer: name, CloudWatch's dimension, and the security group by the name that Ingresses ask for."
  value = { for key, balancer in { public = aws_lb.public, internal = aws_lb.internal } : key => {
    name           = balancer.name
    dimension      = join("/", slice(split("/", balancer.arn), 1, 4))
    security_group = "${balancer.name}-alb"
  } }
}

output "web_acls" {
  description = "Names of the web ACLs: edge and regional."
  value       = { for key, acl in aws_wafv2_web_acl.this : key => acl.name }
}

output "internal_urls" {
  description = "Addresses behind the VPN."
  value       = { for name in ["admin", "api"] : name => "https://${name}.${local.internal_domain}" }
}

output "cdn_log_group" {
  description = "Log group of CloudFront, in the edge region."
  value       = aws_cloudwatch_log_group.cdn.name
}

output "waf_log_groups" {
  description = "Log groups of the web ACLs."
  value       = { for key, group in aws_cloudwatch_log_group.waf : key => group.name }
}

output "name_servers" {
  description = "Name servers that the parent zone delegates to."
  value       = aws_route53_zone.this.name_servers
}

output "zone_id" {
  description = "The zone."
  value       = aws_route53_zone.this.zone_id
}

output "certificate_arn" {
  description = "Certificate of the names behind the VPN."
  value       = aws_acm_certificate_validation.regional.certificate_arn
}
