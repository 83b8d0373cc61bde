variable "name" {
  description = "Name of the gateway."
  type        = string
}

variable "asn" {
  description = "Private ASN, by which other accounts find the gateway."
  type        = number

  validation {
    condition     = var.asn >= 64512 && var.asn <= 65534
    error_message = "A private ASN is 64512 to 65534."
  }
}

variable "organization_arn" {
  description = "The organization that the gateway is shared with."
  type        = string
}

variable "management_attachment_id" {
  description = "Attachment of the management network."
  type        = string
}

variable "workload_attachment_ids" {
  description = "Attachments of workload accounts by name; empty until an account has made its own."
  type        = map(string)
  default     = {}
}
