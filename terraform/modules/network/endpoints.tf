locals {
  region = data.aws_region.current.region

  # Buckets of AWS that nodes need: image layers, and packages of Amazon Linux.
  aws_buckets = [
    "arn:aws:s3:::prod-${local.region}-starport-layer-bucket/*",
    "arn:aws:s3:::al2023-repos-${local.region}-de612dc2/*",
    "arn:aws:s3:::al2023-*",
    "arn:aws:s3:::aws-ssm-${local.region}/*",
  ]
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "HTTPS from the VPC to the interface endpoints"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from the VPC"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Only the organization's principals reach only its resources: stolen keys of another account carry nothing out here.
data "aws_iam_policy_document" "own" {
  # checkov:skip=CKV_AWS_1:calls of AWS whose resource is not known before, or an endpoint policy whose conditions are the limit
  # checkov:skip=CKV_AWS_49:calls of AWS whose resource is not known before, or an endpoint policy whose conditions are the limit
  statement {
    sid       = "OwnPrincipalsOwnResources"
    actions   = ["*"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceOrgID"
      values   = [var.organization_id]
    }
  }
}

data "aws_iam_policy_document" "s3" {
  source_policy_documents = [data.aws_iam_policy_document.own.json]

  statement {
    sid       = "BucketsOfAws"
    actions   = ["s3:GetObject"]
    resources = local.aws_buckets

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

# Tokens of the clusters and of pipelines are exchanged without a principal of the organization.
data "aws_iam_policy_document" "sts" {
  source_policy_documents = [data.aws_iam_policy_document.own.json]

  statement {
    sid       = "WebIdentity"
    actions   = ["sts:AssumeRoleWithWebIdentity"]
    resources = ["arn:aws:iam::${var.account_id}:role/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

# Images of AWS's own add-ons lie in its accounts.
data "aws_iam_policy_document" "ecr" {
  statement {
    sid = "OwnPrincipalsPull"
    actions = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability",
    "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
  }
}

# Node agents call it with a token of the pod, before they have credentials.
data "aws_iam_policy_document" "eks_auth" {
  # checkov:skip=CKV_AWS_356:AWS answers these calls on no resource; the statement says so
  statement {
    actions   = ["eks-auth:AssumeRoleForPodIdentity"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

locals {
  gateway_policies = {
    s3       = data.aws_iam_policy_document.s3.json
    dynamodb = data.aws_iam_policy_document.own.json
  }
  interface_policies = {
    sts        = data.aws_iam_policy_document.sts.json
    "ecr.api"  = data.aws_iam_policy_document.ecr.json
    "ecr.dkr"  = data.aws_iam_policy_document.ecr.json
    "eks-auth" = data.aws_iam_policy_document.eks_auth.json
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateway_policies

  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([for table in aws_route_table.private : table.id], [aws_route_table.data.id])
  policy            = each.value

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
  policy              = lookup(local.interface_policies, each.key, data.aws_iam_policy_document.own.json)

  tags = { Name = "${var.name}-${each.key}" }
}
