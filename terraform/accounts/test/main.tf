# The test account: everything is in modules/workload, here are its sizes.
# platform-check: metric Payops {FunctionName} RecordsFailed
# platform-check: metric Payops {Queue} DeadLetters
# platform-check: metric Payops {Service} OldestProcessingAge ReconcileBreaks
# platform-check: known module.workload.module.alarms.aws_cloudwatch_event_target.this["backup-failed"] a target's ARN is where it leads; several lead to one
# platform-check: known module.workload.module.bus.aws_cloudwatch_event_target.this["archive-payments-work"] two rules lead to this queue
# platform-check: known lambda:SourceFunctionArn AWS sets it on every call of a function's code, whatever the service
module "names" {
  source = "../../modules/names"
  env    = "test"
}

module "workload" {
  source = "../../modules/workload"

  env = "test"

  node_groups = {
    general = { instance_types = ["m7g.large"], min = 3, max = 9 }
    secure  = { instance_types = ["m7g.large"], min = 1, max = 3, taint = "secure" }
  }
  worker = { memory_mb = 512, maximum_concurrency = 10 }
  ledger = {
    instance_class = "db.t4g.large", memory_gb = 8, connections_max = 850, multi_az = false, storage_gb = 50, storage_max_gb = 200
  }
  search              = { instance_type = "t3.medium.search", instance_count = 1, volume_gb = 20 }
  archive_lock_days   = 1
  log_days            = 30
  deletion_protection = false
  pull_requests       = true

  # Nobody waits at night, and tests are slow on purpose.
  thresholds = { latency_seconds = 2, queue_length = 10000, queue_age_seconds = 1800, records_failed = 50 }
}
