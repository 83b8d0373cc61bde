variable "env" {
  description = "The environment, whose GitHub environment has the same name."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "region" {
  description = "The account's region."
  type        = string
}

variable "role_names" {
  description = "Names of the roles of people and pipelines."
  type        = map(string)

  validation {
    condition     = alltrue([for role in ["deploy-plan", "deploy-apply", "release"] : contains(keys(var.role_names), role)])
    error_message = "Pipelines have the roles deploy-plan, deploy-apply and release."
  }
}

variable "sub_prefix" {
  description = "What the sub claim of the repository's tokens begins with: repo:ORG@ID/REPO@ID for repositories made since July 2026, repo:ORG/REPO before."
  type        = string

  validation {
    condition     = can(regex("^repo:[^:*]+/[^:*]+$", var.sub_prefix))
    error_message = "sub_prefix is repo:ORG/REPO or repo:ORG@ID/REPO@ID, of one repository."
  }
}

variable "boundary_name" {
  description = "Name of the boundary that the pipeline must put on every role."
  type        = string
}

variable "state" {
  description = "Bucket and key of Terraform's state."
  type = object({
    bucket  = string
    key_arn = string
  })
}

variable "managed_arns" {
  description = "Secrets whose values Terraform writes itself, and their key."
  type        = list(string)
  default     = []
}

variable "release_buckets" {
  description = "ARNs of the buckets of functions and of static files."
  type        = list(string)
}

variable "data_key_arn" {
  description = "Key of those buckets."
  type        = string
}

variable "worker" {
  description = "The worker: function, CodeDeploy's application and deployment group."
  type = object({
    function_arn         = string
    application_arn      = string
    deployment_group_arn = string
  })
}

variable "distribution_arn" {
  description = "CloudFront distribution, whose static files are invalidated."
  type        = string
}

variable "pull_requests" {
  description = "Cluster of pull requests' environments; null where there are none."
  type = object({
    cluster_arn = string
  })
  default = null
}
