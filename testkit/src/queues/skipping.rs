//! Queues on which nobody really waits: a receive that would wait turns the clock instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::port::{
    Move, MoveResult, Outgoing, PortResult, Queues, Received, SendResult, TransferOutcome,
};

use crate::ManualClock;

/// How often a receive that waits gives way to others before it counts as the only one that is
/// left.
const TURNS: usize = 64;

/// Queues whose time is a [`ManualClock`]: waiting for a message that does not come puts it
/// forward, once nobody else is doing anything.
pub struct Skipping {
    inner: Arc<dyn Queues>,
    clock: ManualClock,
    /// Calls under way that do not wait.
    active: AtomicUsize,
}

struct Active<'a>(&'a AtomicUsize);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Skipping {
    /// `inner` must go by `clock`.
    #[must_use]
    pub fn new(inner: Arc<dyn Queues>, clock: ManualClock) -> Self {
        Self {
            inner,
            clock,
            active: 0.into(),
        }
    }

    fn begin(&self) -> Active<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(&self.active)
    }

    async fn receive_now(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> PortResult<Vec<Received>> {
        let _call = self.begin();
        self.inner
            .receive(queue, max, visibility, Duration::ZERO)
            .await
    }

    /// Until everybody else waits too, or has had many turns.
    async fn others_wait(&self) {
        for turn in 0..TURNS {
            if self.active.load(Ordering::Relaxed) > 0 && turn % 8 == 7 {
                // Somebody waits for a disk, on another thread.
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[async_trait]
impl Queues for Skipping {
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        let received = self.receive_now(queue, max, visibility).await?;
        if !received.is_empty() || wait.is_zero() {
            return Ok(received);
        }
        self.others_wait().await;
        self.clock.advance(wait);
        self.receive_now(queue, max, visibility).await
    }

    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        let _call = self.begin();
        self.inner.send(queue, message).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        let _call = self.begin();
        self.inner.send_batch(queue, messages).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        let _call = self.begin();
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        let _call = self.begin();
        self.inner
            .change_visibility(queue, receipt, visibility)
            .await
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        let _call = self.begin();
        self.inner.transfer(from, receipt, to, message).await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        let _call = self.begin();
        self.inner.transfer_batch(from, to, moves).await
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        let _call = self.begin();
        self.inner
            .change_visibilities(queue, receipts, visibility)
            .await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.inner.transfer_is_atomic()
    }
}
