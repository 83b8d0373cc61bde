//! The search index's document of a payment.

use serde::{Deserialize, Serialize};

use super::id::{MerchantId, PaymentId};
use super::money::Currency;
use super::payment::{Payment, Status};
use crate::Timestamp;

/// What the index knows of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDoc {
    /// Its name.
    pub id: PaymentId,
    /// The payment's version that this was made from: an older one never replaces a newer one.
    pub version: u64,
    /// Whose it is.
    pub merchant: MerchantId,
    /// Whether real money moves.
    pub live: bool,
    /// Where it stands.
    pub status: Status,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// Minor units given back.
    pub refunded_minor: i64,
    /// The customer's address.
    pub email: String,
    /// The merchant's name for it.
    pub reference: Option<String>,
    /// Brand of the card.
    pub brand: Option<String>,
    /// Last four digits of the card.
    pub last4: Option<String>,
    /// The failure's code.
    pub failure: Option<String>,
    /// Whether its message lies in a dead-letter queue.
    pub dead: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
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
