//! Double entry: a transaction moves money between accounts, and its postings sum to zero.

use serde::{Deserialize, Serialize};

use super::id::{MerchantId, PaymentId};
use super::money::Currency;
use super::payment::{Payment, Refund};
use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    Charge,
    Refund,
}

impl TransactionKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Charge, Self::Refund]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// One side of a movement. Positive is a debit, negative a credit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Posting {
    /// Such as `provider:clearing` or `merchant:acme:payable`.
    pub account: String,
    /// Minor units of the transaction's currency; never zero.
    pub minor: i64,
}

/// A movement of money. `(payment, kind, reference)` names it: posting it twice is one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    pub payment: PaymentId,
    pub kind: TransactionKind,
    pub reference: String,
    pub merchant: MerchantId,
    pub live: bool,
    pub currency: Currency,
    pub at: Timestamp,
    pub postings: Vec<Posting>,
}

impl Transaction {
    /// The sum of all postings; zero in every transaction that a ledger takes.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.postings
            .iter()
            .map(|posting| i128::from(posting.minor))
            .sum()
    }

    #[must_use]
    pub fn amount_minor(&self) -> i64 {
        self.postings
            .iter()
            .filter(|posting| posting.minor > 0)
            .fold(0_i64, |sum, posting| sum.saturating_add(posting.minor))
    }

    /// Whether `other` says the same: all but the time, which is when it was first known.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        Self {
            at: other.at,
            ..self.clone()
        } == *other
    }
}

pub const CLEARING: &str = "provider:clearing";

/// The account of money that we owe `merchant`.
#[must_use]
pub fn payable_account(merchant: &MerchantId) -> String {
    format!("merchant:{merchant}:payable")
}

/// Every transaction that the ledger must hold for `payment`, and no other.
#[must_use]
pub fn expected_transactions(payment: &Payment) -> Vec<Transaction> {
    let charge = payment.charge.iter().map(|charge| {
        let minor = payment.money.minor();
        transaction(
            payment,
            TransactionKind::Charge,
            &charge.id,
            minor,
            charge.at,
        )
    });
    let paid = |refund: &&Refund| refund.state == super::payment::RefundState::Succeeded;
    let refunds = payment.refunds.iter().filter(paid).map(|refund| {
        let minor = refund.minor.saturating_neg();
        transaction(
            payment,
            TransactionKind::Refund,
            refund.id.as_str(),
            minor,
            refund.at,
        )
    });
    charge.chain(refunds).collect()
}

fn transaction(
    payment: &Payment,
    kind: TransactionKind,
    reference: &str,
    minor: i64,
    at: Timestamp,
) -> Transaction {
    let mut postings = vec![
        Posting {
            account: CLEARING.to_owned(),
            minor,
        },
        Posting {
            account: payable_account(&payment.merchant),
            minor: minor.saturating_neg(),
        },
    ];
    postings.sort();
    Transaction {
        payment: payment.id.clone(),
        kind,
        reference: reference.to_owned(),
        merchant: payment.merchant.clone(),
        live: payment.live,
        currency: payment.money.currency(),
        at,
        postings,
    }
}
