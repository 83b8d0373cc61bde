//! The payment provider.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::id::{PaymentId, RefundId};
use crate::domain::money::Money;
use crate::domain::payment::{Charge, Failure};
use crate::domain::reconcile::{ProviderEntry, ProviderListed, ProviderRefund};
use crate::domain::text::Source;

/// A charge to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest {
    /// For which payment; kept with the charge, so that it can be found again.
    pub payment: PaymentId,
    /// The idempotency key, `payment:attempt`.
    pub key: String,
    /// The amount to charge, with its currency.
    pub money: Money,
    /// The token that is charged; never a card number.
    pub source: Source,
}

/// A definite answer to a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The provider took the money.
    Approved(Charge),
    /// The provider took nothing.
    Declined {
        /// The decline code, and words for it.
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
    /// The payment that the charge belongs to.
    pub payment: PaymentId,
    /// The provider's id of the charge.
    pub charge_id: String,
    /// The amount to pay out, with its currency.
    pub money: Money,
}

/// What became of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Taken on, and not settled: it may be paid out or fail later, after days even. To be asked
    /// about again.
    Pending {
        /// The provider's name for it.
        provider_id: String,
    },
    /// The money was paid out.
    Paid {
        /// The provider's name for it.
        provider_id: String,
    },
    /// The refund was refused; no money was paid out.
    Refused(Failure),
}

/// A page of the provider's own list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderPage {
    /// What stands on it; may be nothing although there is more.
    pub entries: Vec<ProviderListed>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
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

    /// What became of the refund of that name; `None` where the provider never took it on.
    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<RefundOutcome>>;

    /// Every successful charge of the payment: more than one is a break.
    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>>;

    /// Every refund of the charge that is paid out or on its way, whoever asked for it.
    async fn refunds(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>>;

    /// All successful charges there are, in an order of the provider's own, from `from` (a former
    /// page's `next`).
    async fn scan_charges(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage>;

    /// All refunds there are that are paid out or on their way; see [`Provider::scan_charges`].
    async fn scan_refunds(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage>;
}
