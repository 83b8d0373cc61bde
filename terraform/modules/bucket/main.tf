locals {
  # The replica is a bucket of the same kind in another region: what holds for one holds for both.
  buckets = merge(
    { primary = { name = var.name, region = null, kms_key_arn = var.kms_key_arn, log_bucket = var.log_bucket, eventbridge = var.eventbridge } },
    var.replica == null ? {} : {
      replica = { name = var.replica.name, region = var.replica.region, kms_key_arn = var.replica.kms_key_arn, log_bucket = null, eventbridge = false }
    },
  )
  locked = var.object_lock == null ? {} : local.buckets
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_144:the replica is in this module; a replica has none itself
  for_each = local.buckets

  bucket              = each.value.name
  region              = each.value.region
  object_lock_enabled = var.object_lock != null
  force_destroy       = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  region                  = each.value.region
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region

  rule {
    bucket_key_enabled = each.value.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.value.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = each.value.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  for_each = local.locked

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  # checkov:skip=CKV_AWS_300:the rule old-versions has it
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.transition_days == null ? [] : [1]

    content {
      id     = "cold"
      status = "Enabled"

      filter {}

      transition {
        days          = var.transition_days
        storage_class = "GLACIER_IR"
      }
    }
  }

  dynamic "rule" {
    for_each = var.expiration_days == null ? [] : [1]

    content {
      id     = "end"
      status = "Enabled"

      filter {}

      expiration {
        days = var.expiration_days
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = { for key, bucket in local.buckets : key => bucket if bucket.log_bucket != null }

  bucket        = aws_s3_bucket.this[each.key].id
  region        = each.value.region
  target_bucket = each.value.log_bucket
  target_prefix = "s3/${each.value.name}/"
}

resource "aws_s3_bucket_notification" "this" {
  for_each = { for key, bucket in local.buckets : key => bucket if bucket.eventbridge }

  bucket      = aws_s3_bucket.this[each.key].id
  region      = each.value.region
  eventbridge = true
}

data "aws_iam_policy_document" "this" {
  for_each = local.buckets

  source_policy_documents = [for document in var.policies : replace(document, "{bucket}", each.value.name)]

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:aws:s3:::${each.value.name}", "arn:aws:s3:::${each.value.name}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  region = each.value.region
  policy = data.aws_iam_policy_document.this[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}
