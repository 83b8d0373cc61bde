# What is judged. Titles, owners and severities are in names/signals.json; the comment of a number says where it comes from.
locals {
  signals = { for key, signal in module.names.signals : key => signal if contains(signal.accounts, "workload") }

  # The platform's own metrics: one that the services do not have is no key here.
  own = { for name, metric in module.names.metrics : name => { name = name, dimension_sets = metric.dimension_sets } }

  # CodeDeploy takes a new version of the worker back on these.
  rollback_alarms = ["lambda-errors", "records-failed-worker", "records-failed-dead", "lambda-duration"]

  # Target groups are the controller's, and ping and pong change places with each canary: the load balancer has them all.
  alb = { LoadBalancer = module.edge.load_balancers["public"].dimension }

  queue_names   = { for key, queue in module.queues : key => queue.name }
  dead_names    = { for key, queue in module.queues : key => queue.dead_name }
  parking_names = { for key, queue in module.queues : key => queue.parking_name }

  worker = { FunctionName = module.worker.function_name, Resource = "${module.worker.function_name}:${module.worker.alias}" }
  ledger = { DBInstanceIdentifier = module.ledger.identifier }

  cluster_logs = {
    application = "/aws/containerinsights/${local.names.cluster}/application"
    audit       = module.cluster.log_group
    worker      = module.worker.log_group
    flow        = module.network.flow_log_group
    ledger      = module.ledger.log_group
  }

  metric_alarms = {
    api-latency = { suppressed_by = "api-errors", members = {
      p95 = { namespace = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.alb, stat = "p95", threshold = var.thresholds.latency_seconds }
    } }
    api-errors = { members = {
      # At least 20 requests a minute: of three requests one is no rate.
      target = {
        namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.alb, stat = "Sum", band = 3
        comparison = "GreaterThanUpperThreshold"
        per        = { namespace = "AWS/ApplicationELB", metric = "RequestCount", dimensions = local.alb, stat = "Sum", at_least = 20 }
      }
      balancer = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.alb, stat = "Sum", threshold = 10, periods = 2 }
    } }
    api-traffic = { members = {
      requests = {
        namespace  = "AWS/ApplicationELB", metric = "RequestCount", dimensions = local.alb, stat = "Sum", band = 4
        comparison = "LessThanLowerThreshold", period = 300, periods = 3, missing = "breaching"
      }
    } }
    saturation = { members = {
      pods = { namespace = "ContainerInsights", metric = "pod_cpu_utilization_over_pod_limit", dimensions = { ClusterName = module.cluster.name }, stat = "Maximum", threshold = 90, periods = 10 }
      # 80 % of what the mapping may run side by side.
      worker = { namespace = "AWS/Lambda", metric = "ConcurrentExecutions", dimensions = { FunctionName = module.worker.function_name }, stat = "Maximum", threshold = floor(0.8 * var.worker.maximum_concurrency), periods = 10 }
    } }
    logs-silent = { members = merge(
      { for name, group in local.cluster_logs : name => {
        namespace  = "AWS/Logs", metric = "IncomingLogEvents", dimensions = { LogGroupName = group }, stat = "Sum", threshold = 1
        comparison = "LessThanThreshold", period = 3600, periods = 1, missing = "breaching"
      } },
      { alb = {
        namespace  = "AWS/S3", metric = "PutRequests", dimensions = { BucketName = module.logs.id, FilterId = aws_s3_bucket_metric.alb.name }, stat = "Sum", threshold = 1
        comparison = "LessThanThreshold", period = 3600, periods = 1, missing = "breaching"
      } },
    ) }
    waf = { region = local.regions.edge, members = {
      blocked = { namespace = "AWS/WAFV2", metric = "BlockedRequests", dimensions = { WebACL = module.edge.web_acls["edge"], Rule = "ALL" }, stat = "Sum", threshold = 1000, period = 300, periods = 2 }
    } }
    cdn-errors = { region = local.regions.edge, members = {
      errors = { namespace = "AWS/CloudFront", metric = "5xxErrorRate", dimensions = { DistributionId = module.edge.distribution_id, Region = "Global" }, stat = "Average", threshold = 1, periods = 5, datapoints = 3 }
      access = { namespace = "AWS/CloudFront", metric = "403ErrorRate", dimensions = { DistributionId = module.edge.distribution_id, Region = "Global" }, stat = "Average", threshold = 10, periods = 5, datapoints = 3 }
      silent = {
        namespace  = "AWS/Logs", metric = "IncomingLogEvents", dimensions = { LogGroupName = module.edge.cdn_log_group }, stat = "Sum", threshold = 1
        comparison = "LessThanThreshold", period = 3600, periods = 1, missing = "breaching"
      }
    } }
    rds-cpu    = { members = { instance = { namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = local.ledger, stat = "Average", threshold = 80, periods = 10 } } }
    rds-memory = { members = { instance = { namespace = "AWS/RDS", metric = "FreeableMemory", dimensions = local.ledger, stat = "Minimum", threshold = 0.1 * var.ledger.memory_gb * 1024 * 1024 * 1024, comparison = "LessThanThreshold", periods = 10 } } }
    # Without data the replica does not replicate.
    rds-lag = { members = { replica = {
      namespace = "AWS/RDS", metric = "ReplicaLag", dimensions = { DBInstanceIdentifier = module.ledger.replica_identifier }, stat = "Maximum", threshold = 60, missing = "breaching"
    } } }
    rds-conns = { members = { instance = { namespace = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.ledger, stat = "Maximum", threshold = floor(0.8 * var.ledger.connections_max) } } }
    s3-repl = { members = {
      archive = {
        namespace  = "AWS/S3", metric = "OperationsFailedReplication", stat = "Sum", threshold = 0, period = 300, periods = 1
        dimensions = { SourceBucket = module.archive.id, DestinationBucket = module.archive.replica_id, RuleId = module.archive.replication_rule }
      }
      late = {
        namespace  = "AWS/S3", metric = "ReplicationLatency", stat = "Maximum", threshold = 900, period = 300, periods = 3
        dimensions = { SourceBucket = module.archive.id, DestinationBucket = module.archive.replica_id, RuleId = module.archive.replication_rule }
      }
    } }
    # A long queue whose messages are old is one cause: the age pages.
    sqs-length = { suppressed_by = "sqs-age", members = { for key, name in local.queue_names : key => {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = name }, stat = "Maximum", threshold = var.thresholds.queue_length, periods = 10
    } } }
    sqs-age = { members = { for key, name in local.queue_names : key => {
      namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = name }, stat = "Maximum", threshold = var.thresholds.queue_age_seconds, periods = 5
    } } }
    sqs-dlq = { members = { for key, name in local.dead_names : key => {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = name }, stat = "Maximum", threshold = 0, periods = 1
    } } }
    sqs-parking = { members = { for key, name in local.parking_names : key => {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = name }, stat = "Maximum", threshold = 0, periods = 1
    } } }
    # DeadLetterInvocations is not it: these went to the dead-letter queue of a target, or nowhere.
    events-undelivered = { members = merge([for key, rule in module.bus.rules : {
      for metric in ["InvocationsSentToDlq", "InvocationsFailedToBeSentToDlq"] : replace("${key} ${metric}", " ", "-") => {
        namespace  = "AWS/Events", metric = metric, stat = "Sum", threshold = 0, periods = 1
        dimensions = merge({ RuleName = rule.name }, rule.bus == "default" ? {} : { EventBusName = rule.bus })
      }
    }]...) }
    ddb-latency = { members = { for operation in ["GetItem", "Query", "TransactWriteItems"] : operation => {
      namespace = "AWS/DynamoDB", metric = "SuccessfulRequestLatency", dimensions = { TableName = module.table.name, Operation = operation }, stat = "p99", threshold = 100
    } } }
    ddb-throttle = { members = merge(
      { for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] : metric => {
        namespace = "AWS/DynamoDB", metric = metric, dimensions = { TableName = module.table.name }, stat = "Sum", threshold = 0, periods = 2
      } },
      { for pair in setproduct(module.table.indexes, ["ReadThrottleEvents", "WriteThrottleEvents"]) : "${pair[0]}-${pair[1]}" => {
        namespace = "AWS/DynamoDB", metric = pair[1], dimensions = { TableName = module.table.name, GlobalSecondaryIndexName = pair[0] }, stat = "Sum", threshold = 0, periods = 2
      } },
    ) }
    lambda-errors = { members = { live = { namespace = "AWS/Lambda", metric = "Errors", dimensions = local.worker, stat = "Sum", threshold = 0, periods = 3, datapoints = 2 } } }
    # With partial batch responses Errors stays 0 though every record fails: the worker counts them itself.
    records-failed = { members = {
      worker = {
        namespace = module.names.metric_namespace, metric = local.own["RecordsFailed"].name, dimensions = zipmap(local.own["RecordsFailed"].dimension_sets[0], [module.worker.function_name]), stat = "Sum", threshold = var.thresholds.records_failed, periods = 5, datapoints = 3
      }
      # A record that went to the dead-letter queue has not failed for Lambda.
      dead = {
        namespace = module.names.metric_namespace, metric = local.own["DeadLetters"].name, dimensions = zipmap(local.own["DeadLetters"].dimension_sets[0], ["payments-work"]), stat = "Sum", threshold = 0, periods = 1
      }
    } }
    lambda-throttle = { members = { live = { namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.worker, stat = "Sum", threshold = 0, periods = 5, datapoints = 3 } } }
    # 80 % of the time that an invocation has.
    lambda-duration = { members = { live = { namespace = "AWS/Lambda", metric = "Duration", dimensions = local.worker, stat = "p99", threshold = 24000 } } }
    oldest-processing = { members = { age = {
      namespace = module.names.metric_namespace, metric = local.own["OldestProcessingAge"].name, dimensions = zipmap(local.own["OldestProcessingAge"].dimension_sets[0], ["payments-api"]), stat = "Maximum", threshold = var.thresholds.processing_seconds, missing = "breaching"
    } } }
    reconcile-breaks = { members = { breaks = {
      namespace = module.names.metric_namespace, metric = local.own["ReconcileBreaks"].name, dimensions = zipmap(local.own["ReconcileBreaks"].dimension_sets[0], ["payments-api"]), stat = "Maximum", threshold = 0, period = 300, periods = 1
    } } }
    # SES reviews an account at 5 % bounces and 0.1 % complaints: well below.
    mail-reputation = { members = {
      bounces    = { namespace = "AWS/SES", metric = "Reputation.BounceRate", dimensions = {}, stat = "Maximum", threshold = 0.02, period = 3600, periods = 1 }
      complaints = { namespace = "AWS/SES", metric = "Reputation.ComplaintRate", dimensions = {}, stat = "Maximum", threshold = 0.0005, period = 3600, periods = 1 }
    } }
    search-health = { members = {
      red     = { namespace = "AWS/ES", metric = "ClusterStatus.red", dimensions = { DomainName = module.search.name, ClientId = local.account.id }, stat = "Maximum", threshold = 0, periods = 1 }
      storage = { namespace = "AWS/ES", metric = "FreeStorageSpace", dimensions = { DomainName = module.search.name, ClientId = local.account.id }, stat = "Minimum", threshold = 0.2 * var.search.volume_gb * 1024, comparison = "LessThanThreshold" }
    } }
  }

  event_alarms = merge(
    {
      rds-storage = { pattern = jsonencode({
        source = ["aws.rds"], detail-type = ["RDS DB Instance Event"]
        # Low, full, grown by itself, could not grow.
        detail = { EventID = ["RDS-EVENT-0007", "RDS-EVENT-0089", "RDS-EVENT-0217", "RDS-EVENT-0218", "RDS-EVENT-0223", "RDS-EVENT-0224", "RDS-EVENT-0225"] }
      }) }
      s3-public = { pattern = jsonencode({
        source = ["aws.access-analyzer"], detail-type = ["Access Analyzer Finding"]
        detail = { isPublic = [true], status = ["ACTIVE"] }
      }) }
      backup-failed = { pattern = jsonencode({
        # The second is what the function that looks at restores says.
        source = ["aws.backup", "payops.backup"], detail-type = ["Backup Job State Change", "Copy Job State Change", "Restore Job State Change", "Restore Validation"]
        detail = { "$or" = [{ state = ["FAILED", "EXPIRED", "ABORTED"] }, { status = ["FAILED"] }] }
      }) }
      rotation-failed = { pattern = jsonencode({
        source = ["aws.secretsmanager"], detail-type = ["AWS Service Event via CloudTrail"]
        detail = { eventName = ["RotationFailed"] }
      }) }
      rollout-failed = { pattern = jsonencode({
        source = ["aws.codedeploy"], detail-type = ["CodeDeploy Deployment State-change Notification"]
        detail = { state = ["FAILURE", "STOP"], application = [module.worker.codedeploy.app] }
      }) }
    },
    { for rule in module.baseline.config_rules : rule => { pattern = jsonencode({
      source = ["aws.config"], detail-type = ["Config Rules Compliance Change"]
      detail = { configRuleName = [rule], newEvaluationResult = { complianceType = ["NON_COMPLIANT"] } }
    }) } },
  )

  log_alarms = {
    flow-logs = {
      log_group = module.network.flow_log_group
      # The data subnets are 240.0/24 to 242.0/24 of the VPC's network.
      pattern   = "[version, account, interface, source, destination=\"${join(".", slice(split(".", local.account.cidr), 0, 2))}.24*\", sourceport, destinationport, protocol, packets, bytes, start, end, action=\"REJECT\", status]"
      threshold = 20
    }
    rds-slow = {
      log_group = module.ledger.log_group
      pattern   = "\"duration:\""
      threshold = 10
    }
  }
}

module "cluster_signals" {
  source = "../cluster-signals"

  cluster_name    = module.cluster.name
  audit_log_group = module.cluster.log_group
}

module "alarms" {
  source = "../alarms"

  env                  = var.env
  account_id           = local.account.id
  signals              = { for key, signal in local.signals : key => { title = signal.title, owner = signal.owner, severity = signal.severity } }
  metric_alarms        = merge(local.metric_alarms, module.cluster_signals.metric_alarms)
  event_alarms         = local.event_alarms
  log_alarms           = merge(local.log_alarms, module.cluster_signals.log_alarms)
  teams                = module.names.teams
  slack_workspace      = module.names.slack.workspace
  runbooks             = module.names.runbooks
  kms_key_arn          = module.key.arn
  region_kms_key_arns  = { (local.regions.edge) = module.edge_key.arn }
  permissions_boundary = module.boundary.arn
}

# What pipelines and Argo CD tell by themselves has a runbook, an owner and no alarm of CloudWatch.
locals {
  told_elsewhere = { for key, signal in local.signals : key => {
    severity = signal.severity
    owner    = signal.owner
    runbook  = "docs/runbooks/${key}.md"
    source   = signal.source
  } if signal.source != "cloudwatch" }
  alarms = merge(
    { for key, alarm in module.alarms.alarms : key => merge(alarm, { source = "cloudwatch" }) },
    { for key, signal in local.told_elsewhere : key => merge(signal, { alarm = null, members = [], region = null }) },
  )
}

check "every_signal_is_judged" {
  assert {
    condition     = toset(keys(local.alarms)) == toset(keys(local.signals))
    error_message = "Signals without an alarm: ${join(", ", setsubtract(keys(local.signals), keys(local.alarms)))}"
  }
}
