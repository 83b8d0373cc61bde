# Services sign in to the ledger by URLs that rotate: each role has two logins that take turns, so that what pods hold stays good until
# the rotation after the next. The function is terraform/functions/rotate.py.
data "aws_iam_policy_document" "rotation" {
  statement {
    sid = "Rotate"
    actions = [
      "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [for login in var.logins : login.secret_arn]
  }

  statement {
    sid       = "SignInAsMaster"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.master_secret_arn]
  }

  statement {
    sid       = "SecretsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.secrets_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.region}.amazonaws.com"]
    }
  }
}

module "rotation" {
  source = "../python-function"

  name        = var.name
  description = "Rotates the logins of services at the ledger"
  account_id  = var.account_id
  region      = var.region
  files       = ["postgres.py", "rotate.py"]
  handler     = "rotate.handler"
  policy      = data.aws_iam_policy_document.rotation.json
  caller      = { service = "secretsmanager.amazonaws.com" }

  environment = {
    LOGINS = jsonencode({ for secret, login in var.logins : secret => { role = login.role, host = login.host } })
    MASTER = var.master_secret_arn
    CA_URL = "https://truststore.pki.rds.amazonaws.com/${var.region}/${var.region}-bundle.pem"
  }

  vpc_id                     = var.vpc_id
  subnet_ids                 = var.subnet_ids
  database_security_group_id = var.database_security_group_id
  kms_key_arn                = var.kms_key_arn
  log_days                   = var.log_days
  permissions_boundary       = var.permissions_boundary
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = var.logins

  secret_id           = each.value.secret_arn
  rotation_lambda_arn = module.rotation.arn
  # The roles are made at first set-up, after this: the first rotation is asked for then.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.days
  }
}
