# Monitors in Datadog, for every environment: one organization of Datadog has them all. Its keys are DD_API_KEY and DD_APP_KEY of whoever
# applies, and are in no state.
module "names" {
  source   = "../modules/names"
  for_each = toset(["test", "preprod", "prod"])
  env      = each.key
}

module "monitors" {
  source   = "../modules/datadog-monitors"
  for_each = module.names

  env          = each.key
  cluster_name = each.value.names.cluster
  runbooks     = each.value.runbooks
  signals = { for key in ["eks-node", "metrics-silent"] : key => {
    title    = each.value.signals[key].title
    owner    = each.value.signals[key].owner
    severity = each.value.signals[key].severity
  } }
}
