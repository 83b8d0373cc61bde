//! The journal of a replay.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::replay::JournalEntry;

/// A journal being written, by several lanes of a replay at once.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Adds entries, in their order; durable when it returns.
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()>;
}
