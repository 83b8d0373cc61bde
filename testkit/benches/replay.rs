//! Replaying dead letters, measured: messages a second by lanes, and peak memory by how many there
//! are.
//!
//! The queues are in memory and behave like SQS; every call to them takes 5 ms, and moving ten
//! messages is three calls. Beside the lanes: a plain loop that receives, sends and deletes one
//! message after the other, and what SQS's own redrive does at most. Peak memory is that of a
//! process of its own for each size, on a queue that makes its messages up, so that what is
//! measured is the replay and its plan.
//!
//! `cargo bench -p payops-testkit --bench replay` (release); `PAYOPS_BENCH_QUICK=1` for a short
//! run.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and ends when something fails"
)]

mod replay_parts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use payops_core::domain::bus::{PROJECTIONS, dead_letter_queue};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::replay::{JournalEntry, Progress};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, Journal, Outgoing, QueueAdmin, Queues};
use payops_core::usecase::{DeadLetters, Dispatcher, PlanRequest, Replayer};
use payops_testkit::queues::{MemoryQueue, MemoryQueues};
use payops_testkit::replay::Steer;
use payops_testkit::{ManualClock, SeededRandom};
use replay_parts::{FileJournal, MadeUp, NoJournal, Nothing, kib, plan_of};

const ROUND_TRIP: Duration = Duration::from_millis(5);
/// Messages that SQS's own redrive moves in a second at most:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>.
const NATIVE_MAX: usize = 500;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know that it starts.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let Some(place) = arguments.iter().position(|argument| argument == "--memory") {
        let count = arguments
            .get(place + 1)
            .and_then(|count| count.parse().ok())
            .expect("a number");
        let is_second = arguments
            .iter()
            .any(|argument| argument == "--gone-on-with");
        memory(count, is_second).await;
        return;
    }
    let is_quick = std::env::var_os("PAYOPS_BENCH_QUICK").is_some();
    let folder = tempfile::tempdir().expect("a folder");
    let seconds = if is_quick { 1 } else { 4 };
    println!(
        "{:>24}  {:>14}  {:>18}  {:>8}",
        "", "no journal", "journal on disk", "flushes"
    );
    println!(
        "{:>24}  {:>12}/s",
        "one after the other",
        plain_loop(if is_quick { 50 } else { 200 }).await
    );
    println!(
        "{:>24}  {:>12}/s  at most, by the documentation",
        "SQS's own redrive", NATIVE_MAX
    );
    for lanes in [1, 2, 4, 8, 16, 32] {
        let count = 450 * lanes * seconds;
        let bare = lanes_rate(lanes, count, &NoJournal).await;
        let journal = FileJournal::create(&folder.path().join(format!("{lanes}.jsonl")));
        let written = lanes_rate(lanes, count, &journal).await;
        println!(
            "{:>24}  {bare:>12}/s  {written:>16}/s  {:>8}",
            format!("{lanes} lanes"),
            journal.flushes()
        );
    }
    println!(
        "\n{:>24}  {:>10}  {:>10}  {:>10}  {:>14}",
        "messages", "before", "plan", "peak", "a message"
    );
    for count in [10_000, 100_000, if is_quick { 200_000 } else { 1_000_000 }] {
        child(&["--memory", &count.to_string()]);
        child(&["--memory", &count.to_string(), "--gone-on-with"]);
    }
}

fn child(arguments: &[&str]) {
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    assert!(
        child.args(arguments).status().expect("it runs").success(),
        "the child failed"
    );
}

fn replayer<Q: Queues + QueueAdmin + 'static>(queues: Arc<Q>, lanes: usize) -> Replayer {
    let (nothing, clock) = (Arc::new(Nothing), Arc::new(ManualClock::new()));
    let dispatcher = Dispatcher {
        store: nothing.clone(),
        archive: nothing.clone(),
        bus: nothing.clone(),
        queues: queues.clone(),
        clock: clock.clone(),
    };
    Replayer {
        store: nothing,
        queues: queues.clone(),
        queue_admin: queues,
        dispatcher: Some(dispatcher),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        limits: PaymentLimits::default(),
        lanes,
    }
}

/// Queues with `count` dead letters of a kilobyte.
async fn filled(count: usize) -> Arc<MemoryQueues> {
    let queues = Arc::new(MemoryQueues::new(ManualClock::new(), ROUND_TRIP));
    let dlq = dead_letter_queue(PROJECTIONS);
    queues.create(
        PROJECTIONS,
        MemoryQueue {
            dlq: Some((dlq.clone(), 5)),
            is_fifo: false,
        },
    );
    queues.create(&dlq, MemoryQueue::default());
    let attributes = Attributes::from([(attribute::REASON.to_owned(), "timed out".to_owned())]);
    let message = |n: usize| {
        let body = format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(1_000));
        Outgoing {
            body,
            attributes: attributes.clone(),
            ..Outgoing::default()
        }
    };
    let batches = (0..count).step_by(10).map(|first| {
        let batch = (first..count.min(first + 10)).map(message).collect();
        queues.send_batch(&dlq, batch)
    });
    futures::future::try_join_all(batches)
        .await
        .expect("filled");
    queues
}

/// Receives, sends and deletes one message after the other; how many a second.
async fn plain_loop(count: usize) -> usize {
    let (queues, dlq) = (filled(count).await, dead_letter_queue(PROJECTIONS));
    let start = Instant::now();
    for _ in 0..count {
        let message = queues
            .receive(&dlq, 1, ROUND_TRIP * 1_000, Duration::ZERO)
            .await
            .expect("received")
            .remove(0);
        let outgoing = Outgoing {
            body: message.body,
            attributes: message.attributes,
            ..Outgoing::default()
        };
        queues.send(PROJECTIONS, outgoing).await.expect("sent");
        queues
            .delete(&dlq, &[message.receipt])
            .await
            .expect("deleted");
    }
    rate(count, start.elapsed())
}

async fn lanes_rate(lanes: usize, count: usize, journal: &dyn Journal) -> usize {
    let queues = filled(count).await;
    let letters = DeadLetters {
        queue_admin: queues.clone(),
        store: Arc::new(Nothing),
        archive: Arc::new(Nothing),
    };
    let seen = letters
        .look(&[dead_letter_queue(PROJECTIONS)], count)
        .await
        .expect("letters");
    let replayer = replayer(queues, lanes);
    let request = PlanRequest {
        queue: PROJECTIONS.to_owned(),
        ..PlanRequest::default()
    };
    let plan = replayer.plan(request, &seen.letters).await.expect("a plan");
    let start = Instant::now();
    let summary = replayer
        .execute(&plan, &Progress::default(), journal, &Steer::new())
        .await
        .expect("it runs");
    assert_eq!(summary.sent, count, "{summary:?}");
    rate(count, start.elapsed())
}

fn rate(count: usize, took: Duration) -> usize {
    let ms = usize::try_from(took.as_millis()).expect("short");
    count * 1_000 / ms.max(1)
}

/// A replay of `count` messages, and the memory that this process took at most; from the beginning,
/// or as one that was cut off before its last hundred messages.
async fn memory(count: usize, is_second: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let before = kib("VmHWM");
    let plan = plan_of(count);
    let planned = kib("VmHWM");
    let journal = FileJournal::create(&folder.path().join("journal.jsonl"));
    let left = if is_second { 100 } else { count };
    let mut done = Progress::default();
    for message in plan.messages.iter().take(count - left) {
        let message_id = message.message_id.clone();
        done.take(&JournalEntry::Sending {
            message_id: message_id.clone(),
        });
        done.take(&JournalEntry::Sent {
            message_id,
            new_message_id: None,
        });
    }
    let replayer = replayer(Arc::new(MadeUp::new(count - left, count)), 16);
    let summary = replayer
        .execute(&plan, &done, &journal, &Steer::new())
        .await
        .expect("it runs");
    assert_eq!(summary.sent, count, "{summary:?}");
    let peak = kib("VmHWM");
    let each = (peak - before) * 1024 / count;
    let what = if is_second {
        format!("{count}, gone on with")
    } else {
        count.to_string()
    };
    println!(
        "{what:>24}  {:>7} MB  {:>7} MB  {:>7} MB  {each:>12} B",
        before / 1024,
        planned / 1024,
        peak / 1024
    );
}
