variable "domain" {
  description = "Domain of the site."
  type        = string
}

variable "edge_region" {
  description = "Region of what CloudFront uses: us-east-1."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = var.edge_region == "us-east-1"
    error_message = "CloudFront's certificates and web ACLs live in us-east-1."
  }
}

variable "public_name" {
  description = "Name of the public load balancer."
  type        = string

  validation {
    condition     = length(var.public_name) <= 32
    error_message = "A load balancer's name has 32 characters at most."
  }
}

variable "internal_name" {
  description = "Name of the internal load balancer."
  type        = string

  validation {
    condition     = length(var.internal_name) <= 32
    error_message = "A load balancer's name has 32 characters at most."
  }
}

variable "vpc_id" {
  description = "VPC of the load balancers."
  type        = string
}

variable "public_subnet_ids" {
  description = "Public subnets."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "internal_cidrs" {
  description = "Networks that reach the internal load balancer: the VPN's and the VPC's."
  type        = list(string)

  validation {
    condition     = !contains(var.internal_cidrs, "0.0.0.0/0")
    error_message = "The internal load balancer is for the VPN."
  }
}

variable "cluster_security_group_id" {
  description = "Security group of the pods behind."
  type        = string
}

variable "assets_domain_name" {
  description = "Regional address of the bucket of static files."
  type        = string
}

variable "log_bucket" {
  description = "Bucket of the load balancers' access logs."
  type        = string
}

variable "price_class" {
  description = "Where CloudFront answers from."
  type        = string
  default     = "PriceClass_100"
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes, above which it is blocked."
  type        = number
  default     = 2000

  validation {
    condition     = var.requests_per_5_minutes >= 100
    error_message = "WAF counts from 100."
  }
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 90
}

variable "cluster_name" {
  description = "Cluster whose load balancer controller adopts the load balancers."
  type        = string
}

variable "pod_port" {
  description = "Port of the pods behind the Ingresses."
  type        = number
  default     = 8080
}

variable "origin_version" {
  description = "Version of the header that CloudFront sends; this and the one before are taken. Raise it by one to change the header."
  type        = number
  default     = 1

  validation {
    condition     = var.origin_version >= 1 && floor(var.origin_version) == var.origin_version
    error_message = "origin_version is 1, 2, 3 and so on."
  }
}

variable "kms_key_arn" {
  description = "Key of logs in the home region."
  type        = string
}

variable "edge_kms_key_arn" {
  description = "Key of logs in the edge region."
  type        = string
}
