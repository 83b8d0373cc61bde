output "name" {
  description = "Name of the bus."
  value       = aws_cloudwatch_event_bus.this.name
}

output "arn" {
  description = "ARN of the bus."
  value       = aws_cloudwatch_event_bus.this.arn
}

output "rules" {
  description = "Rules: bus, name, and the queue that they lead to."
  value       = { for key, rule in local.rules : key => { bus = rule.bus, name = aws_cloudwatch_event_rule.this[key].name, queue = rule.queue } }
}

output "audit_bus" {
  description = "Name of the audit bus, if there is one."
  value       = one(aws_cloudwatch_event_bus.audit[*].name)
}

output "audit_bus_arn" {
  description = "ARN of the audit bus, if there is one."
  value       = one(aws_cloudwatch_event_bus.audit[*].arn)
}

output "audit_log_group" {
  description = "Log group of the audit record, if there is one."
  value       = one(aws_cloudwatch_log_group.audit[*].name)
}

output "audit_log_group_arn" {
  description = "ARN of that log group, if there is one."
  value       = one(aws_cloudwatch_log_group.audit[*].arn)
}
