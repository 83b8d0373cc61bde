# The preprod account: everything is in modules/workload, here are its sizes.
# platform-check: metric Payops {FunctionName} RecordsFailed
# platform-check: metric Payops {Queue} DeadLetters
# platform-check: metric Payops {Service} OldestProcessingAge ReconcileBreaks
# platform-check: known module.workload.module.alarms.aws_cloudwatch_event_target.this["backup-failed"] a target's ARN is where it leads; several lead to one
# platform-check: known module.workload.module.bus.aws_cloudwatch_event_target.this["archive-payments-work"] two rules lead to this queue
# platform-check: known lambda:SourceFunctionArn AWS sets it on every call of a function's code, whatever the service
module "names" {
  source = "../../modules/names"
  env    = "preprod"
}

module "workload" {
  source = "../../modules/workload"

  env = "preprod"

  node_groups = {
    general = { instance_types = ["m7g.large"], min = 3, max = 12 }
    secure  = { instance_types = ["m7g.large"], min = 3, max = 6, taint = "secure" }
  }
  worker = { memory_mb = 512, maximum_concurrency = 50 }
  ledger = {
    instance_class = "db.m7g.large", memory_gb = 8, connections_max = 850, multi_az = true, storage_gb = 100, storage_max_gb = 500
  }
  search            = { instance_type = "m6g.large.search", instance_count = 3, volume_gb = 50 }
  archive_lock_days = 7
  log_days          = 90
}
