output "alarms" {
  description = "Alarms by key: severity, owner, runbook, the name that pages, the names below it, and the region where it is not the account's."
  value = { for key, alarm in local.alarms : key => {
    severity = alarm.meta.severity
    owner    = alarm.meta.owner
    runbook  = "docs/runbooks/${key}.md"
    alarm    = key
    members  = sort([for name, member in local.members : member.alarm_name if member.key == key && member.alarm_name != key])
    region   = alarm.region
  } }
}

output "topic_arns" {
  description = "Topics by region and team."
  value       = { for key, topic in aws_sns_topic.this : key => topic.arn }
}

output "events_log_group" {
  description = "Log group of the events that alarms count."
  value       = aws_cloudwatch_log_group.events.name
}
