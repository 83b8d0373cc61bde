//! Whole queues that are moved: at a rate, over restarts, around what somebody holds.
#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::WORK;
use payops_core::port::{
    Attributes, ErrorKind, Outgoing, QueueAdmin as _, Queues as _, RedriveStatus,
};
use payops_embedded::{QueueConfig, SqliteQueues};
use payops_system::OsRandom;
use payops_testkit::ManualClock;

const DLQ: &str = "payments-work-dlq";

struct Rig {
    path: PathBuf,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn new(count: usize) -> (Self, SqliteQueues) {
        let folder = tempfile::tempdir().expect("a folder");
        let rig = Self {
            path: folder.path().join("queues.db"),
            clock: Arc::new(ManualClock::new()),
            _folder: folder,
        };
        let queues = rig.open(&rig.path).await;
        queues.create_platform_queues(5).await.expect("queues");
        for n in 0..count {
            let attributes = Attributes::from([
                ("payops-class".to_owned(), "timeout".to_owned()),
                ("n".to_owned(), n.to_string()),
            ]);
            queues
                .send(
                    DLQ,
                    Outgoing {
                        body: format!("letter {n}"),
                        attributes,
                        ..Outgoing::default()
                    },
                )
                .await
                .expect("sent");
        }
        (rig, queues)
    }

    async fn open(&self, path: &Path) -> SqliteQueues {
        SqliteQueues::open(path, self.clock.clone(), Arc::new(OsRandom))
            .await
            .expect("open")
    }
}

/// How the last redrive stands, and how many messages are in both queues.
async fn stands(queues: &SqliteQueues) -> (RedriveStatus, u64, u64, u64) {
    let task = queues.redrives(DLQ).await.expect("redrives").remove(0);
    let depth = async |queue: &str| {
        let stats = queues.stats(queue).await.expect("stats");
        stats.visible + stats.in_flight
    };
    (task.status, task.moved, depth(DLQ).await, depth(WORK).await)
}

#[tokio::test]
async fn it_moves_what_its_rate_allows_and_goes_on_after_a_restart() {
    let (rig, queues) = Rig::new(20).await;
    queues
        .start_redrive(DLQ, WORK, Some(4))
        .await
        .expect("begun");
    assert_eq!(stands(&queues).await, (RedriveStatus::Running, 0, 20, 0));
    rig.clock.advance(Duration::from_millis(2_500));
    assert_eq!(stands(&queues).await, (RedriveStatus::Running, 10, 10, 10));
    queues.close().await;
    let queues = rig.open(&rig.path).await;
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(stands(&queues).await, (RedriveStatus::Running, 14, 6, 14));
    rig.clock.advance(Duration::from_mins(1));
    assert_eq!(stands(&queues).await, (RedriveStatus::Completed, 20, 0, 20));
    let moved = queues.browse(WORK, 100).await.expect("looked").messages;
    assert!(
        moved
            .iter()
            .all(|message| message.body == format!("letter {}", message.attributes["n"])),
        "bodies and attributes are kept"
    );
    assert!(
        moved
            .iter()
            .all(|message| message.receive_count == 0 && message.sent_at > ManualClock::start()),
        "each is new in its queue"
    );
}

#[tokio::test]
async fn what_somebody_holds_is_moved_when_it_shows_itself_and_what_dies_later_stays() {
    let (rig, queues) = Rig::new(3).await;
    let held = queues
        .receive(DLQ, 1, Duration::from_secs(30), Duration::ZERO)
        .await
        .expect("received");
    queues.start_redrive(DLQ, WORK, None).await.expect("begun");
    rig.clock.advance(Duration::from_secs(1));
    queues
        .send(
            DLQ,
            Outgoing {
                body: "later".to_owned(),
                ..Outgoing::default()
            },
        )
        .await
        .expect("sent");
    assert_eq!(stands(&queues).await, (RedriveStatus::Running, 2, 2, 2));
    rig.clock.advance(Duration::from_secs(30));
    assert_eq!(stands(&queues).await, (RedriveStatus::Completed, 3, 1, 3));
    let receipts = [held[0].receipt.clone()];
    assert_eq!(
        queues.delete(DLQ, &receipts).await.expect("asked"),
        [false],
        "the right to it ended with the move"
    );
    assert_eq!(
        queues.browse(DLQ, 10).await.expect("looked").messages[0].body,
        "later"
    );
}

#[tokio::test]
async fn one_at_a_time_and_none_once_it_is_canceled() {
    let (rig, queues) = Rig::new(10).await;
    let handle = queues
        .start_redrive(DLQ, WORK, Some(1))
        .await
        .expect("begun");
    let error = queues
        .start_redrive(DLQ, WORK, None)
        .await
        .expect_err("a second");
    assert!(
        error.kind == ErrorKind::Permanent && error.message.contains("already running"),
        "{}",
        error.message
    );
    rig.clock.advance(Duration::from_secs(3));
    stands(&queues).await;
    assert_eq!(
        queues.cancel_redrive(DLQ, &handle).await.expect("canceled"),
        3
    );
    rig.clock.advance(Duration::from_mins(1));
    assert_eq!(stands(&queues).await, (RedriveStatus::Canceled, 3, 7, 3));
    assert_eq!(
        queues
            .cancel_redrive(DLQ, &handle)
            .await
            .expect_err("over")
            .kind,
        ErrorKind::NotFound
    );
    queues
        .start_redrive(DLQ, WORK, None)
        .await
        .expect("another");
}

#[tokio::test]
async fn only_dead_letter_queues_and_no_fifo_queues_are_moved() {
    let (_rig, queues) = Rig::new(0).await;
    assert_eq!(
        queues
            .start_redrive(WORK, DLQ, None)
            .await
            .expect_err("no dead-letter queue")
            .kind,
        ErrorKind::Permanent
    );
    assert_eq!(
        queues
            .start_redrive("nobody", WORK, None)
            .await
            .expect_err("no queue")
            .kind,
        ErrorKind::NotFound
    );
    let fifo = QueueConfig {
        fifo: true,
        ..QueueConfig::dead_letters()
    };
    queues
        .create_queue("orders-dlq.fifo", fifo)
        .await
        .expect("made");
    assert_eq!(
        queues
            .start_redrive("orders-dlq.fifo", WORK, None)
            .await
            .expect_err("FIFO")
            .kind,
        ErrorKind::Permanent
    );
}
