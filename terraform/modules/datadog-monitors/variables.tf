variable "env" {
  description = "The environment, as the agent's tag env has it."
  type        = string
}

variable "cluster_name" {
  description = "The cluster, as the agent's tag kube_cluster_name has it."
  type        = string
}

variable "signals" {
  description = "Titles, owners and severities by key: of eks-node and metrics-silent."
  type = map(object({
    title    = string
    owner    = string
    severity = string
  }))

  validation {
    condition     = alltrue([for key in ["eks-node", "metrics-silent"] : contains(keys(var.signals), key)])
    error_message = "There are monitors of eks-node and metrics-silent."
  }
}

variable "runbooks" {
  description = "Address of the folder of runbooks."
  type        = string
}
