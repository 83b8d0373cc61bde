# The prod account: everything is in modules/workload, here are its sizes.
# platform-check: metric Payops {FunctionName} RecordsFailed
# platform-check: metric Payops {Queue} DeadLetters
# platform-check: metric Payops {Service} OldestProcessingAge ReconcileBreaks
# platform-check: known module.workload.module.alarms.aws_cloudwatch_event_target.this["backup-failed"] a target's ARN is where it leads; several lead to one
# platform-check: known module.workload.module.bus.aws_cloudwatch_event_target.this["archive-payments-work"] two rules lead to this queue
# platform-check: known lambda:SourceFunctionArn AWS sets it on every call of a function's code, whatever the service
module "names" {
  source = "../../modules/names"
  env    = "prod"
}

module "workload" {
  source = "../../modules/workload"

  env = "prod"

  node_groups = {
    general = { instance_types = ["m7g.xlarge"], min = 3, max = 18 }
    secure  = { instance_types = ["m7g.large"], min = 3, max = 9, taint = "secure", disk_gb = 50 }
  }
  worker = { memory_mb = 512, maximum_concurrency = 100 }
  ledger = {
    instance_class = "db.r7g.large", memory_gb = 16, connections_max = 1700, multi_az = true, storage_gb = 200, storage_max_gb = 1000
  }
  search            = { instance_type = "m6g.large.search", instance_count = 3, master_type = "m6g.large.search", volume_gb = 100 }
  archive_lock_days = 2555
  log_days          = 400
}
