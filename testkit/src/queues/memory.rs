//! Queues in memory that behave like SQS: a move is sent first, then deleted; each call may take
//! time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::port::{
    Browsed, Clock as _, ErrorKind, Move, MoveResult, Outgoing, PortError, PortResult, QueueAdmin,
    QueueStats, Queues, Received, SendResult, TransferOutcome,
};

use super::state::State;
use super::steps::{Order, move_in_steps, move_one};
use crate::ManualClock;

const BATCH_MAX: usize = 10;
const ATTRIBUTES_MAX: usize = 10;
const BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone, Debug, Default)]
pub struct MemoryQueue {
    /// Its dead-letter queue, and after how many receives a message goes there.
    pub dlq: Option<(String, u32)>,
    /// Whether groups are delivered in order and doubles are refused.
    pub is_fifo: bool,
}

/// Says of a message that is sent to a queue why it is refused, if it is.
pub type Refusal = dyn Fn(&str, &Outgoing) -> Option<PortError> + Send + Sync;

/// Queues by name. Time is that of a clock to turn.
pub struct MemoryQueues {
    clock: ManualClock,
    latency: Duration,
    queues: Mutex<BTreeMap<String, State>>,
    numbers: Mutex<(u64, u64)>,
    empty: AtomicUsize,
    calls: AtomicU64,
    refusal: Mutex<Option<Box<Refusal>>>,
}

impl MemoryQueues {
    /// No queues yet; each call takes `latency` (one that takes no time gives way once).
    #[must_use]
    pub fn new(clock: ManualClock, latency: Duration) -> Self {
        let none = Mutex::default;
        Self {
            clock,
            latency,
            queues: none(),
            numbers: Mutex::default(),
            empty: 0.into(),
            calls: 0.into(),
            refusal: Mutex::default(),
        }
    }

    pub fn create(&self, name: &str, config: MemoryQueue) {
        self.all().entry(name.to_owned()).or_default().config = config;
    }

    /// The next so many receives find nothing, whatever there is.
    pub fn lie(&self, receives: usize) {
        self.empty.store(receives, Ordering::Relaxed);
    }

    /// Refuses messages as `refusal` says.
    pub fn refuse(
        &self,
        refusal: impl Fn(&str, &Outgoing) -> Option<PortError> + Send + Sync + 'static,
    ) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(refusal));
    }

    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.latency.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.latency).await;
        }
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&mut State) -> T) -> PortResult<T> {
        let mut all = self.all();
        let queue = all.get_mut(name).ok_or_else(|| {
            PortError::new(
                ErrorKind::NotFound,
                format!("queue `{name}` does not exist"),
            )
        })?;
        Ok(work(queue))
    }

    fn find_refusal(&self, queue: &str, message: &Outgoing, is_fifo: bool) -> Option<PortError> {
        let refused = |words: String| Some(PortError::new(ErrorKind::Permanent, words));
        let attributes = message
            .attributes
            .iter()
            .map(|(name, value)| name.len() + "String".len() + value.len());
        if message.body.len() + attributes.sum::<usize>() > BYTES_MAX {
            return refused("the message is over the limit of 1 MiB".to_owned());
        }
        if message.attributes.len() > ATTRIBUTES_MAX {
            return refused(format!(
                "the message has {} attributes, over the limit of {ATTRIBUTES_MAX}",
                message.attributes.len()
            ));
        }
        if is_fifo != (message.group.is_some() && message.dedupe.is_some()) {
            return refused(
                "a FIFO queue, and only that, needs a group and a dedupe id".to_owned(),
            );
        }
        self.refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(|refusal| refusal(queue, message))
    }

    fn put(&self, queue: &str, messages: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        let now = self.clock.now();
        let is_fifo = self.with(queue, |state| state.config.is_fifo)?;
        let one = |message: Outgoing| {
            if let Some(error) = self.find_refusal(queue, &message, is_fifo) {
                return Err(error);
            }
            let seq = {
                let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
                numbers.0 += 1;
                numbers.0
            };
            self.with(queue, |state| state.put(seq, message, now))
        };
        Ok(messages.into_iter().map(one).collect())
    }

    fn take(&self, queue: &str, max: usize, visibility: Duration) -> PortResult<Vec<Received>> {
        let lies = self
            .empty
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        if lies {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let until = now.checked_add(visibility).expect("within range");
        let (taken, spent, dlq) = self.with(queue, |state| {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            let (taken, spent) = state.take(max.min(BATCH_MAX), now, until, &mut numbers.1);
            (taken, spent, state.config.dlq.clone())
        })?;
        if let Some((dlq, _)) = dlq {
            for (seq, message) in spent {
                self.with(&dlq, |state| state.put(seq, message, now))?;
            }
        }
        Ok(taken)
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.send_batch(queue, vec![message]).await?.remove(0)
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.call().await;
        if messages.len() > BATCH_MAX {
            return Err(PortError::new(
                ErrorKind::Permanent,
                format!("{} messages at once", messages.len()),
            ));
        }
        self.put(queue, messages)
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.call().await;
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let taken = self.take(queue, max, visibility)?;
            if !taken.is_empty() || tokio::time::Instant::now() >= deadline {
                return Ok(taken);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.call().await;
        let now = self.clock.now();
        self.with(queue, |state| {
            receipts
                .iter()
                .map(|receipt| state.delete(receipt, now))
                .collect()
        })
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        Ok(self
            .change_visibilities(queue, &[receipt.to_owned()], visibility)
            .await?
            == [true])
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        let mut done = Vec::with_capacity(receipts.len());
        for some in receipts.chunks(BATCH_MAX) {
            self.call().await;
            let now = self.clock.now();
            let until = now.checked_add(visibility).expect("within range");
            done.extend(self.with(queue, |state| {
                some.iter()
                    .map(|receipt| state.hide(receipt, now, until))
                    .collect::<Vec<_>>()
            })?);
        }
        Ok(done)
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        move_one(self, from, receipt, to, message).await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        move_in_steps(self, Order::SendFirst, from, to, moves).await
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }
}

#[async_trait]
impl QueueAdmin for MemoryQueues {
    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        self.call().await;
        let mut messages = self.with(queue, |state| state.browse(limit.saturating_add(1)))?;
        let complete = messages.len() <= limit;
        messages.truncate(limit);
        let doubt =
            (!complete).then(|| format!("the queue has more than the requested {limit} messages"));
        Ok(Browsed {
            messages,
            complete,
            doubt,
            ..Browsed::default()
        })
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        self.call().await;
        let now = self.clock.now();
        self.with(queue, |state| state.stats(queue, now))
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.call().await;
        Ok(self.all().keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::queues::{Fixture, suite};

    #[tokio::test(flavor = "multi_thread")]
    async fn they_keep_the_contract_of_queues() {
        let clock = ManualClock::new();
        let queues = MemoryQueues::new(clock.clone(), Duration::ZERO);
        queues.create(
            "jobs",
            MemoryQueue {
                dlq: Some(("jobs-dlq".to_owned(), 3)),
                is_fifo: false,
            },
        );
        queues.create("jobs-dlq", MemoryQueue::default());
        queues.create(
            "ordered.fifo",
            MemoryQueue {
                dlq: None,
                is_fifo: true,
            },
        );
        let advance = move |by: Duration| clock.advance(by);
        let fixture = Fixture {
            queue: "jobs",
            dlq: "jobs-dlq",
            max_receives: 3,
            fifo: Some("ordered.fifo"),
            salt: 1,
            advance: Some(&advance),
        };
        suite(&queues, &fixture).await;
    }
}
