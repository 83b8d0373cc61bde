//! The incident freeze of one environment, which everybody's payops obeys.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::access::Freeze;

/// Where the freeze of one environment is kept: one at a time, seen by all who operate there.
#[async_trait]
pub trait FreezeStore: Send + Sync {
    /// The freeze that was set last and not lifted; one whose time is over may still be answered
    /// (see [`Freeze`]). What cannot be read must be taken for a freeze: an error stops
    /// writes.
    async fn current(&self) -> PortResult<Option<Freeze>>;

    /// Sets it, in place of one that is there; everybody sees it when this returns.
    async fn set(&self, freeze: &Freeze) -> PortResult<()>;

    /// Lifts it; whether there was one.
    async fn lift(&self) -> PortResult<bool>;
}
