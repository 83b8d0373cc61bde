//! What every mail service does.

use std::time::Duration;

use futures::future::BoxFuture;
use payops_core::domain::mail::MailKind;
use payops_core::port::Mailer;

use super::number;
use crate::{eventually, sample};

/// How many mails went out whose text holds the ASCII word given.
pub type Sent<'a> = dyn Fn(String) -> BoxFuture<'a, usize> + Send + Sync + 'a;

async fn expect_sent(sent: Option<&Sent<'_>>, word: &str, count: usize) {
    let Some(sent) = sent else { return };
    let what = format!("{count} mails that hold {word}");
    let check = || async move { (sent(word.to_owned()).await == count).then_some(()) };
    eventually(Duration::from_secs(10), &what, check).await;
}

/// Checks a mail service; with `sent`, also what it sent.
pub async fn suite(mailer: &dyn Mailer, salt: u64, sent: Option<&Sent<'_>>) {
    let mail = sample::mail(number(salt, 1));
    let word = format!("mail-{}", number(salt, 1));
    let first = mailer.send(&mail).await.expect("send");
    assert!(!first.is_empty(), "a mail has a name at its service");
    expect_sent(sent, &word, 1).await;

    let second = mailer.send(&mail).await.expect("send again");
    assert_ne!(first, second, "sending again sends another mail");
    expect_sent(sent, &word, 2).await;

    let mut ascii = sample::mail(number(salt, 2));
    ascii.kind = MailKind::RefundNotice;
    ascii.to = "o'brien+tag@example.com".parse().expect("an address");
    mailer.send(&ascii).await.expect("an ASCII address");
    expect_sent(sent, &format!("mail-{}", number(salt, 2)), 1).await;
}
