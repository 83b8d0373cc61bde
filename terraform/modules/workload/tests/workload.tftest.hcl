# The whole is planned and applied by the accounts' roots; here is what it refuses.
provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  env = "test"
  node_groups = {
    general = { instance_types = ["m7g.large"], min = 3, max = 6 }
    secure  = { instance_types = ["m7g.large"], min = 1, max = 3, taint = "secure" }
  }
  worker            = { memory_mb = 512, maximum_concurrency = 10 }
  ledger            = { instance_class = "db.t4g.large", memory_gb = 8, connections_max = 850, multi_az = false, storage_gb = 50, storage_max_gb = 200 }
  search            = { instance_type = "t3.medium.search", instance_count = 1, volume_gb = 20 }
  archive_lock_days = 1
  log_days          = 30
}

run "secure_work_without_nodes_of_its_own_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7g.large"], min = 3, max = 6 } }
  }
  expect_failures = [var.node_groups]
}

run "an_archive_without_a_lock_is_refused" {
  command = plan
  variables {
    archive_lock_days = 0
  }
  expect_failures = [var.archive_lock_days]
}
