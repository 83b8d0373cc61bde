//! What every queue service does. Queues of the fixture must be empty and used by nobody else.

mod fifo;
mod moving;
mod receiving;
mod sending;

use std::time::{Duration, Instant};

use payops_core::port::{Attributes, Outgoing, QueueAdmin, QueueStats, Queues, Received};

use super::{LAG, word};
use crate::eventually;

pub type Advance = dyn Fn(Duration) + Send + Sync;

#[derive(Clone, Copy)]
pub struct Fixture<'a> {
    /// A standard queue that redrives to `dlq` after `max_receives`.
    pub queue: &'a str,
    pub dlq: &'a str,
    /// From 3 to 5.
    pub max_receives: u32,
    /// A FIFO queue without content-based dedupe, if there is one.
    pub fifo: Option<&'a str>,
    pub salt: u64,
    /// Turns the adapter's clock; without it, the suite really waits, 2 s at a time.
    pub advance: Option<&'a Advance>,
}

/// Long enough that nothing becomes visible by itself while a check runs.
const LONG: Duration = Duration::from_mins(10);

pub async fn suite<Q: Queues + QueueAdmin>(queues: &Q, fixture: &Fixture<'_>) {
    assert!(
        (3..=5).contains(&fixture.max_receives),
        "the fixture's queue must allow 3 to 5 receives"
    );
    let kit = Kit {
        queues,
        admin: queues,
        fixture,
    };
    Box::pin(sending::suite(&kit)).await;
    Box::pin(receiving::suite(&kit)).await;
    Box::pin(moving::suite(&kit)).await;
    if let Some(fifo) = fixture.fifo {
        Box::pin(fifo::suite(&kit, fifo)).await;
    }
}

struct Kit<'a> {
    queues: &'a dyn Queues,
    admin: &'a dyn QueueAdmin,
    fixture: &'a Fixture<'a>,
}

impl Kit<'_> {
    fn message(&self, name: &str) -> Outgoing {
        let attributes = Attributes::from([
            ("payops-class".to_owned(), "timeout".to_owned()),
            ("payops-reason".to_owned(), "ünï 🦀".to_owned()),
        ]);
        let body = format!(
            "{{\"name\": \"{name}\", \"run\": \"{}\"}}\n",
            word(self.fixture.salt)
        );
        Outgoing {
            body,
            attributes,
            ..Outgoing::default()
        }
    }

    async fn send(&self, queue: &str, name: &str) -> String {
        self.queues
            .send(queue, self.message(name))
            .await
            .expect("send")
    }

    /// Receives `count` messages and hides them for long.
    async fn take(&self, queue: &str, count: usize) -> Vec<Received> {
        let mut taken = Vec::new();
        let start = Instant::now();
        while taken.len() < count {
            assert!(
                start.elapsed() < LAG,
                "{} of {count} messages came from {queue}",
                taken.len()
            );
            let max = (count - taken.len()).min(10);
            taken.extend(
                self.queues
                    .receive(queue, max, LONG, Duration::from_secs(1))
                    .await
                    .expect("receive"),
            );
        }
        taken
    }

    async fn take_one(&self, queue: &str) -> Received {
        self.take(queue, 1).await.remove(0)
    }

    /// What can be received without waiting.
    async fn glance(&self, queue: &str) -> Vec<Received> {
        self.queues
            .receive(queue, 10, LONG, Duration::ZERO)
            .await
            .expect("receive")
    }

    async fn expect_none(&self, queue: &str, why: &str) {
        let found = self.glance(queue).await;
        assert!(found.is_empty(), "{why}: {found:?}");
    }

    async fn delete(&self, queue: &str, messages: &[Received]) {
        for chunk in messages.chunks(10) {
            let receipts: Vec<String> = chunk
                .iter()
                .map(|message| message.receipt.clone())
                .collect();
            let deleted = self.queues.delete(queue, &receipts).await.expect("delete");
            assert_eq!(
                deleted,
                vec![true; receipts.len()],
                "a good receipt deletes"
            );
        }
    }

    /// Makes a received message visible again at once.
    async fn put_back(&self, queue: &str, message: &Received) {
        assert!(
            self.queues
                .change_visibility(queue, &message.receipt, Duration::ZERO)
                .await
                .expect("change_visibility"),
            "a good receipt"
        );
    }

    fn short(&self) -> Duration {
        Duration::from_secs(if self.fixture.advance.is_some() {
            30
        } else {
            2
        })
    }

    /// Lets [`Kit::short`] pass, and a little more.
    async fn pass(&self) {
        match self.fixture.advance {
            Some(advance) => advance(self.short().saturating_add(Duration::from_secs(1))),
            None => {
                tokio::time::sleep(self.short().saturating_add(Duration::from_millis(200))).await;
            }
        }
    }

    /// Waits until the queue's counts are as `fine` says (they may be approximate).
    async fn stats(
        &self,
        queue: &str,
        what: &str,
        fine: impl Fn(&QueueStats) -> bool,
    ) -> QueueStats {
        let fine = &fine;
        let check = || async move {
            let stats = self.admin.stats(queue).await.expect("stats");
            if !stats.approximate {
                assert!(fine(&stats), "{what}: {stats:?}");
            }
            fine(&stats).then_some(stats)
        };
        eventually(Duration::from_secs(20), what, check).await
    }

    async fn empty(&self, queue: &str) {
        self.stats(queue, "the queue is empty", |stats| {
            stats.visible + stats.in_flight + stats.delayed == 0
        })
        .await;
    }
}
