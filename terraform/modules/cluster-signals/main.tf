# What is judged of every cluster, the management account's included.
locals {
  cluster = { ClusterName = var.cluster_name }

  metric_alarms = {
    eks-api = { members = { errors = { namespace = "AWS/EKS", metric = "apiserver_request_total_5XX", dimensions = local.cluster, stat = "Sum", threshold = 10, periods = 3 } } }
    eks-node = { members = { failed = {
      namespace = "ContainerInsights", metric = "cluster_failed_node_count", dimensions = local.cluster, stat = "Maximum", threshold = 0, missing = "breaching"
    } } }
    eks-pending = { members = { pods = { namespace = "AWS/EKS", metric = "scheduler_pending_pods_UNSCHEDULABLE", dimensions = local.cluster, stat = "Maximum", threshold = 0, periods = 10 } } }
    # Nodes that failed leave the others full: one cause.
    eks-pressure = { suppressed_by = "eks-node", members = { for resource, percent in { cpu = 85, memory = 85, filesystem = 80 } : resource => {
      namespace = "ContainerInsights", metric = "node_${resource}_utilization", dimensions = local.cluster, stat = "Average", threshold = percent, periods = 10
    } } }
  }

  log_alarms = {
    eks-forbidden = {
      log_group = var.audit_log_group
      pattern   = "{ $.responseStatus.code = 403 && ($.objectRef.resource = \"secrets\" || $.objectRef.subresource = \"log\") }"
    }
    eks-create = {
      log_group = var.audit_log_group
      pattern   = "{ $.verb = \"create\" && ($.objectRef.resource = \"pods\" || $.objectRef.resource = \"serviceaccounts\") && $.responseStatus.code >= 400 }"
      threshold = 5
    }
  }
}
