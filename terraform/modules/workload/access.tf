locals {
  worker_arns = {
    function_arn         = "arn:aws:lambda:${local.regions.home}:${local.account.id}:function:payments-worker"
    application_arn      = "arn:aws:codedeploy:${local.regions.home}:${local.account.id}:application:payments-worker"
    deployment_group_arn = "arn:aws:codedeploy:${local.regions.home}:${local.account.id}:deploymentgroup:payments-worker/live"
  }
}

module "access" {
  source = "../access-roles"

  account_id      = local.account.id
  role_names      = module.names.roles
  table_arn       = module.table.arn
  approval_prefix = module.names.table.approval_prefix
  api_key_prefix  = module.names.table.api_key_prefix
  freeze_key      = module.names.table.freeze_key
  queue_arns = {
    source  = [for queue in module.queues : queue.arn]
    dead    = [for queue in module.queues : queue.dead_arn]
    parking = [for queue in module.queues : queue.parking_arn]
  }
  archive_arn = module.archive.arn
  bus_arn     = module.bus.arn
  audit = {
    bus_arn       = module.bus.audit_bus_arn
    source        = module.names.audit.source
    detail_type   = module.names.audit.detail_type
    log_group_arn = module.bus.audit_log_group_arn
    key_arn       = module.secrets.audit_key_arn
  }
  ledger_secret_arn    = module.secrets.arns["ledger-url-readonly"]
  secrets_key_arn      = module.secrets_key.arn
  data_key_arn         = module.key.arn
  cluster_arn          = module.cluster.arn
  worker               = { function_arn = local.worker_arns.function_arn, deployment_group_arn = local.worker_arns.deployment_group_arn }
  admin                = { issuer = module.names.admin_issuer, client_id = "payops-admin-${var.env}" }
  may_purge            = !local.is_prod
  permissions_boundary = module.boundary.arn
}

data "aws_kms_alias" "state" {
  name = "alias/payops-state"
}

module "pipelines" {
  source = "../pipeline-roles"

  env              = var.env
  account_id       = local.account.id
  region           = local.regions.home
  role_names       = module.names.roles
  sub_prefix       = module.names.github.sub_prefix
  boundary_name    = "payops-boundary"
  state            = { bucket = local.names.state_bucket, key_arn = data.aws_kms_alias.state.target_key_arn }
  managed_arns     = [module.ledger.master_secret_arn, module.secrets_key.arn]
  release_buckets  = [module.artifacts.arn, module.assets.arn]
  data_key_arn     = module.key.arn
  worker           = local.worker_arns
  distribution_arn = module.edge.distribution_arn
  pull_arns        = [module.names.registry["release"].image_arns, module.names.registry["release"].chart_arns]
  secrets = {
    arns    = [for name, secret in module.names.secrets : module.secrets.arns[name] if contains(secret.readers, "release")]
    key_arn = module.secrets_key.arn
  }
  pull_requests = var.pull_requests ? {
    cluster_arn = module.cluster.arn
    push_arns   = [module.names.registry["pull_request"].image_arns, module.names.registry["pull_request"].chart_arns]
  } : null
}

# Argo CD runs in the management account and pushes here: its role there, and no other, becomes this one, which the cluster knows.
data "aws_iam_policy_document" "argocd_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.management.id}:root"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::${local.management.id}:role/${module.names.roles["argocd"]}-controller"]
    }
  }
}

resource "aws_iam_role" "argocd" {
  name                 = module.names.roles["argocd"]
  description          = "Argo CD of the management account, in this cluster"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.argocd_trust.json
  permissions_boundary = module.boundary.arn
}
