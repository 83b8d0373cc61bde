//! The long-polling loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::bus::WORK;
use payops_core::domain::payment::Status;
use payops_core::domain::work_item::HandlerOutcome;
use payops_core::port::{Outgoing, PortResult, Queues as _, Received};
use payops_core::usecase::{Consumer, Handler};
use payops_runtime::SystemClock;
use payops_runtime::{ConsumeSettings, Heartbeat};
use payops_testkit::eventually;
use payops_testkit::fault::{Chances, Chaos, Plan, faulty};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;

fn metrics() -> payops_runtime::Metrics {
    payops_runtime::Metrics::new(&[payops_core::domain::metric::PAYMENTS_WORKER])
}

fn settings(concurrency: usize) -> ConsumeSettings {
    ConsumeSettings {
        concurrency,
        wait: Duration::from_millis(200),
        drain: Duration::from_secs(20),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_come_to_their_end_and_the_loop_to_its() {
    let folder = TempDir::new().expect("a folder");
    let platform = Platform::open(folder.path(), Arc::new(SystemClock)).await;
    let mut ids = Vec::new();
    for number in 0..25 {
        let source = if number % 5 == 0 {
            "tok_declined"
        } else {
            "tok_visa"
        };
        ids.push(platform.accept(&format!("k{number}"), source).await);
    }
    let (stop, heartbeat) = (
        CancellationToken::new(),
        Heartbeat::new(Duration::from_mins(1)),
    );
    let (consumer, token) = (platform.consumer(), stop.clone());
    let worker = tokio::spawn(async move {
        payops_runtime::consume(consumer, settings(4), &token, &heartbeat, &metrics()).await
    });
    eventually(Duration::from_mins(1), "the queue to empty", || async {
        (platform.depths().await.0 == 0).then_some(())
    })
    .await;
    stop.cancel();
    let total = worker.await.expect("ended");
    assert_eq!((total.done, total.dead, total.panics), (25, 0, 0));
    for (number, id) in ids.iter().enumerate() {
        let expected = if number % 5 == 0 {
            Status::Failed
        } else {
            Status::Completed
        };
        assert_eq!(platform.payment(id).await.status, expected);
    }
    assert_eq!(platform.acquirer.stats().await.expect("read").charges, 20);
}

/// Holds every message until it is let go.
#[derive(Default)]
struct Held {
    started: AtomicUsize,
    go: Notify,
}

#[async_trait]
impl Handler for Held {
    async fn handle(&self, _: &Received) -> HandlerOutcome {
        self.started.fetch_add(1, Ordering::SeqCst);
        self.go.notified().await;
        HandlerOutcome::Done
    }

    async fn mark_dead(&self, _: &Received, _: &str, _: &str) -> PortResult<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_under_way_and_starts_nothing_more() {
    let folder = TempDir::new().expect("a folder");
    let platform = Platform::open(folder.path(), Arc::new(SystemClock)).await;
    for _ in 0..5 {
        platform
            .queues
            .send(
                WORK,
                Outgoing {
                    body: "x".to_owned(),
                    ..Outgoing::default()
                },
            )
            .await
            .expect("sent");
    }
    let held = Arc::new(Held::default());
    let consumer = Consumer {
        handler: held.clone(),
        ..platform.consumer()
    };
    let (stop, heartbeat) = (
        CancellationToken::new(),
        Heartbeat::new(Duration::from_mins(1)),
    );
    let token = stop.clone();
    let worker = tokio::spawn(async move {
        payops_runtime::consume(consumer, settings(2), &token, &heartbeat, &metrics()).await
    });
    let started = || async { (held.started.load(Ordering::SeqCst) == 2).then_some(()) };
    eventually(Duration::from_secs(20), "two messages to start", started).await;
    stop.cancel();
    // Both are let go after the stop, and still settled.
    eventually(Duration::from_secs(20), "both to be let go", || async {
        held.go.notify_waiters();
        worker.is_finished().then_some(())
    })
    .await;
    let total = worker.await.expect("ended");
    assert_eq!((total.done, held.started.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(platform.depths().await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_service_that_fails_is_asked_again_but_not_at_once() {
    let folder = TempDir::new().expect("a folder");
    let platform = Platform::open(folder.path(), Arc::new(SystemClock)).await;
    let id = platform.accept("k", "tok_visa").await;
    let none = Chances {
        fail: 0,
        throttle: 0,
        lose_answer: 0,
        crash_before: 0,
        crash_after: 0,
    };
    let chaos = Arc::new(Chaos::new(Plan::Dice {
        chances: Chances { fail: 1000, ..none },
        seed: 1,
    }));
    let consumer = Consumer {
        queues: faulty(Arc::clone(&platform.queues), &chaos),
        ..platform.consumer()
    };
    let (stop, heartbeat) = (
        CancellationToken::new(),
        Heartbeat::new(Duration::from_mins(1)),
    );
    let token = stop.clone();
    let worker = tokio::spawn(async move {
        payops_runtime::consume(consumer, settings(2), &token, &heartbeat, &metrics()).await
    });
    eventually(Duration::from_secs(20), "three tries", || async {
        (chaos.calls().len() >= 3).then_some(())
    })
    .await;
    let tries = chaos.calls().len();
    assert!(tries < 20, "{tries} tries: a busy loop");
    chaos.calm();
    let done = || async { (platform.payment(&id).await.status == Status::Completed).then_some(()) };
    eventually(Duration::from_secs(30), "the payment to complete", done).await;
    stop.cancel();
    worker.await.expect("ended");
}
