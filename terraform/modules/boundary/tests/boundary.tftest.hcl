provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

run "boundary" {
  command = apply

  assert {
    condition     = length(aws_iam_policy.this.policy) <= 6144
    error_message = "A managed policy has 6,144 characters at most."
  }

  assert {
    condition     = strcontains(aws_iam_policy.this.policy, "s3:BypassGovernanceRetention") && strcontains(aws_iam_policy.this.policy, "\"iam:*\"")
    error_message = "A role of a service ends a retention, or changes identities."
  }
}
