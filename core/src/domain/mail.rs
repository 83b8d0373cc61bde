//! The mails that customers get.

use super::money::major;
use super::payment::{Payment, Refund, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailKind {
    Receipt,
    FailureNotice,
    RefundNotice,
}

impl MailKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::FailureNotice => "failure_notice",
            Self::RefundNotice => "refund_notice",
        }
    }

    /// The timeline event that says that it was handed over.
    #[must_use]
    pub fn event(self) -> super::event::EventKind {
        match self {
            Self::Receipt => super::event::EventKind::Receipt,
            Self::FailureNotice => super::event::EventKind::FailureNotice,
            Self::RefundNotice => super::event::EventKind::RefundNotice,
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub kind: MailKind,
    /// Names this mail: the payment and, for a refund, the refund. A resend has the same name.
    pub name: String,
    pub to: super::text::Email,
    pub subject: String,
    pub text: String,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Every mail that `payment`, as it stands, owes its customer.
#[must_use]
pub fn owed_mails(payment: &Payment) -> Vec<Mail> {
    let mut mails = Vec::new();
    if payment.status.is_charged() {
        mails.push(receipt(payment));
    }
    if payment.status == Status::Failed {
        mails.push(failure_notice(payment));
    }
    let paid = payment
        .refunds
        .iter()
        .filter(|refund| refund.state == super::payment::RefundState::Succeeded);
    mails.extend(paid.map(|refund| refund_notice(payment, refund)));
    mails
}

fn reference(payment: &Payment) -> &str {
    payment
        .reference
        .as_ref()
        .map_or_else(|| payment.id.as_str(), |reference| reference.as_str())
}

fn receipt(payment: &Payment) -> Mail {
    let card = payment
        .charge
        .as_ref()
        .and_then(|charge| charge.card.as_ref());
    let card = card.map_or_else(String::new, |card| {
        format!("Card: {} ending in {}\n", card.brand, card.last4)
    });
    Mail {
        kind: MailKind::Receipt,
        name: payment.id.to_string(),
        to: payment.email.clone(),
        subject: format!("Receipt: {} for {}", payment.money, reference(payment)),
        text: format!(
            "Your payment went through.\n\nAmount: {}\n{card}Reference: {}\nPayment: {}\n",
            payment.money,
            reference(payment),
            payment.id
        ),
    }
}

fn failure_notice(payment: &Payment) -> Mail {
    let why = payment
        .failure
        .as_ref()
        .map_or("it was declined", |failure| failure.message.as_str());
    Mail {
        kind: MailKind::FailureNotice,
        name: payment.id.to_string(),
        to: payment.email.clone(),
        subject: format!(
            "Payment not completed: {} for {}",
            payment.money,
            reference(payment)
        ),
        text: format!(
            "Your payment did not go through, and nothing was charged.\n\nAmount: {}\nWhy: \
                {why}\nReference: {}\nPayment: {}\n",
            payment.money,
            reference(payment),
            payment.id
        ),
    }
}

fn refund_notice(payment: &Payment, refund: &Refund) -> Mail {
    let amount = format!(
        "{} {}",
        major(refund.minor, payment.money.currency()),
        payment.money.currency()
    );
    Mail {
        kind: MailKind::RefundNotice,
        name: format!("{}-{}", payment.id, refund.id),
        to: payment.email.clone(),
        subject: format!("Refund: {amount} for {}", reference(payment)),
        text: format!(
            "We gave {amount} back to you.\n\nReference: {}\nPayment: {}\nRefund: {}\n",
            reference(payment),
            payment.id,
            refund.id
        ),
    }
}
