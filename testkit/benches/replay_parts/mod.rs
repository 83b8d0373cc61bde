//! What the benchmark of replays is made of: journals, and a queue that makes its messages up.

mod nothing;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::bus::{PROJECTIONS, dead_letter_queue};
use payops_core::domain::replay::{JournalEntry, PlannedMessage, Preflight, ReplayPlan};
use payops_core::domain::sha256_hex;
use payops_core::port::{
    Attributes, Browsed, Journal, Move, MoveResult, Outgoing, PortResult, QueueAdmin, QueueStats,
    Queues, Received, SendResult, TransferOutcome,
};
use payops_testkit::sample;
use tokio::sync::oneshot;

pub(crate) use nothing::Nothing;

/// A line of `/proc/self/status`, in KiB.
pub(crate) fn kib(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .expect("a line");
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}

pub(crate) struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn append(&self, _: &[JournalEntry]) -> PortResult<()> {
        Ok(())
    }
}

/// A journal on disk, flushed once for all lines that wait: as that of the command line is.
pub(crate) struct FileJournal {
    to: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    flushes: Arc<AtomicUsize>,
}

impl FileJournal {
    pub(crate) fn create(path: &Path) -> Self {
        let mut file = File::create(path).expect("a file");
        let (to, from) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>();
        let flushes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&flushes);
        std::thread::spawn(move || {
            while let Ok((mut text, waiter)) = from.recv() {
                let mut waiters = vec![waiter];
                while let Ok((more, waiter)) = from.try_recv() {
                    text.extend(more);
                    waiters.push(waiter);
                }
                file.write_all(&text)
                    .and_then(|()| file.sync_data())
                    .expect("written");
                count.fetch_add(1, Ordering::Relaxed);
                for waiter in waiters {
                    // Who no longer waits does not need to know.
                    let _ = waiter.send(());
                }
            }
        });
        Self { to, flushes }
    }

    pub(crate) fn flushes(&self) -> usize {
        self.flushes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry).expect("JSON");
            text.push(b'\n');
        }
        let (tell, told) = oneshot::channel();
        self.to.send((text, tell)).expect("its thread lives");
        told.await.expect("its thread lives");
        Ok(())
    }
}

/// A dead-letter queue that makes its messages up as they are received, and keeps none.
pub(crate) struct MadeUp {
    count: usize,
    next: AtomicUsize,
}

fn id(n: usize) -> String {
    format!("0b8f9f3e-7a11-4d0c-8000-{n:012x}")
}

fn body(n: usize) -> String {
    format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(200))
}

/// A plan for all of them, each with all that a plan knows of a message.
pub(crate) fn plan_of(count: usize) -> ReplayPlan {
    let message = |n: usize| PlannedMessage {
        message_id: id(n),
        body_sha256: sha256_hex(body(n).as_bytes()),
        payment_id: Some(sample::payment_id(u64::try_from(n).expect("small"))),
        class: "provider_timeout".to_owned(),
        preflight: Preflight::Safe,
        cause: Some("603a99b8".to_owned()),
        ..PlannedMessage::default()
    };
    let (queue, target) = (dead_letter_queue(PROJECTIONS), PROJECTIONS.to_owned());
    ReplayPlan {
        queue,
        target,
        messages: (0..count).map(message).collect(),
        ..ReplayPlan::default()
    }
}

impl MadeUp {
    pub(crate) fn new(first: usize, count: usize) -> Self {
        Self {
            count,
            next: first.into(),
        }
    }
}

#[async_trait]
impl Queues for MadeUp {
    async fn receive(
        &self,
        _: &str,
        max: usize,
        _: Duration,
        _: Duration,
    ) -> PortResult<Vec<Received>> {
        tokio::task::yield_now().await;
        let first = self.next.fetch_add(max, Ordering::Relaxed);
        let message = |n: usize| Received {
            message_id: id(n),
            receipt: n.to_string(),
            body: body(n),
            attributes: Attributes::new(),
            receive_count: 1,
            sent_at: Timestamp::UNIX_EPOCH,
            first_received_at: None,
            group: None,
            dedupe: None,
        };
        Ok((first.min(self.count)..(first + max).min(self.count))
            .map(message)
            .collect())
    }

    async fn transfer_batch(
        &self,
        _: &str,
        _: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        tokio::task::yield_now().await;
        Ok(moves
            .iter()
            .map(|one| {
                Ok(TransferOutcome::Moved {
                    message_id: one.receipt.clone(),
                })
            })
            .collect())
    }

    async fn transfer(
        &self,
        _: &str,
        receipt: &str,
        _: &str,
        _: Outgoing,
    ) -> PortResult<TransferOutcome> {
        Ok(TransferOutcome::Moved {
            message_id: receipt.to_owned(),
        })
    }

    async fn send(&self, _: &str, _: Outgoing) -> PortResult<String> {
        Ok(String::new())
    }

    async fn send_batch(&self, _: &str, messages: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        Ok(messages.iter().map(|_| Ok(String::new())).collect())
    }

    async fn delete(&self, _: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        Ok(vec![true; receipts.len()])
    }

    async fn change_visibility(&self, _: &str, _: &str, _: Duration) -> PortResult<bool> {
        Ok(true)
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }
}

#[async_trait]
impl QueueAdmin for MadeUp {
    async fn browse(&self, _: &str, _: usize) -> PortResult<Browsed> {
        Ok(Browsed::default())
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        Ok(QueueStats {
            name: queue.to_owned(),
            visible: 0,
            in_flight: 0,
            delayed: 0,
            oldest_age: None,
            dlq: None,
            max_receives: None,
            approximate: true,
            retention: None,
        })
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        Ok(Vec::new())
    }
}
