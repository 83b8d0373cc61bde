# A function in the VPC, of files in terraform/functions: Python as the runtime has it, without packages.
data "archive_file" "this" {
  type        = "zip"
  output_path = "${path.root}/.terraform/${var.name}.zip"

  dynamic "source" {
    for_each = var.files

    content {
      filename = source.value
      content  = file("${path.module}/../../functions/${source.value}")
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "base" {
  # checkov:skip=CKV_AWS_111:Lambda joins the VPC before anything is there to name; the code may not
  # checkov:skip=CKV_AWS_356:Lambda joins the VPC before anything is there to name; the code may not
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  # Lambda joins the VPC before anything is there to name, and X-Ray takes segments on no resource.
  statement {
    sid = "JoinTheNetworkAndTrace"
    actions = [
      "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
    ]
    resources = ["*"]
  }

  # Of these rights Lambda needs those above, and the code none.
  statement {
    sid       = "NotByTheCode"
    effect    = "Deny"
    actions   = ["ec2:*NetworkInterface*", "ec2:DescribeSubnets", "ec2:*PrivateIpAddresses"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.arn]
    }
  }
}

locals {
  arn = "arn:aws:lambda:${var.region}:${var.account_id}:function:${var.name}"
}

data "aws_iam_policy_document" "own" {
  source_policy_documents = [data.aws_iam_policy_document.base.json, var.policy]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "own"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.own.minified_json
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "${var.description}: nothing comes in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL"
  referenced_security_group_id = var.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115:it runs a few times a month
  # checkov:skip=CKV_AWS_116:what it does is told by its caller, and an alarm hears it fail
  # checkov:skip=CKV_AWS_173:nothing in the environment is secret
  # checkov:skip=CKV_AWS_272:only Terraform may change the code, and AWS Signer is not used
  function_name    = var.name
  description      = var.description
  role             = aws_iam_role.this.arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = var.handler
  filename         = data.archive_file.this.output_path
  source_code_hash = data.archive_file.this.output_base64sha256
  memory_size      = 256
  timeout          = var.timeout_seconds

  environment {
    variables = var.environment
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.this.id]
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "this" {
  statement_id   = "Caller"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = var.caller.service
  source_account = var.account_id
  source_arn     = var.caller.source_arn
}
