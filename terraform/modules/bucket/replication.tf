data "aws_iam_policy_document" "replication_trust" {
  count = var.replica == null ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:aws:s3:::${var.name}"]
    }
  }
}

data "aws_iam_policy_document" "replication" {
  count = var.replica == null ? 0 : 1

  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = ["arn:aws:s3:::${var.name}"]
  }

  statement {
    actions = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
    resources = ["arn:aws:s3:::${var.name}/*"]
  }

  statement {
    actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    resources = ["arn:aws:s3:::${var.replica.name}/*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]
    }
  }

  dynamic "statement" {
    for_each = var.replica.kms_key_arn == null ? [] : [1]

    content {
      actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
      resources = [var.replica.kms_key_arn]
    }
  }
}

resource "aws_iam_role" "replication" {
  count = var.replica == null ? 0 : 1

  name                 = "replicate-${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.replication_trust[0].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "replication" {
  count = var.replica == null ? 0 : 1

  name   = "replicate"
  role   = aws_iam_role.replication[0].id
  policy = data.aws_iam_policy_document.replication[0].json
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = var.replica == null ? 0 : 1

  bucket = aws_s3_bucket.this["primary"].id
  role   = aws_iam_role.replication[0].arn

  rule {
    id     = "all"
    status = "Enabled"

    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    # S3 refuses an empty block, and wants this one wherever the destination names a key.
    dynamic "source_selection_criteria" {
      for_each = var.kms_key_arn == null ? [] : [1]

      content {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }
    }

    destination {
      bucket        = aws_s3_bucket.this["replica"].arn
      storage_class = "STANDARD"

      dynamic "encryption_configuration" {
        for_each = var.replica.kms_key_arn == null ? [] : [1]

        content {
          replica_kms_key_id = var.replica.kms_key_arn
        }
      }

      metrics {
        status = "Enabled"
        event_threshold {
          minutes = 15
        }
      }
      replication_time {
        status = "Enabled"
        time {
          minutes = 15
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_object_lock_configuration.this]
}
