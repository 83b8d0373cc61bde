output "identity_arn" {
  description = "ARN of the sending identity."
  value       = aws_sesv2_email_identity.this.arn
}

output "configuration_set_arn" {
  description = "ARN of the configuration set."
  value       = aws_sesv2_configuration_set.this.arn
}

output "log_group" {
  description = "Log group of what became of mails."
  value       = aws_cloudwatch_log_group.events.name
}

output "dns_records" {
  description = "Records to make in the domain's zone."
  value = concat(
    [for token in aws_sesv2_email_identity.this.dkim_signing_attributes[0].tokens : {
      name = "${token}._domainkey.${var.domain}", type = "CNAME", value = "${token}.dkim.amazonses.com"
    }],
    [
      { name = "bounce.${var.domain}", type = "MX", value = "10 feedback-smtp.${data.aws_region.current.region}.amazonses.com" },
      { name = "bounce.${var.domain}", type = "TXT", value = "v=spf1 include:amazonses.com -all" },
      { name = "_dmarc.${var.domain}", type = "TXT", value = "v=DMARC1; p=reject; adkim=s; aspf=r" },
    ],
  )
}
