provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334411"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  repositories       = ["payops/notifier", "charts/notifier"]
  kms_key_arn        = "arn:aws:kms:eu-west-1:471122334411:key/11111111-1111-1111-1111-111111111111"
  organization_id    = "o-exampleorg"
  reader_account_ids = ["471122334477"]
}

run "released" {
  command = apply

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && !repository.force_delete])
    error_message = "A tag could be moved, or a repository deleted with what is in it."
  }

  assert {
    condition = alltrue([for policy in aws_ecr_repository_policy.this : alltrue([
      for statement in jsondecode(policy.policy).Statement :
      statement.Condition.StringEquals["aws:PrincipalOrgID"] == "o-exampleorg" && !contains(flatten([statement.Action]), "ecr:PutImage")
    ])])
    error_message = "Other accounts pull, within the organization, and push nothing."
  }
}

run "of_pull_requests" {
  command = apply
  variables {
    repositories       = ["pr/notifier"]
    reader_account_ids = []
    keep_days          = 14
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["pr/notifier"].policy).rules[0].selection.countNumber == 14 && length(aws_ecr_repository_policy.this) == 0
    error_message = "Images of pull requests go, and no other account pulls them."
  }
}

run "a_name_without_its_kind_is_refused" {
  command = plan
  variables {
    repositories = ["notifier"]
  }
  expect_failures = [var.repositories]
}
