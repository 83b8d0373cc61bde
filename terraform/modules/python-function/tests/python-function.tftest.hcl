provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name                       = "payops-test-example"
  description                = "An example"
  account_id                 = "471122334433"
  region                     = "eu-west-1"
  files                      = ["postgres.py", "rotate.py"]
  handler                    = "rotate.handler"
  environment                = { CA_URL = "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem" }
  policy                     = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Read\",\"Effect\":\"Allow\",\"Action\":\"sqs:GetQueueUrl\",\"Resource\":\"arn:aws:sqs:eu-west-1:471122334433:test-work\"}]}"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["subnet-4", "subnet-5", "subnet-6"]
  database_security_group_id = "sg-1"
  caller                     = { service = "secretsmanager.amazonaws.com" }
  kms_key_arn                = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
  permissions_boundary       = "arn:aws:iam::471122334433:policy/payops-boundary"
}

run "function" {
  command = apply

  assert {
    condition     = aws_lambda_permission.this.source_account == "471122334433"
    error_message = "A service calls it for another account."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid == "NotByTheCode" && statement.Effect == "Deny"])
    error_message = "The code may change networks."
  }

  assert {
    condition     = length(data.archive_file.this.source) == 2
    error_message = "Files are missing."
  }
}
