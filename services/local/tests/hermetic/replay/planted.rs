//! Bugs planted around the engine, which the checker must find: a checker that cannot fail proves
//! nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::bus::{WORK, dead_letter_queue};
use payops_core::domain::replay::JournalEntry;
use payops_core::port::{
    Journal, Move, MoveResult, Outgoing, PortResult, Queues, Received, SendResult, TransferOutcome,
};
use payops_testkit::fault::faulty;
use payops_testkit::queues::{Order, Steps};
use payops_testkit::replay::Notes;

use super::fate::Before;
use super::kills;
use super::support::{Moves, Rig};

/// A journal that writes what is about to be sent only with the next lines: too late.
struct Late {
    inner: Arc<dyn Journal>,
    waiting: Mutex<Vec<JournalEntry>>,
}

#[async_trait]
impl Journal for Late {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        let (now, later): (Vec<_>, Vec<_>) = entries
            .iter()
            .cloned()
            .partition(|entry| !matches!(entry, JournalEntry::Sending { .. }));
        let all: Vec<JournalEntry> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if now.is_empty() {
                waiting.extend(later);
                return Ok(());
            }
            waiting.drain(..).chain(now).collect()
        };
        self.inner.append(&all).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// Messages that are not of the plan are deleted and not hidden.
    DeletesOthers,
    /// Messages that are not of the plan are not shown again.
    ShowsNothing,
}

struct Planted {
    inner: Arc<dyn Queues>,
    bug: Bug,
}

#[async_trait]
impl Queues for Planted {
    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        match self.bug {
            Bug::DeletesOthers if visibility == Duration::from_mins(5) => {
                self.inner.delete(queue, receipts).await
            }
            Bug::ShowsNothing if visibility.is_zero() => Ok(vec![true; receipts.len()]),
            _ => {
                self.inner
                    .change_visibilities(queue, receipts, visibility)
                    .await
            }
        }
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.inner.receive(queue, max, visibility, wait).await
    }

    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.inner.send(queue, message).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.inner.send_batch(queue, messages).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
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
        self.inner.transfer(from, receipt, to, message).await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        self.inner.transfer_batch(from, to, moves).await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.inner.transfer_is_atomic()
    }
}

/// What the checker finds in `seeds` runs on `queues`, with or without a journal that writes too
/// late; no more runs once it has found `what`.
async fn found(
    rig: &Rig,
    queues: Arc<dyn Queues>,
    is_late: bool,
    seeds: u64,
    what: &str,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for seed in 1..=seeds {
        if all.iter().any(|found| found.contains(what)) {
            break;
        }
        rig.litter(WORK, 12, "other").await;
        rig.litter(WORK, 14, "mended").await;
        let plan = rig.plan(WORK, "mended").await;
        let before = Before::of(rig, &plan).await;
        let replayer = rig.replayer(Arc::clone(&queues), 3);
        let disk = Arc::new(Notes::new());
        let journal: Arc<dyn Journal> = faulty(Arc::clone(&disk), &rig.world.chaos);
        let late = Late {
            inner: Arc::clone(&journal),
            waiting: Mutex::default(),
        };
        let journal: &dyn Journal = if is_late { &late } else { &*journal };
        kills::run(rig, &replayer, &plan, seed, (&disk, journal)).await;
        all.extend(before.violations(rig, &plan, &disk.entries()).await);
        // Whatever the bug left hidden.
        rig.clock().advance(Duration::from_hours(2));
        rig.clear(&dead_letter_queue(WORK)).await;
        rig.clear(WORK).await;
    }
    all
}

/// The checker finds `what` in a few runs.
async fn check(rig: &Rig, queues: Arc<dyn Queues>, is_late: bool, what: &str) {
    let found = found(rig, queues, is_late, 200, what).await;
    assert!(
        found.iter().any(|found| found.contains(what)),
        "{what} in {found:#?}"
    );
}

#[tokio::test]
async fn without_a_bug_nothing_is_found() {
    let rig = Rig::sqlite().await;
    assert_eq!(
        found(&rig, rig.queues(Moves::InSteps), false, 12, "nothing").await,
        Vec::<String>::new()
    );
    assert_eq!(
        found(&rig, rig.queues(Moves::Atomic), false, 12, "nothing").await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_journal_that_is_written_after_the_send_is_found() {
    let rig = Rig::sqlite().await;
    check(
        &rig,
        rig.queues(Moves::InSteps),
        true,
        "sent twice, and the journal does not say so",
    )
    .await;
    check(
        &rig,
        rig.queues(Moves::Atomic),
        true,
        "the journal says that it was not sent, and it was",
    )
    .await;
}

#[tokio::test]
async fn a_deletion_before_the_send_is_found() {
    let rig = Rig::sqlite().await;
    let queues = Arc::new(Steps::new(
        faulty(Arc::clone(&rig.plain), &rig.world.chaos),
        Order::DeleteFirst,
    ));
    check(&rig, queues, false, "gone").await;
}

#[tokio::test]
async fn deleting_messages_of_others_is_found() {
    let rig = Rig::sqlite().await;
    let queues = Arc::new(Planted {
        inner: rig.queues(Moves::Atomic),
        bug: Bug::DeletesOthers,
    });
    check(&rig, queues, false, "not of the plan, and gone").await;
}

#[tokio::test]
async fn not_showing_messages_of_others_again_is_found() {
    let rig = Rig::sqlite().await;
    let queues = Arc::new(Planted {
        inner: rig.queues(Moves::Atomic),
        bug: Bug::ShowsNothing,
    });
    check(
        &rig,
        queues,
        false,
        "not of the plan, and cannot be received at once",
    )
    .await;
}
