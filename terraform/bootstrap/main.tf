# Where an account's state is kept. Applied once by an admin of the account, with a state on disk that then moves into the bucket.
module "names" {
  source = "../modules/names"
  env    = var.env
}

locals {
  bucket = module.names.names.state_bucket

  # People read no state: it names everything. Pipelines and break-glass do.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "PipelinesAndAdmins"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource  = "arn:aws:s3:::{bucket}/*"
      Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(
        [for role in ["deploy-plan", "deploy-apply"] : "arn:aws:iam::${module.names.account.id}:role/${module.names.roles[role]}*"],
        [
          "arn:aws:iam::${module.names.account.id}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_break-glass_*",
          "arn:aws:iam::${module.names.account.id}:role/OrganizationAccountAccessRole",
          "arn:aws:iam::${module.names.account.id}:role/replicate-*",
        ],
      ) } }
    }]
  })
}

module "key" {
  source = "../modules/key"

  name        = "payops-state"
  description = "State of Terraform in ${var.env}"
}

module "replica_key" {
  source = "../modules/key"

  name        = "payops-state-replica"
  description = "Copy of the state of Terraform in ${var.env}"
  region      = module.names.regions.replica
}

module "state" {
  source = "../modules/bucket"

  name            = local.bucket
  kms_key_arn     = module.key.arn
  replica         = { name = "${local.bucket}-replica", region = module.names.regions.replica, kms_key_arn = module.replica_key.arn }
  policies        = [local.policy]
  eventbridge     = false
  noncurrent_days = 90
}
