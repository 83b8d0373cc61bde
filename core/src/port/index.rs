//! The search index.

use async_trait::async_trait;

use super::PortResult;
use crate::Timestamp;
use crate::domain::doc::PaymentDoc;
use crate::domain::id::PaymentId;
use crate::domain::search::SearchQuery;

/// What came of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsertOutcome {
    /// The document was written.
    Applied,
    /// The index has the same or a newer version: nothing to do.
    Stale,
}

/// How far behind the primary store the index may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Which store answers, such as `tantivy` or `opensearch`.
    pub store: &'static str,
    /// The newest `updated_at` among the documents that can be found; `None` when it is empty.
    pub newest: Option<Timestamp>,
    /// How many documents there are.
    pub documents: u64,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// The documents, newest first.
    pub docs: Vec<PaymentDoc>,
    /// How many there are in all.
    pub total: u64,
}

/// A page of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// The documents, in order of payment id.
    pub docs: Vec<PaymentDoc>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The search index: derived, may be behind, can be rebuilt.
#[async_trait]
pub trait Index: Send + Sync {
    /// Writes documents, unless the index has the same or a newer version of one. Durable and
    /// findable when it returns (OpenSearch: durable, findable after its refresh).
    async fn upsert(&self, docs: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>>;

    /// Documents that `query` asks for, newest first, `offset` skipped.
    async fn search(&self, query: &SearchQuery, offset: usize, limit: usize) -> PortResult<Hits>;

    /// Every document of these payments: normally one each.
    async fn of_payments(&self, payments: &[PaymentId]) -> PortResult<Vec<PaymentDoc>>;

    /// All documents in order of id, from `from` (a former page's `next`).
    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<IndexPage>;

    /// How far behind it may be.
    async fn freshness(&self) -> PortResult<Freshness>;
}
