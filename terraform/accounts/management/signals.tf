locals {
  signals = { for key, signal in module.names.signals : key => signal if contains(signal.accounts, "management") }

  # The trail has every account's events.
  log_alarms = {
    idc-login = {
      log_group = module.trail.log_group
      pattern   = "{ $.eventName = \"CredentialVerification\" && $.serviceEventDetails.CredentialVerification = \"Failure\" }"
      threshold = 5
    }
    api-denied = {
      log_group = module.trail.log_group
      pattern   = "{ $.errorCode = \"*UnauthorizedOperation\" || $.errorCode = \"AccessDenied*\" }"
      threshold = 20
    }
    root-used = {
      log_group = module.trail.log_group
      pattern   = "{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != \"AwsServiceEvent\" }"
    }
    break-glass-used = {
      log_group = module.trail.log_group
      pattern   = "{ $.userIdentity.userName = \"break-glass\" || ($.eventName = \"AssumeRole\" && $.requestParameters.roleArn = \"*role/payops-break-glass\") || $.userIdentity.sessionContext.sessionIssuer.userName = \"AWSReservedSSO_break-glass_*\" }"
    }
  }

  event_alarms = {
    guardduty = { pattern = jsonencode({
      source = ["aws.guardduty"], detail-type = ["GuardDuty Finding"]
      detail = { severity = [{ numeric = [">=", 7] }] }
    }) }
    root-mfa = { pattern = jsonencode({
      source = ["aws.config"], detail-type = ["Config Rules Compliance Change"]
      detail = { configRuleName = ["root-mfa"], newEvaluationResult = { complianceType = ["NON_COMPLIANT"] } }
    }) }
  }
}

module "cluster_signals" {
  source = "../../modules/cluster-signals"

  cluster_name    = module.cluster.name
  audit_log_group = module.cluster.log_group
}

module "alarms" {
  source = "../../modules/alarms"

  env                  = "management"
  account_id           = local.account.id
  signals              = { for key, signal in local.signals : key => { title = signal.title, owner = signal.owner, severity = signal.severity } }
  metric_alarms        = module.cluster_signals.metric_alarms
  event_alarms         = local.event_alarms
  log_alarms           = merge(local.log_alarms, module.cluster_signals.log_alarms)
  teams                = module.names.teams
  slack_workspace      = module.names.slack.workspace
  runbooks             = module.names.runbooks
  kms_key_arn          = module.key.arn
  permissions_boundary = module.boundary.arn
}

locals {
  alarms = merge(
    { for key, alarm in module.alarms.alarms : key => merge(alarm, { source = "cloudwatch" }) },
    { for key, signal in local.signals : key => {
      severity = signal.severity, owner = signal.owner, runbook = "docs/runbooks/${key}.md", source = signal.source, alarm = null, members = [], region = null
    } if signal.source != "cloudwatch" },
  )
}
