variable "env" {
  description = "The environment, whose GitHub environment has the same name."
  type        = string
}

variable "release_environment" {
  description = "GitHub environment whose jobs release, where it is another than env; null for env."
  type        = string
  default     = null

  validation {
    condition     = var.release_environment == null || can(regex("^[a-z][a-z-]*$", var.release_environment))
    error_message = "release_environment is the name of one GitHub environment."
  }
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

variable "reads" {
  description = "Further actions that a plan of this account reads configuration by."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.reads : can(regex(":(Get|List|Describe|BatchGet)", action))])
    error_message = "A plan reads."
  }
}

variable "push_arns" {
  description = "Repositories that a release pushes to, by pattern."
  type        = list(string)
  default     = []
}

variable "pull_arns" {
  description = "Repositories that a release pulls from, by pattern."
  type        = list(string)
  default     = []
}

variable "release_buckets" {
  description = "ARNs of the buckets of functions and of static files."
  type        = list(string)
  default     = []
}

variable "data_key_arn" {
  description = "Key of those buckets."
  type        = string
}

variable "secrets" {
  description = "Secrets that the suites of a release read, and their key; null for none."
  type = object({
    arns    = list(string)
    key_arn = string
  })
  default = null
}

variable "worker" {
  description = "The worker: function, CodeDeploy's application and deployment group; null where there is none."
  type = object({
    function_arn         = string
    application_arn      = string
    deployment_group_arn = string
  })
  default = null
}

variable "distribution_arn" {
  description = "CloudFront distribution, whose static files are invalidated; null where there is none."
  type        = string
  default     = null
}

variable "pull_requests" {
  description = "Cluster of pull requests' environments, and repositories that they push to; null where there are none."
  type = object({
    cluster_arn = string
    push_arns   = list(string)
  })
  default = null
}
