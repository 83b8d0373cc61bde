terraform {
  required_version = "= 1.11.4"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "= 6.69.1"
    }
  }
}

provider "aws" {
  region              = module.names.regions.home
  allowed_account_ids = [module.names.account.id]

  default_tags {
    tags = { project = "payops", environment = var.env, managed-by = "terraform" }
  }
}
