//! The ledger.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::id::PaymentId;
use crate::domain::ledger::Transaction;

/// What came of posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostOutcome {
    /// The transaction was written.
    Posted,
    /// The same transaction stands there already.
    Already,
    /// A transaction of that name stands there and says something else; nothing was written.
    Mismatch(Box<Transaction>),
}

/// A page of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerPage {
    /// The transactions, in order of payment.
    pub transactions: Vec<Transaction>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The ledger: transactions are added, never changed or deleted.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes a transaction unless one of its name is there; then compares. The database itself
    /// refuses one whose postings do not sum to zero ([`super::ErrorKind::Permanent`]).
    async fn post(&self, transaction: &Transaction) -> PortResult<PostOutcome>;

    /// All transactions of these payments, in any order. From the replica where there is one
    /// when `consistent` is false.
    async fn of_payments(
        &self,
        payments: &[PaymentId],
        consistent: bool,
    ) -> PortResult<Vec<Transaction>>;

    /// All transactions, in order of payment, from `from` (a former page's `next`).
    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<LedgerPage>;
}
