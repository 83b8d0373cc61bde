//! The record of what operators did.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::audit::AuditEntry;

/// Where that record is kept: added to, never changed.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds an entry; durable when it returns. What cannot be recorded must not be done.
    async fn append(&self, entry: &AuditEntry) -> PortResult<()>;

    /// The newest entries, newest first, at most `limit`; and how many lines could not be read.
    async fn newest(&self, limit: usize) -> PortResult<(Vec<AuditEntry>, u64)>;
}
