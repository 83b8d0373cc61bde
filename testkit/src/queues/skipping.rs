//! Queues on which nobody really waits: a receive that would wait turns the clock instead.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::port::{Browsed, Move, MoveResult, Outgoing, PortResult, QueueStats, Queues, Received, SendResult, TransferOutcome};

use crate::ManualClock;

/// Queues whose time is a [`ManualClock`]: waiting for a message that does not come puts it forward.
pub struct Skipping {
    inner: Arc<dyn Queues>,
    clock: ManualClock,
}

impl Skipping {
    /// `inner` must go by `clock`.
    #[must_use]
    pub fn new(inner: Arc<dyn Queues>, clock: ManualClock) -> Self {
        Self { inner, clock }
    }
}

#[async_trait]
impl Queues for Skipping {
    async fn receive(&self, queue: &str, max: usize, visibility: Duration, wait: Duration) -> PortResult<Vec<Received>> {
        let received = self.inner.receive(queue, max, visibility, Duration::ZERO).await?;
        if !received.is_empty() || wait.is_zero() {
            return Ok(received);
        }
        self.clock.advance(wait);
        self.inner.receive(queue, max, visibility, Duration::ZERO).await
    }

    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.inner.send(queue, message).await
    }

    async fn send_batch(&self, queue: &str, messages: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        self.inner.send_batch(queue, messages).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(&self, queue: &str, receipt: &str, visibility: Duration) -> PortResult<bool> {
        self.inner.change_visibility(queue, receipt, visibility).await
    }

    async fn transfer(&self, from: &str, receipt: &str, to: &str, message: Outgoing) -> PortResult<TransferOutcome> {
        self.inner.transfer(from, receipt, to, message).await
    }

    async fn transfer_batch(&self, from: &str, to: &str, moves: Vec<Move>) -> PortResult<Vec<MoveResult>> {
        self.inner.transfer_batch(from, to, moves).await
    }

    async fn change_visibilities(&self, queue: &str, receipts: &[String], visibility: Duration) -> PortResult<Vec<bool>> {
        self.inner.change_visibilities(queue, receipts, visibility).await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.inner.transfer_is_atomic()
    }

    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        self.inner.browse(queue, limit).await
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        self.inner.stats(queue).await
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.inner.names().await
    }
}
