//! What a replay in a test is steered by and written down in, and queues that move messages as SQS does.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::replay::{JournalEntry, Progress};
use payops_core::port::{
    Browsed, Journal, Move, MoveResult, Outgoing, PortResult, QueueStats, Queues, Received, SendResult, TransferOutcome,
};
use payops_core::usecase::{Control, ReplaySummary};

/// A journal in memory that outlives the replay.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<JournalEntry>>>);

impl Memory {
    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::read(&self.entries())
    }
}

#[async_trait]
impl Journal for Memory {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(entries);
        Ok(())
    }
}

/// Nothing holds a replay up, unless the test says so.
#[derive(Clone, Default)]
pub(crate) struct Free {
    /// Stops after so many settled batches; 0 for never.
    pub(crate) batches: usize,
    pub(crate) told: Arc<AtomicUsize>,
    pub(crate) stopped: Arc<AtomicBool>,
    pub(crate) alarm: Option<&'static str>,
}

#[async_trait]
impl Control for Free {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    async fn pace(&self, _: usize) {}

    async fn pause(&self, _: Duration) {}

    fn told(&self, _: &ReplaySummary) {
        if self.told.fetch_add(1, Ordering::Relaxed) + 1 == self.batches {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    async fn alarms(&self) -> Vec<String> {
        self.alarm.into_iter().map(str::to_owned).collect()
    }
}

/// Queues that do not wait; and that move, when they are asked to, by sending first and deleting then, as SQS
/// does: cut off in between, a message is in both queues.
pub(crate) struct Moving(pub(crate) Arc<dyn Queues>, pub(crate) bool);

#[async_trait]
impl Queues for Moving {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.0.send(queue, message).await
    }

    async fn send_batch(&self, queue: &str, messages: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        self.0.send_batch(queue, messages).await
    }

    async fn receive(&self, queue: &str, max: usize, visibility: Duration, wait: Duration) -> PortResult<Vec<Received>> {
        self.0.receive(queue, max, visibility, wait.min(Duration::from_millis(1))).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.0.delete(queue, receipts).await
    }

    async fn change_visibility(&self, queue: &str, receipt: &str, visibility: Duration) -> PortResult<bool> {
        self.0.change_visibility(queue, receipt, visibility).await
    }

    async fn change_visibilities(&self, queue: &str, receipts: &[String], visibility: Duration) -> PortResult<Vec<bool>> {
        self.0.change_visibilities(queue, receipts, visibility).await
    }

    async fn transfer(&self, from: &str, receipt: &str, to: &str, message: Outgoing) -> PortResult<TransferOutcome> {
        let moved = self.transfer_batch(from, to, vec![Move { receipt: receipt.to_owned(), message }]).await?;
        moved.into_iter().next().unwrap_or(Ok(TransferOutcome::Lost))
    }

    async fn transfer_batch(&self, from: &str, to: &str, moves: Vec<Move>) -> PortResult<Vec<MoveResult>> {
        if self.1 {
            return self.0.transfer_batch(from, to, moves).await;
        }
        let (receipts, messages): (Vec<String>, Vec<Outgoing>) = moves.into_iter().map(|each| (each.receipt, each.message)).unzip();
        let held = self.0.change_visibilities(from, &receipts, Duration::from_mins(1)).await?;
        let ours: Vec<Outgoing> = messages.into_iter().zip(&held).filter(|(_, held)| **held).map(|(message, _)| message).collect();
        let mut sent = self.0.send_batch(to, ours).await?.into_iter();
        let good: Vec<String> = receipts.iter().zip(&held).filter(|(_, held)| **held).map(|(receipt, _)| receipt.clone()).collect();
        let mut deleted = self.0.delete(from, &good).await.map(Vec::into_iter);
        let outcome = |held: bool| {
            if !held {
                return Ok(TransferOutcome::Lost);
            }
            let Some(sent) = sent.next() else { return Ok(TransferOutcome::Lost) };
            let message_id = sent?;
            let gone = deleted.as_mut().is_ok_and(|deleted| deleted.next() == Some(true));
            let reason = "not deleted".to_owned();
            Ok(if gone { TransferOutcome::Moved { message_id } } else { TransferOutcome::SentNotDeleted { message_id, reason } })
        };
        Ok(held.into_iter().map(outcome).collect())
    }

    fn transfer_is_atomic(&self) -> bool {
        self.1
    }

    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        self.0.browse(queue, limit).await
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        self.0.stats(queue).await
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.0.names().await
    }
}
