//! Replaying dead letters from a queue that answers after 5 ms: messages a second by the number of lanes,
//! beside a plain loop that moves one message after the other; and the memory that a plan takes.
//!
//! `cargo bench -p payops-local --bench replay` (release). Each size of the memory table runs in a process of
//! its own. SQS's own redrive moves at most 500 messages a second:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints its figures and ends when something fails")]

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use payops_core::domain::bus::{NOTIFICATIONS, dead_letter_queue};
use payops_core::domain::replay::{JournalEntry, Plan, Progress};
use payops_core::port::{
    Browsed, ErrorKind, Journal, Move, MoveResult, Outgoing, PortError, PortResult, QueueStats, Queues, Received, SendResult,
    TransferOutcome,
};
use payops_core::usecase::{Control, Letter, PlanRequest, ReplaySummary, Replayer};
use payops_local::{DataDir, Stores, Surroundings};
use tokio::sync::{mpsc, oneshot};

/// How long each call takes.
const TRIP: Duration = Duration::from_millis(5);

/// A dead-letter queue in memory, and how many went to the other queue.
#[derive(Default)]
struct Far {
    dead: Mutex<VecDeque<Received>>,
    sent: AtomicUsize,
    trip: Duration,
}

impl Far {
    fn new(count: usize, trip: Duration) -> Self {
        Self { dead: Mutex::new((0..count).map(received).collect()), sent: AtomicUsize::new(0), trip }
    }
}

fn received(n: usize) -> Received {
    Received {
        message_id: format!("{n:08x}-0000-4000-8000-000000000000"),
        receipt: n.to_string(),
        body: format!("{{\"payment_id\":\"pay_{n}\",\"amount\":{n},\"currency\":\"EUR\"}}"),
        attributes: [("payops-class".to_owned(), "provider_timeout".to_owned())].into(),
        receive_count: 1,
        sent_at: payops_core::Timestamp::UNIX_EPOCH,
        first_received_at: None,
        group: None,
        dedupe: None,
    }
}

fn unused<T>() -> PortResult<T> {
    Err(PortError::new(ErrorKind::Permanent, "not in this benchmark"))
}

#[async_trait]
impl Queues for Far {
    async fn send(&self, _: &str, _: Outgoing) -> PortResult<String> {
        tokio::time::sleep(self.trip).await;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok("new".to_owned())
    }

    async fn send_batch(&self, _: &str, _: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        unused()
    }

    async fn receive(&self, _: &str, max: usize, _: Duration, _: Duration) -> PortResult<Vec<Received>> {
        tokio::time::sleep(self.trip).await;
        let mut dead = self.dead.lock().expect("not poisoned");
        let count = max.min(dead.len());
        Ok(dead.drain(..count).collect())
    }

    async fn delete(&self, _: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        tokio::time::sleep(self.trip).await;
        Ok(vec![true; receipts.len()])
    }

    async fn change_visibility(&self, _: &str, _: &str, _: Duration) -> PortResult<bool> {
        Ok(true)
    }

    async fn transfer(&self, _: &str, _: &str, _: &str, _: Outgoing) -> PortResult<TransferOutcome> {
        unused()
    }

    /// As on SQS: held, sent, deleted.
    async fn transfer_batch(&self, _: &str, _: &str, moves: Vec<Move>) -> PortResult<Vec<MoveResult>> {
        for _ in 0..3 {
            tokio::time::sleep(self.trip).await;
        }
        self.sent.fetch_add(moves.len(), Ordering::Relaxed);
        Ok(moves.iter().map(|_| Ok(TransferOutcome::Moved { message_id: "new".to_owned() })).collect())
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }

    async fn browse(&self, _: &str, _: usize) -> PortResult<Browsed> {
        unused()
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        let visible = u64::try_from(self.dead.lock().expect("not poisoned").len()).unwrap_or(0);
        let name = queue.to_owned();
        Ok(QueueStats {
            name,
            visible,
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
        Ok(vec![NOTIFICATIONS.to_owned(), dead_letter_queue(NOTIFICATIONS)])
    }
}

/// A journal on disk: one flush for all that wait, as the command keeps it.
struct OnDisk(mpsc::UnboundedSender<(Vec<u8>, oneshot::Sender<()>)>);

impl OnDisk {
    fn new(mut file: std::fs::File) -> Self {
        let (to, mut from) = mpsc::unbounded_channel::<(Vec<u8>, oneshot::Sender<()>)>();
        std::thread::spawn(move || {
            while let Some((mut text, waiter)) = from.blocking_recv() {
                let mut waiters = vec![waiter];
                while let Ok((more, waiter)) = from.try_recv() {
                    text.extend(more);
                    waiters.push(waiter);
                }
                file.write_all(&text).and_then(|()| file.sync_data()).expect("written");
                for waiter in waiters {
                    let _ = waiter.send(());
                }
            }
        });
        Self(to)
    }
}

#[async_trait]
impl Journal for OnDisk {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry).expect("JSON");
            text.push(b'\n');
        }
        let (tell, told) = oneshot::channel();
        self.0.send((text, tell)).expect("it runs");
        told.await.map_err(|_| PortError::new(ErrorKind::Unavailable, "the writer has ended"))
    }
}

struct Go;

#[async_trait]
impl Control for Go {
    fn is_stopped(&self) -> bool {
        false
    }

    async fn pace(&self, _: usize) {}

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn told(&self, _: &ReplaySummary) {}

    async fn alarms(&self) -> Vec<String> {
        Vec::new()
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know that it starts.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let Some(place) = arguments.iter().position(|argument| argument == "--memory") {
        let count = arguments.get(place + 1).and_then(|count| count.parse().ok()).expect("a number");
        let before = peak_mb();
        let rate = rate(count, 32, Duration::ZERO).await;
        println!("{count:>9}  {rate:>10.0}  {:>8.0} MB  {before:>8.0} MB", peak_mb());
        return;
    }
    println!("every call takes {} ms; a journal on disk\n", TRIP.as_millis());
    println!("{:>22}  {:>10}", "lanes of ten", "messages/s");
    for lanes in [1, 2, 4, 8, 16, 32, 64] {
        println!("{lanes:>22}  {:>10.0}", rate(2_000 * lanes.min(16), lanes, TRIP).await);
    }
    println!("{:>22}  {:>10.0}", "one by one, in a loop", one_by_one(300).await);
    println!("{:>22}  {:>10}\n", "SQS's own redrive", "<= 500");
    println!("{:>9}  {:>10}  {:>11}  {:>11}", "messages", "messages/s", "peak memory", "at the start");
    let own = std::env::current_exe().expect("a program");
    for count in ["10000", "100000", "1000000"] {
        let done = std::process::Command::new(&own).args(["--memory", count]).status().expect("started");
        assert!(done.success());
    }
}

async fn rate(count: usize, lanes: usize, trip: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let data = DataDir::open_or_create(folder.path()).expect("a data directory");
    let stores = Stores::open(&data, "test", &Surroundings::default()).await.expect("stores");
    let far = Arc::new(Far::new(count, trip));
    let ports = &stores.ports;
    let replayer = Replayer {
        store: Arc::clone(&ports.store),
        queues: far.clone(),
        dispatcher: ports.dispatcher(),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
        policy: ports.policy.clone(),
        lanes,
    };
    let plan: Plan = {
        let letters: Vec<Letter> = (0..count).map(letter).collect();
        let request = PlanRequest { queue: NOTIFICATIONS.to_owned(), ..PlanRequest::default() };
        replayer.plan(request, &letters).await.expect("a plan")
    };
    let journal = OnDisk::new(std::fs::File::create(folder.path().join("journal")).expect("a file"));
    let start = Instant::now();
    let summary = replayer.execute(&plan, &Progress::default(), &journal, &Go).await.expect("replayed");
    let took = start.elapsed();
    assert_eq!((summary.sent, summary.remaining, far.sent.load(Ordering::Relaxed)), (count, 0, count));
    stores.close().await;
    f64::from(u32::try_from(count).expect("small")) / took.as_secs_f64()
}

fn letter(n: usize) -> Letter {
    let message = received(n);
    Letter {
        queue: dead_letter_queue(NOTIFICATIONS),
        payment: None,
        class: "provider_timeout".to_owned(),
        reason: format!("no answer to ch_{n} in 30 s"),
        first_seen: message.sent_at,
        receive_count: 5,
        expires_at: None,
        message,
    }
}

/// What a script does: receive one, send it, delete it.
async fn one_by_one(count: usize) -> f64 {
    let far = Far::new(count, TRIP);
    let start = Instant::now();
    loop {
        let Some(message) = far.receive("dlq", 1, TRIP, TRIP).await.expect("received").pop() else { break };
        far.send("queue", Outgoing { body: message.body, ..Outgoing::default() }).await.expect("sent");
        far.delete("dlq", &[message.receipt]).await.expect("deleted");
    }
    f64::from(u32::try_from(count).expect("small")) / start.elapsed().as_secs_f64()
}

/// The most memory that this process has had, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kilobytes / 1024.0
}
