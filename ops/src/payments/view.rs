//! Payments as they are shown. The JSON shapes are part of the command line's contract.

use jiff::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::money::major;
use payops_core::domain::payment::{AttemptState, Payment, Refund};
use payops_core::domain::privacy::Privacy;
use serde::Serialize;
use serde_json::{Value, json};

/// A payment. Amounts are integers in minor units of `currency`; e-mail addresses and the
/// source are masked unless revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaymentView {
    pub id: String,
    pub status: &'static str,
    pub amount: i64,
    pub currency: &'static str,
    pub version: u64,
    pub reference: Option<String>,
    pub merchant: String,
    pub live: bool,
    pub email: String,
    pub source: String,
    pub metadata: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub refunded: i64,
    pub refundable: i64,
    pub attempt: Option<AttemptView>,
    pub charge: Option<ChargeView>,
    pub failure: Option<FailureView>,
    /// Set while its message lies in a dead-letter queue.
    pub dead: Option<DeadView>,
    pub refunds: Vec<RefundView>,
    pub redrives: u32,
    pub archive_key: String,
    /// Such as `12.50 EUR`.
    #[serde(skip)]
    pub amount_text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    pub number: u32,
    /// `sent` (the outcome is not known), `not_applied`, `soft_declined` or `settled`.
    pub state: String,
    pub calls: u32,
    pub first_sent_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChargeView {
    pub id: String,
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureView {
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadView {
    pub at: Timestamp,
    pub queue: String,
    pub class: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundView {
    pub id: String,
    pub amount: i64,
    pub state: &'static str,
    pub reason: Option<String>,
    pub by: String,
    pub at: Timestamp,
}

impl PaymentView {
    #[must_use]
    pub fn new(payment: &Payment, privacy: Privacy) -> Self {
        let card = payment
            .charge
            .as_ref()
            .and_then(|charge| charge.card.as_ref());
        Self {
            id: payment.id.to_string(),
            status: payment.status.as_str(),
            amount: payment.money.minor(),
            currency: payment.money.currency().code(),
            version: payment.version,
            reference: payment
                .reference
                .as_ref()
                .map(|reference| privacy.text(reference.as_str())),
            merchant: payment.merchant.to_string(),
            live: payment.live,
            email: privacy.email(payment.email.as_str()),
            source: privacy.token(payment.source.as_str()),
            metadata: privacy.json(&json!(payment.metadata)),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            refunded: payment.refunded_minor(),
            refundable: payment.refundable_minor,
            attempt: payment.attempt.as_ref().map(|attempt| AttemptView {
                number: attempt.number,
                state: state_name(&attempt.state),
                calls: attempt.calls,
                first_sent_at: attempt.first_sent_at,
            }),
            charge: payment.charge.as_ref().map(|charge| ChargeView {
                id: charge.id.clone(),
                brand: card.map(|card| card.brand.clone()),
                last4: card.map(|card| card.last4.clone()),
                at: charge.at,
            }),
            failure: payment.failure.as_ref().map(|failure| FailureView {
                code: failure.code.clone(),
                message: privacy.text(&failure.message),
            }),
            dead: payment.dead.as_ref().map(|dead| DeadView {
                at: dead.at,
                queue: dead.queue.clone(),
                class: dead.class.clone(),
                reason: privacy.text(&dead.reason),
            }),
            refunds: payment
                .refunds
                .iter()
                .map(|refund| refund_view(refund, privacy))
                .collect(),
            redrives: payment.redrives,
            archive_key: payment.archive.key.clone(),
            amount_text: payment.money.to_string(),
        }
    }
}

fn refund_view(refund: &Refund, privacy: Privacy) -> RefundView {
    RefundView {
        id: refund.id.to_string(),
        amount: refund.minor,
        state: refund.state.as_str(),
        reason: refund.reason.as_deref().map(|reason| privacy.text(reason)),
        by: refund.by.clone(),
        at: refund.at,
    }
}

/// The name of an attempt's state, as its JSON has it.
fn state_name(state: &AttemptState) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value
        .get("state")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("unknown")
        .to_owned()
}

/// A payment that was found. Amounts are integers in minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaymentHit {
    pub id: String,
    pub status: &'static str,
    pub amount: i64,
    pub currency: &'static str,
    pub version: u64,
    pub reference: Option<String>,
    pub merchant: String,
    pub live: bool,
    pub email: String,
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub failure: Option<String>,
    pub dead: bool,
    pub refunded: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Without the currency, such as `12.50`.
    #[serde(skip)]
    pub amount_text: String,
}

impl PaymentHit {
    #[must_use]
    pub fn new(doc: &PaymentDoc, privacy: Privacy) -> Self {
        Self {
            id: doc.id.to_string(),
            status: doc.status.as_str(),
            amount: doc.amount_minor,
            currency: doc.currency.code(),
            version: doc.version,
            reference: doc
                .reference
                .as_deref()
                .map(|reference| privacy.text(reference)),
            merchant: doc.merchant.to_string(),
            live: doc.live,
            email: privacy.email(&doc.email),
            brand: doc.brand.clone(),
            last4: doc.last4.clone(),
            failure: doc.failure.clone(),
            dead: doc.dead,
            refunded: doc.refunded_minor,
            created_at: doc.created_at,
            updated_at: doc.updated_at,
            amount_text: major(doc.amount_minor, doc.currency),
        }
    }
}
