//! The journal of a replay.

use super::PortResult;
use crate::domain::replay::JournalEntry;

/// A journal being written. Called between sends, so it does not need to be async.
pub trait Journal: Send {
    /// Adds entries; durable when it returns.
    fn append(&mut self, entries: &[JournalEntry]) -> PortResult<()>;
}
