//! What stands in for a search index that cannot be opened: every question is answered with why.

use async_trait::async_trait;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    ErrorKind, Freshness, Hits, Index, IndexPage, PortError, PortResult, UpsertOutcome,
};

/// An index that could not be opened.
pub(super) struct UnavailableIndex {
    pub kind: ErrorKind,
    pub message: String,
}

impl UnavailableIndex {
    fn error<T>(&self) -> PortResult<T> {
        Err(PortError::new(self.kind, self.message.clone()))
    }
}

#[async_trait]
impl Index for UnavailableIndex {
    async fn upsert(&self, _: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.error()
    }

    async fn search(&self, _: &SearchQuery, _: usize, _: usize) -> PortResult<Hits> {
        self.error()
    }

    async fn of_payments(&self, _: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        self.error()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<IndexPage> {
        self.error()
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        self.error()
    }
}
