//! Mail by SES.
//!
//! SES takes international domains as Punycode only, and refuses an address whose local part is
//! not ASCII; such a mail fails for good, and says so.

use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use payops_core::domain::mail::Mail;
use payops_core::port::{ErrorKind, Mailer, PortResult};

use crate::fail::Call;

const TAG_MAX: usize = 256;

#[derive(Clone, Debug)]
pub struct SesMailer {
    client: Client,
    from: String,
}

impl SesMailer {
    /// Mails come from `from`, an address that SES knows as ours.
    #[must_use]
    pub fn new(client: Client, from: impl Into<String>) -> Self {
        Self {
            client,
            from: from.into(),
        }
    }

    fn text(call: &Call, text: &str) -> PortResult<Content> {
        call.check_built(Content::builder().charset("UTF-8").data(text).build())
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> PortResult<String> {
        let call = Call::write("ses:SendEmail", "the sending identity");
        let to = ascii_domain(mail.to.as_str())
            .ok_or_else(|| call.error(ErrorKind::Permanent, "the address has an invalid domain"))?;
        let body = Body::builder().text(Self::text(&call, &mail.text)?).build();
        let message = Message::builder()
            .subject(Self::text(&call, &mail.subject)?)
            .body(body)
            .build();
        let mut request = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(message).build());
        for (name, value) in [("kind", mail.kind.as_str()), ("mail", mail.name.as_str())] {
            // A bounce comes back with these; they take only these characters.
            let value: String = value
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                .take(TAG_MAX)
                .collect();
            request = request.email_tags(
                call.check_built(MessageTag::builder().name(name).value(value).build())?,
            );
        }
        // Not repeated by the SDK: an attempt whose answer was lost may have sent the mail, and
        // whether to send it twice is for the caller to decide.
        let once = aws_sdk_sesv2::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = request
            .customize()
            .interceptor(call.track_attempts())
            .config_override(once);
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        answer
            .message_id
            .ok_or_else(|| call.error(ErrorKind::Ambiguous, "the response has no message id"))
    }
}

fn ascii_domain(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain).ok()?;
    Some(format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_is_encoded() {
        let check = |address: &str, expected: &str| {
            assert_eq!(ascii_domain(address).as_deref(), Some(expected));
        };
        check("a+b@münchen.example", "a+b@xn--mnchen-3ya.example");
        check("björn.20@example.de", "björn.20@example.de");
    }
}
