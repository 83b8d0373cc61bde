//! The payment provider.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::id::{PaymentId, RefundId};
use crate::domain::money::Money;
use crate::domain::payment::{Charge, Failure};
use crate::domain::reconcile::ProviderEntry;
use crate::domain::text::Source;

/// A charge to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest {
    /// For which payment; kept with the charge, so that it can be found again.
    pub payment: PaymentId,
    /// The idempotency key, `payment:attempt`.
    pub key: String,
    /// How much.
    pub money: Money,
    /// What is charged.
    pub source: Source,
}

/// A definite answer to a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// Charged.
    Approved(Charge),
    /// Not charged.
    Declined {
        /// Why.
        failure: Failure,
        /// Whether another attempt may do better.
        soft: bool,
    },
}

/// A refund to pay out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// Its name; also the idempotency key.
    pub refund: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Of which charge.
    pub charge_id: String,
    /// How much.
    pub money: Money,
}

/// A definite answer to a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Paid out.
    Paid {
        /// The provider's name for it.
        provider_id: String,
    },
    /// Not paid out.
    Refused(Failure),
}

/// The payment provider. A failure of kind [`super::ErrorKind::Unavailable`] or
/// [`super::ErrorKind::Throttled`] means that it did nothing; [`super::ErrorKind::Ambiguous`]
/// that nobody knows.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Whether the provider knows the token, asked before a payment is accepted.
    async fn knows_source(&self, source: &Source) -> PortResult<bool>;

    /// Charges, once per key: the same key again gives the same answer.
    async fn charge(&self, request: &ChargeRequest) -> PortResult<ChargeOutcome>;

    /// The successful charge of the payment, if there is one, under whichever key.
    async fn find_charge(&self, payment: &PaymentId) -> PortResult<Option<Charge>>;

    /// Pays a refund out, once per refund id.
    async fn refund(&self, request: &RefundRequest) -> PortResult<RefundOutcome>;

    /// The refund of that name, if it was paid out.
    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<String>>;

    /// Every successful charge of the payment: more than one is a break.
    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>>;
}
