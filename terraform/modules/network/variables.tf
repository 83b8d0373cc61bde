variable "name" {
  description = "Name of the VPC, which begins the names of what is in it."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account id is twelve digits."
  }
}

variable "cidr" {
  description = "Network of the VPC, a /16 that no other account has."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "cidr is a /16, such as 10.16.0.0/16."
  }
}

variable "organization_id" {
  description = "The organization, which endpoint policies keep to."
  type        = string
}

variable "interface_endpoints" {
  description = "Services of AWS that are reached by interface endpoints; each costs per zone and hour."
  type        = set(string)
  default = [
    "autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "email", "events", "kms", "logs",
    "monitoring", "secretsmanager", "sqs", "sts",
  ]
}

variable "transit" {
  description = "Transit Gateway to attach to, and the networks behind it; null for none."
  type = object({
    gateway_id = string
    cidrs      = list(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "Key of the flow logs."
  type        = string
}

variable "log_days" {
  description = "For how many days flow logs are kept."
  type        = number
  default     = 90
}

variable "permissions_boundary" {
  description = "Boundary of the flow logs' role."
  type        = string
  default     = null
}
