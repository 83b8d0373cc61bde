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

resource "aws_ecr_repository" "this" {
  for_each = toset(concat(keys(module.names.services), [for service in keys(module.names.services) : "charts/${service}"]))

  name                 = each.key
  image_tag_mutability = "IMMUTABLE"

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = module.key.arn
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name
  policy = jsonencode({ rules = [{
    rulePriority = 1
    description  = "Keep what can still be rolled back to"
    selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 200 }
    action       = { type = "expire" }
  }] })
}

# Images are built once, in test, and promoted: preprod and prod pull them from there.
data "aws_iam_policy_document" "ecr" {
  statement {
    sid     = "AccountsPull"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"]

    principals {
      type        = "AWS"
      identifiers = [for account in module.names.accounts : "arn:aws:iam::${account.id}:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [module.names.organization_id]
    }
  }
}

resource "aws_ecr_repository_policy" "this" {
  for_each = var.env == "test" ? aws_ecr_repository.this : {}

  repository = each.value.name
  policy     = data.aws_iam_policy_document.ecr.json
}
