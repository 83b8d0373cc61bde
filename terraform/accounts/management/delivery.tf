# Releases are built once and kept here; every account pulls them by digest.
module "registry" {
  source = "../../modules/registry"

  repositories       = module.names.registry["release"].repositories
  kms_key_arn        = module.key.arn
  organization_id    = module.names.organization_id
  reader_account_ids = [for account in local.workloads : account.id]
}

data "aws_kms_alias" "state" {
  name = "alias/payops-state"
}

# The pipeline plans this account and pushes releases. It may apply what runs here; the organization, people and policies an admin
# applies, since no SCP binds this account.
module "pipelines" {
  source = "../../modules/pipeline-roles"

  env                 = "management"
  release_environment = "build" # What is applied here waits for reviewers; what is built waits for nobody.
  account_id          = local.account.id
  region              = local.regions.home
  role_names          = module.names.roles
  sub_prefix          = module.names.github.sub_prefix
  boundary_name       = "payops-boundary"
  state               = { bucket = local.names.state_bucket, key_arn = data.aws_kms_alias.state.target_key_arn }
  push_arns           = [module.names.registry["release"].image_arns, module.names.registry["release"].chart_arns]
  data_key_arn        = module.key.arn
  reads = [
    "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "codebuild:BatchGet*", "codebuild:List*", "codeconnections:Get*",
    "codeconnections:List*", "identitystore:Describe*", "identitystore:List*", "organizations:Describe*", "organizations:List*", "ram:Get*",
    "ram:List*", "securityhub:Describe*", "securityhub:Get*", "securityhub:List*", "ssm:GetParameter", "sso:Describe*", "sso:Get*", "sso:List*",
  ]
}
