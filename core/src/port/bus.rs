//! The event bus.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::bus::BusEvent;

/// The bus: an event put on it reaches every queue that its rules name
/// ([`crate::domain::bus::targets`]), at least once.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Puts up to ten events; each has its own result, in order: a put can fail in part.
    async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>>;
}
