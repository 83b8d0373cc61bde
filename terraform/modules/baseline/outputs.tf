output "detector_id" {
  description = "GuardDuty's detector."
  value       = aws_guardduty_detector.this.id
}

output "config_rules" {
  description = "Names of the rules of AWS Config."
  value       = keys(var.config_rules)
}
