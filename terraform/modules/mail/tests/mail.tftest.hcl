provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["471122334433"]

  default_tags {
    tags = { project = "payops", environment = "test", managed-by = "terraform" }
  }
}

variables {
  name        = "payops-test"
  account_id  = "471122334433"
  domain      = "test.pay.example.com"
  kms_key_arn = "arn:aws:kms:eu-west-1:471122334433:key/11111111-1111-1111-1111-111111111111"
}

run "mail" {
  command = apply

  assert {
    condition     = toset(aws_sesv2_configuration_set.this.suppression_options[0].suppressed_reasons) == toset(["BOUNCE", "COMPLAINT"])
    error_message = "An address that bounced or complained gets another mail."
  }

  assert {
    condition     = endswith(aws_sesv2_configuration_set_event_destination.this.event_destination[0].event_bridge_destination[0].event_bus_arn, ":event-bus/default")
    error_message = "SES delivers to the account's own bus alone."
  }

  assert {
    condition     = aws_sesv2_configuration_set.this.delivery_options[0].tls_policy == "REQUIRE"
    error_message = "A mail goes out without TLS."
  }
}
