resource "aws_organizations_organization" "this" {
  feature_set          = "ALL"
  enabled_policy_types = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]
  aws_service_access_principals = [
    "access-analyzer.amazonaws.com", "backup.amazonaws.com", "cloudtrail.amazonaws.com", "config.amazonaws.com", "guardduty.amazonaws.com",
    "iam.amazonaws.com", "ram.amazonaws.com", "securityhub.amazonaws.com", "sso.amazonaws.com",
  ]
}

locals {
  units = { nonproduction = "Nonproduction", production = "Production" }
}

resource "aws_organizations_organizational_unit" "workloads" {
  name      = "Workloads"
  parent_id = aws_organizations_organization.this.roots[0].id
}

resource "aws_organizations_organizational_unit" "this" {
  for_each = local.units

  name      = each.value
  parent_id = aws_organizations_organizational_unit.workloads.id
}

# An account is closed by hand: a plan that removes one only lets it leave Terraform's sight.
resource "aws_organizations_account" "this" {
  for_each = var.accounts

  name                       = each.key
  email                      = each.value.email
  parent_id                  = aws_organizations_organizational_unit.this[each.value.unit].id
  iam_user_access_to_billing = "DENY"
  close_on_deletion          = false

  lifecycle {
    ignore_changes = [role_name, iam_user_access_to_billing]
  }
}

# Root users of the member accounts have no credentials at all; the management account acts as them when it must.
resource "aws_iam_organizations_features" "this" {
  enabled_features = ["RootCredentialsManagement", "RootSessions"]

  depends_on = [aws_organizations_organization.this]
}

resource "aws_organizations_policy" "this" {
  for_each = local.policies

  name        = each.key
  description = each.value.description
  type        = each.value.type
  content     = each.value.content

  depends_on = [aws_organizations_organization.this]
}

resource "aws_organizations_policy_attachment" "this" {
  for_each = local.policies

  policy_id = aws_organizations_policy.this[each.key].id
  target_id = each.value.production ? aws_organizations_organizational_unit.this["production"].id : aws_organizations_organizational_unit.workloads.id
}
