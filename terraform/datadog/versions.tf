terraform {
  required_version = "= 1.11.4"

  required_providers {
    datadog = {
      source  = "DataDog/datadog"
      version = "= 4.25.0"
    }
  }

  # The management account's bucket, made by bootstrap. A backend takes no variables.
  backend "s3" {
    bucket       = "payops-state-management"
    key          = "datadog.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    kms_key_id   = "alias/payops-state"
    use_lockfile = true
  }
}

provider "datadog" {
  api_url = "https://api.${module.names["prod"].datadog_site}"
}
