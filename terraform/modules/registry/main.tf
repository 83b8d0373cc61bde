# Images and charts, pushed once under a tag that is never moved and pulled by digest everywhere.
resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = each.key
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.keep_days != null

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
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
    description  = var.keep_days == null ? "Keep what can still be rolled back to" : "Pull requests end"
    selection    = jsondecode(var.keep_days == null ? local.by_number : local.by_days)
    action       = { type = "expire" }
  }] })
}

# As text, because the two have different members.
locals {
  by_number = jsonencode({ tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep_images })
  by_days   = jsonencode({ tagStatus = "any", countType = "sinceImagePushed", countUnit = "days", countNumber = var.keep_days })
}

data "aws_iam_policy_document" "this" {
  count = length(var.reader_account_ids) == 0 ? 0 : 1

  statement {
    sid     = "AccountsPull"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"]

    principals {
      type        = "AWS"
      identifiers = [for account in var.reader_account_ids : "arn:aws:iam::${account}:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
  }
}

resource "aws_ecr_repository_policy" "this" {
  for_each = length(var.reader_account_ids) == 0 ? {} : aws_ecr_repository.this

  repository = each.value.name
  policy     = data.aws_iam_policy_document.this[0].json
}
