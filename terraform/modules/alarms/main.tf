locals {
  regions = { for region in distinct([for alarm in local.alarms : alarm.region]) : coalesce(region, "home") => region }

  # Three kinds of alarm become one: what EventBridge tells is counted by its rule's own metric, what a log tells by a filter's.
  alarms = merge(
    { for key, alarm in var.metric_alarms : key => {
      meta = var.signals[key], region = alarm.region, suppressed_by = alarm.suppressed_by, members = alarm.members
    } },
    { for key, alarm in var.event_alarms : key => {
      meta = var.signals[key], region = null, suppressed_by = null
      members = { rule = {
        namespace  = "AWS/Events", metric = "TriggeredRules", dimensions = { RuleName = "${var.prefix}${key}" }, stat = "Sum", threshold = 0
        comparison = "GreaterThanThreshold", period = 60, periods = 1, datapoints = null, missing = "notBreaching", per = null, band = null
      } }
    } },
    { for key, alarm in var.log_alarms : key => {
      meta = var.signals[key], region = null, suppressed_by = null
      members = { filter = {
        namespace  = var.log_namespace, metric = key, dimensions = {}, stat = "Sum", threshold = alarm.threshold
        comparison = "GreaterThanThreshold", period = alarm.period, periods = 1, datapoints = null, missing = "notBreaching", per = null, band = null
      } }
    } },
  )

  # One cause, one page: an alarm of several members, or one that another silences, pages by a composite that has the key's name.
  composite = { for key, alarm in local.alarms : key => alarm if length(alarm.members) > 1 || alarm.suppressed_by != null }
  members = merge([
    for key, alarm in local.alarms : {
      for name, member in alarm.members : "${key} ${name}" => merge(member, {
        key         = key
        region      = alarm.region
        alarm_name  = contains(keys(local.composite), key) ? "${key}-${name}" : key
        pages       = !contains(keys(local.composite), key)
        description = local.descriptions[key]
        owner       = alarm.meta.owner
      })
    }
  ]...)
  plain   = { for name, member in local.members : name => member if member.per == null && member.band == null }
  derived = { for name, member in local.members : name => member if member.per != null || member.band != null }

  descriptions = { for key, alarm in local.alarms : key => join("\n", [
    alarm.meta.title,
    "Severity: ${alarm.meta.severity}",
    "Owner: ${alarm.meta.owner}",
    "Runbook: ${var.runbooks}/${key}.md",
  ]) }
  tags   = { for key, alarm in local.alarms : key => { owner = alarm.meta.owner, severity = alarm.meta.severity, runbook = "${key}.md" } }
  topics = { for pair in setproduct(keys(local.regions), keys(var.teams)) : "${pair[0]} ${pair[1]}" => { region = local.regions[pair[0]], team = pair[1] } }
}

resource "aws_cloudwatch_metric_alarm" "plain" {
  for_each = local.plain

  alarm_name          = each.value.alarm_name
  alarm_description   = each.value.description
  region              = each.value.region
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = coalesce(each.value.datapoints, each.value.periods)
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = each.value.pages ? [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.owner}"].arn] : []
  ok_actions          = each.value.pages ? [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.owner}"].arn] : []

  # Few requests make any percentile: then there is nothing to judge.
  evaluate_low_sample_count_percentiles = startswith(each.value.stat, "p") ? "ignore" : null

  tags = local.tags[each.value.key]
}

# A share of another metric in percent, or a metric outside the band that it usually keeps to.
resource "aws_cloudwatch_metric_alarm" "derived" {
  for_each = local.derived

  alarm_name          = each.value.alarm_name
  alarm_description   = each.value.description
  region              = each.value.region
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = coalesce(each.value.datapoints, each.value.periods)
  comparison_operator = each.value.comparison
  threshold           = each.value.band == null ? each.value.threshold : null
  threshold_metric_id = each.value.band == null ? null : "band"
  treat_missing_data  = each.value.missing
  alarm_actions       = each.value.pages ? [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.owner}"].arn] : []
  ok_actions          = each.value.pages ? [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.owner}"].arn] : []

  metric_query {
    id          = "count"
    return_data = each.value.per == null

    metric {
      namespace   = each.value.namespace
      metric_name = each.value.metric
      dimensions  = each.value.dimensions
      stat        = each.value.stat
      period      = each.value.period
    }
  }

  dynamic "metric_query" {
    for_each = each.value.per == null ? [] : [each.value.per]

    content {
      id = "whole"

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = each.value.period
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.per == null ? [] : [each.value.per]

    content {
      id          = "share"
      expression  = "IF(whole >= ${metric_query.value.at_least}, 100 * FILL(count, 0) / whole, 0)"
      label       = "percent"
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.band == null ? [] : [each.value.band]

    content {
      id          = "band"
      expression  = "ANOMALY_DETECTION_BAND(${each.value.per == null ? "count" : "share"}, ${metric_query.value})"
      label       = "usual"
      return_data = true
    }
  }

  tags = local.tags[each.value.key]
}

resource "aws_cloudwatch_composite_alarm" "this" {
  for_each = local.composite

  alarm_name        = each.key
  alarm_description = local.descriptions[each.key]
  region            = each.value.region
  alarm_rule        = join(" OR ", [for name in keys(each.value.members) : "ALARM(\"${each.key}-${name}\")"])
  alarm_actions     = [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.meta.owner}"].arn]
  ok_actions        = [aws_sns_topic.this["${coalesce(each.value.region, "home")} ${each.value.meta.owner}"].arn]

  dynamic "actions_suppressor" {
    for_each = each.value.suppressed_by == null ? [] : [each.value.suppressed_by]

    content {
      alarm            = actions_suppressor.value
      wait_period      = 120
      extension_period = 300
    }
  }

  tags = local.tags[each.key]

  depends_on = [aws_cloudwatch_metric_alarm.plain, aws_cloudwatch_metric_alarm.derived]
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = var.event_alarms

  name          = "${var.prefix}${each.key}"
  description   = var.signals[each.key].title
  event_pattern = each.value.pattern
}

# The alarm pages; the event itself, with what was found, is kept here.
resource "aws_cloudwatch_event_target" "this" {
  for_each = var.event_alarms

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "log-group"
  arn       = aws_cloudwatch_log_group.events.arn
}

resource "aws_cloudwatch_log_group" "events" {
  name              = "/payops/alarm-events"
  retention_in_days = 400
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "events" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.events.arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name     = "payops-alarm-events"
  policy_document = data.aws_iam_policy_document.events.json
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = var.log_alarms

  name           = each.key
  log_group_name = each.value.log_group
  pattern        = each.value.pattern

  metric_transformation {
    namespace     = var.log_namespace
    name          = each.key
    value         = "1"
    default_value = "0"
  }
}
