provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                   = "payops-ledger-test"
  replica_name           = "payops-ledger-test-replica"
  account_id             = "471122334433"
  database               = "payops"
  engine_version         = "17.6"
  instance_class         = "db.m7g.large"
  storage_gb             = 100
  storage_max_gb         = 500
  vpc_id                 = "vpc-1"
  vpc_cidr               = "10.16.0.0/16"
  subnet_ids             = ["subnet-1", "subnet-2", "subnet-3"]
  rotation_subnet_ids    = ["subnet-4", "subnet-5", "subnet-6"]
  client_security_groups = { cluster = "sg-1" }
  kms_key_arn            = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  secrets_key_arn        = "arn:aws:kms:eu-west-1:471122334433:key/22222222-2222-2222-2222-222222222222"
  master_secret_name     = "test/payops/ledger-master"
}

run "ledger" {
  command = apply

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.storage_encrypted && !aws_db_instance.this.publicly_accessible
    error_message = "The ledger stands in two zones, encrypted and private."
  }

  assert {
    condition     = aws_db_instance.this.max_allocated_storage == 500 && aws_db_instance.replica.max_allocated_storage == 500
    error_message = "Storage grows by itself, on the replica as well."
  }

  assert {
    condition     = aws_db_instance.replica.replicate_source_db == aws_db_instance.this.identifier && aws_db_instance.this.manage_master_user_password == null
    error_message = "A password that RDS manages excludes the replica."
  }

  assert {
    condition     = aws_db_instance.this.password == null && aws_db_instance.this.iam_database_authentication_enabled
    error_message = "The password is in no state."
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.master.rotation_rules[0].automatically_after_days == 30
    error_message = "The master password rotates."
  }

  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "rds.force_ssl=1")
    error_message = "The ledger takes connections without TLS."
  }
}

run "storage_that_cannot_grow_is_refused" {
  command = plan
  variables {
    storage_max_gb = 100
  }
  expect_failures = [var.storage_max_gb]
}
