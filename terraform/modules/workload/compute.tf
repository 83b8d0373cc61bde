module "cluster" {
  source = "../cluster"

  name                 = local.names.cluster
  account_id           = local.account.id
  kubernetes_version   = module.names.versions.kubernetes
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  api_cidrs            = [local.management.cidr]
  node_groups          = var.node_groups
  kms_key_arn          = module.key.arn
  log_days             = var.log_days
  deletion_protection  = var.deletion_protection
  permissions_boundary = module.boundary.arn

  # What the groups may do is the charts' RBAC; view reads everything but secrets by EKS's own policy.
  access = {
    view        = { principal_arn = local.role_arns["view"], groups = ["payops-view"], policy = "AmazonEKSViewPolicy" }
    operate     = { principal_arn = local.role_arns["operate"], groups = ["payops-operate"], policy = "AmazonEKSViewPolicy" }
    break-glass = { principal_arn = local.role_arns["break-glass"], groups = ["payops-break-glass"], policy = "AmazonEKSClusterAdminPolicy" }
    argocd      = { principal_arn = aws_iam_role.argocd.arn, policy = "AmazonEKSClusterAdminPolicy" }
  }
}

module "worker" {
  source = "../worker"

  name                 = "payments-worker"
  account_id           = local.account.id
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.private_subnet_ids
  kms_key_arn          = module.key.arn
  artifact             = { bucket = module.artifacts.id, key = "payments-worker/first.zip" }
  policy               = module.service_policies.policies["payments-worker"]
  queue                = { arn = module.queues["payments-work"].arn, visibility_seconds = module.queues["payments-work"].visibility_seconds }
  maximum_concurrency  = var.worker.maximum_concurrency
  memory_mb            = var.worker.memory_mb
  rollback_alarms      = local.rollback_alarms
  log_days             = var.log_days
  permissions_boundary = module.boundary.arn

  environment = {
    PAYOPS_AWS_ACCOUNT   = local.account.id
    PAYOPS_TABLE         = local.names.table
    PAYOPS_BUCKET        = local.names.archive_bucket
    PAYOPS_BUS           = local.names.bus
    PAYOPS_QUEUE_PREFIX  = local.names.queue_prefix
    PAYOPS_SECRET_PREFIX = local.names.secret_prefix
  }
}

# Releases are built once and lie in the management account; here is what pull requests build, where there are any.
module "pull_request_registry" {
  source = "../registry"
  count  = var.pull_requests ? 1 : 0

  repositories    = module.names.registry["pull_request"].repositories
  kms_key_arn     = module.key.arn
  organization_id = module.names.organization_id
  # Argo CD, which runs there, reads their charts.
  reader_account_ids = [local.management.id]
  keep_days          = 14
}
