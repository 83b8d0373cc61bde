terraform {
  required_version = "= 1.11.4"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "= 2.8.1"
    }
    aws = {
      source  = "hashicorp/aws"
      version = "= 6.69.1"
    }
    random = {
      source  = "hashicorp/random"
      version = "= 3.9.1"
    }
  }

  # The bucket is in this account, made by bootstrap. A backend takes no variables.
  backend "s3" {
    bucket       = "payops-state-preprod"
    key          = "account.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    kms_key_id   = "alias/payops-state"
    use_lockfile = true
  }
}

provider "aws" {
  region              = module.names.regions.home
  allowed_account_ids = ["471122334455"]

  default_tags {
    tags = { project = "payops", environment = "preprod", managed-by = "terraform" }
  }
}
