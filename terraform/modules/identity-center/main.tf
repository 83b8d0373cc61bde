# People have no keys: they sign in at Identity Center, get a permission set in an account, and from there one of payops' roles.
data "aws_ssoadmin_instances" "this" {}

locals {
  instance = one(data.aws_ssoadmin_instances.this.arns)
  store    = one(data.aws_ssoadmin_instances.this.identity_store_ids)

  # Which roles of payops a permission set may become.
  duties = {
    viewer      = ["view"]
    support     = []
    operator    = ["view", "operate"]
    deployer    = ["view"]
    break-glass = ["view", "operate", "break-glass"]
  }
  assignments = merge([for set, accounts in var.assignments : {
    for account in accounts : "${set} ${account}" => { set = set, account = account }
  }]...)
}

# The name that a session carries is Identity Center's, not the person's to choose: roles demand it as source identity.
resource "aws_ssoadmin_instance_access_control_attributes" "this" {
  instance_arn = local.instance

  attribute {
    key = "UserName"
    value {
      source = ["$${path:userName}"]
    }
  }
}

resource "aws_ssoadmin_permission_set" "this" {
  for_each = local.duties

  name             = each.key
  description      = var.descriptions[each.key]
  instance_arn     = local.instance
  session_duration = each.key == "break-glass" ? "PT1H" : "PT8H"
}

resource "aws_ssoadmin_permission_set_inline_policy" "this" {
  for_each = local.duties

  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.this[each.key].arn
  inline_policy      = data.aws_iam_policy_document.this[each.key].minified_json
}

resource "aws_identitystore_group" "this" {
  for_each = local.duties

  identity_store_id = local.store
  display_name      = "payops-${each.key}"
  description       = var.descriptions[each.key]
}

resource "aws_ssoadmin_account_assignment" "this" {
  for_each = local.assignments

  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.this[each.value.set].arn
  principal_id       = aws_identitystore_group.this[each.value.set].group_id
  principal_type     = "GROUP"
  target_id          = var.account_ids[each.value.account]
  target_type        = "AWS_ACCOUNT"
}
