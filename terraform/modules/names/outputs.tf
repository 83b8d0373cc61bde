output "env" {
  description = "The environment."
  value       = var.env
}

output "project" {
  description = "The project's name, which begins the names of what it owns."
  value       = local.all.project
}

output "account" {
  description = "The account of the environment: name, id, email, cidr."
  value       = merge({ name = local.account }, local.all.accounts[local.account])
}

output "accounts" {
  description = "Every account by name: id, email, cidr."
  value       = local.all.accounts
}

output "organization_id" {
  description = "The organization's id."
  value       = local.all.organization_id
}

output "regions" {
  description = "home, replica (copies for disaster recovery) and edge (CloudFront's)."
  value       = local.all.regions
}

output "versions" {
  description = "Versions of what AWS runs: kubernetes, postgres, opensearch."
  value = {
    kubernetes = local.all.kubernetes_version
    postgres   = local.all.postgres_version
    opensearch = local.all.opensearch_version
  }
}

output "names" {
  description = "Names of the environment's resources, by what they are."
  value       = local.names
}

output "names_by_account" {
  description = "The same of every account."
  value       = local.by_account
}

output "queues" {
  description = "Queues by name in the code: consumer, and after how many receives it gives up."
  value       = local.all.queues
}

output "queue_suffixes" {
  description = "What a dead-letter queue's and a parking queue's name end in."
  value       = local.all.queue_suffixes
}

output "queue_names" {
  description = "Names in SQS of every queue, dead-letter and parking queue, by their names in the code."
  value       = local.queue_names
}

output "table" {
  description = "Keys, expiry and indexes of the table, and the key prefixes that policies speak of."
  value       = local.all.table
}

output "source" {
  description = "The source of the platform's own events."
  value       = local.all.source
}

output "events" {
  description = "Which detail types of that source each queue receives."
  value       = local.all.events
}

output "audit" {
  description = "Source and detail type of lines of the audit record."
  value       = local.all.audit
}

output "services" {
  description = "Services by name: namespace, service account, owner."
  value       = local.all.services
}

output "controllers" {
  description = "Controllers of a cluster that use AWS, by service account: their namespace."
  value       = local.all.controllers
}

output "jobs" {
  description = "Jobs that run beside a service under a service account of their own: their namespace."
  value       = local.all.jobs
}

output "registry" {
  description = "Registries of releases and of pull requests: account, what names of images and charts begin with, the repositories, and patterns of their ARNs."
  value       = local.registry
}

output "secrets" {
  description = "Secrets of this kind of account by name behind the prefix: who reads them (services, jobs, controllers, or the role release), what they are, and the role of the ledger whose URL they hold."
  value       = local.secrets
}

output "roles" {
  description = "Names of the roles that people and pipelines assume, by what they may do."
  value       = local.all.roles
}

output "permission_sets" {
  description = "Permission sets of Identity Center."
  value       = local.all.permission_sets
}

output "github" {
  description = "Repository, and what the sub claim of its tokens begins with."
  value       = local.all.github
}

output "transit_gateway_asn" {
  description = "The private ASN by which accounts find the Transit Gateway that is shared with them."
  value       = local.all.transit_gateway_asn
}

output "admin_issuer" {
  description = "Issuer of the tokens that Admin Web signs people in with."
  value       = local.all.admin_issuer
}

output "search_alias" {
  description = "Alias of the search index."
  value       = local.all.search_alias
}

output "ledger_database" {
  description = "Name of the ledger's database."
  value       = local.all.ledger_database
}

output "metric_namespace" {
  description = "CloudWatch namespace of the platform's own metrics."
  value       = local.all.metric_namespace
}

output "metrics_log_group" {
  description = "Log group in which those of the cluster arrive as lines."
  value       = local.all.metrics_log_group
}

output "metrics" {
  description = "The platform's own metrics by name in CloudWatch: name in Prometheus, kind, unit, sets of dimensions, services."
  value       = local.all.metrics
}

output "teams" {
  description = "Teams by name: the Slack channel that their alarms go to."
  value       = local.all.teams
}

output "slack" {
  description = "Slack workspace of the alarms."
  value       = local.all.slack
}

output "datadog_site" {
  description = "Site of Datadog."
  value       = local.all.datadog_site
}

output "runbooks" {
  description = "Address of the folder of runbooks."
  value       = local.all.runbooks
}

output "signals" {
  description = "Alarms by key: scenario item, title, owner, severity, where they come from, and in which accounts they are."
  value       = local.signals
}
