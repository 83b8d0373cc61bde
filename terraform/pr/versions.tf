terraform {
  required_version = "= 1.11.4"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "= 6.69.1"
    }
  }

  # The key is given per pull request: terraform init -backend-config="key=pr/NUMBER.tfstate"
  backend "s3" {
    bucket       = "payops-state-test"
    region       = "eu-west-1"
    encrypt      = true
    kms_key_id   = "alias/payops-state"
    use_lockfile = true
  }
}

provider "aws" {
  region              = module.names.regions.home
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "pr-${var.number}", managed-by = "terraform" }
  }
}
