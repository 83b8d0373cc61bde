output "groups" {
  description = "Groups by permission set; people are put in them by hand or by the identity provider."
  value       = { for set, group in aws_identitystore_group.this : set => group.display_name }
}
