//! SES: what is sent, and what a failure means for sending again.

use payops_aws::SesMailer;
use payops_core::port::{ErrorKind, Mailer as _};
use payops_testkit::sample;
use serde_json::json;

use crate::support::{Reply, Service};

#[tokio::test]
async fn a_mail_is_sent_as_text_to_one_address() {
    let service = Service::new(|_, _| Reply::json(&json!({"MessageId": "ses-1"})));
    let mailer = SesMailer::new(service.clients().await.ses, "receipts@shop.example");
    let mut mail = sample::mail(1);
    mail.to = "anna@münchen.example".parse().expect("an address");
    assert_eq!(mailer.send(&mail).await.expect("send"), "ses-1");
    let asked = service.asked()[0].json();
    assert_eq!(asked["FromEmailAddress"], "receipts@shop.example");
    assert_eq!(
        asked["Destination"]["ToAddresses"],
        json!(["anna@xn--mnchen-3ya.example"])
    );
    let simple = &asked["Content"]["Simple"];
    assert_eq!(
        simple["Subject"],
        json!({"Data": mail.subject, "Charset": "UTF-8"})
    );
    assert_eq!(
        simple["Body"],
        json!({"Text": {"Data": mail.text, "Charset": "UTF-8"}})
    );
}

#[tokio::test]
async fn a_mail_that_may_have_gone_out_is_not_sent_again_by_itself() {
    for (reply, kind) in [
        ((|| Reply::Timeout) as fn() -> Reply, ErrorKind::Ambiguous),
        (
            || Reply::error(500, "InternalServerException"),
            ErrorKind::Ambiguous,
        ),
        (
            || Reply::error(429, "TooManyRequestsException"),
            ErrorKind::Throttled,
        ),
        (
            || Reply::error(400, "MessageRejected"),
            ErrorKind::Permanent,
        ),
        (
            || Reply::error(403, "AccessDeniedException"),
            ErrorKind::Denied,
        ),
        (|| Reply::Refused, ErrorKind::Unavailable),
    ] {
        let service = Service::new(move |_, _| reply());
        let mailer = SesMailer::new(service.clients().await.ses, "receipts@shop.example");
        let mail = sample::mail(1);
        let error = mailer.send(&mail).await.expect_err("a failed call");
        assert_eq!(error.kind, kind, "{}", error.chain());
        assert_eq!(service.asked().len(), 1, "one attempt: {}", error.chain());
        assert!(
            !error.chain().contains(mail.to.as_str()),
            "no address in an error: {}",
            error.chain()
        );
    }
}
