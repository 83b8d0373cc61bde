//! The search index's document of a payment.

use serde::{Deserialize, Serialize};

use super::id::{MerchantId, PaymentId};
use super::money::Currency;
use super::payment::{Payment, Status};
use crate::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDoc {
    pub id: PaymentId,
    /// The payment's version that this was made from: an older one never replaces a newer one.
    pub version: u64,
    pub merchant: MerchantId,
    pub live: bool,
    pub status: Status,
    pub amount_minor: i64,
    pub currency: Currency,
    pub refunded_minor: i64,
    pub email: String,
    pub reference: Option<String>,
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub failure: Option<String>,
    pub dead: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<&Payment> for PaymentDoc {
    fn from(payment: &Payment) -> Self {
        let card = payment
            .charge
            .as_ref()
            .and_then(|charge| charge.card.clone());
        Self {
            id: payment.id.clone(),
            version: payment.version,
            merchant: payment.merchant.clone(),
            live: payment.live,
            status: payment.status,
            amount_minor: payment.money.minor(),
            currency: payment.money.currency(),
            refunded_minor: payment.refunded_minor(),
            email: payment.email.as_str().to_owned(),
            reference: payment
                .reference
                .as_ref()
                .map(|reference| reference.as_str().to_owned()),
            brand: card.as_ref().map(|card| card.brand.clone()),
            last4: card.map(|card| card.last4),
            failure: payment.failure.as_ref().map(|failure| failure.code.clone()),
            dead: payment.dead.is_some(),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}
