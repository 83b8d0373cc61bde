variables {
  cluster_name    = "payops-test"
  audit_log_group = "/aws/eks/payops-test/cluster"
}

run "signals" {
  command = plan

  assert {
    condition     = length(output.metric_alarms) == 4 && length(output.log_alarms) == 2
    error_message = "API, nodes, scheduling, pressure; refused access, refused creation."
  }

  assert {
    condition     = output.metric_alarms["eks-pressure"].suppressed_by == "eks-node"
    error_message = "Failed nodes page twice."
  }
}

run "another_log_is_refused" {
  command = plan
  variables {
    audit_log_group = "audit"
  }
  expect_failures = [var.audit_log_group]
}
