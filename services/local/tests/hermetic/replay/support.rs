//! Dead letters of real payments and of nothing in particular, and what replays them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue, parking_queue};
use payops_core::domain::id::PaymentId;
use payops_core::domain::replay::{Progress, ReplayPlan};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, Journal, Outgoing, QueueAdmin, Queues, Received};
use payops_core::usecase::{
    Control, DeadLetter, DeadLetters, PlanRequest, ReplaySummary, Replayer,
};
use payops_testkit::ManualClock;
use payops_testkit::fault::faulty;
use payops_testkit::queues::{MemoryQueue, MemoryQueues, Order, Skipping, Steps};

use crate::world::checker::Answers;
use crate::world::{World, request};

const LONG: Duration = Duration::from_hours(1);
/// The FIFO queue of [`Rig::memory`].
pub(crate) const FIFO: &str = "orders.fifo";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moves {
    Atomic,
    InSteps,
}

/// A world, and its queues as the tests look at them: without faults, and nobody really waits.
pub(crate) struct Rig {
    _folder: tempfile::TempDir,
    pub(crate) world: World,
    pub(crate) plain: Arc<dyn Queues>,
    pub(crate) admin: Arc<dyn QueueAdmin>,
    /// Accepted payments so far; each has a key of its own.
    keys: AtomicU64,
}

impl Rig {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::open(folder.path(), 21).await;
        let plain = Arc::new(Skipping::new(
            Arc::clone(&world.stores.ports.queues),
            world.clock.clone(),
        ));
        let admin = Arc::clone(&world.stores.ports.queue_admin);
        Self {
            _folder: folder,
            world,
            plain,
            admin,
            keys: 0.into(),
        }
    }

    /// Queues in memory: `projections` and [`FIFO`], each with what belongs to it.
    pub(crate) async fn memory() -> (Self, Arc<MemoryQueues>) {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::open(folder.path(), 21).await;
        let queues = Arc::new(MemoryQueues::new(world.clock.clone(), Duration::ZERO));
        for (queue, is_fifo) in [(PROJECTIONS, false), (FIFO, true)] {
            let dlq = dead_letter_queue(queue);
            queues.create(
                queue,
                MemoryQueue {
                    dlq: Some((dlq.clone(), 5)),
                    is_fifo,
                },
            );
            queues.create(&dlq, MemoryQueue { dlq: None, is_fifo });
            queues.create(&parking_queue(queue), MemoryQueue { dlq: None, is_fifo });
        }
        let plain = Arc::new(Skipping::new(
            Arc::clone(&queues) as Arc<dyn Queues>,
            world.clock.clone(),
        ));
        (
            Self {
                _folder: folder,
                world,
                plain,
                admin: Arc::clone(&queues) as Arc<dyn QueueAdmin>,
                keys: 0.into(),
            },
            queues,
        )
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.world.clock
    }

    pub(crate) fn queues(&self, moves: Moves) -> Arc<dyn Queues> {
        let faulty: Arc<dyn Queues> = faulty(Arc::clone(&self.plain), &self.world.chaos);
        match moves {
            Moves::Atomic => faulty,
            Moves::InSteps => Arc::new(Steps::new(faulty, Order::SendFirst)),
        }
    }

    /// A replayer with `lanes` lanes on `queues`.
    pub(crate) fn replayer(&self, queues: Arc<dyn Queues>, lanes: usize) -> Replayer {
        Replayer {
            queues,
            queue_admin: faulty(Arc::clone(&self.admin), &self.world.chaos),
            lanes,
            ..self.world.replayer()
        }
    }

    /// A replayer that meets no faults.
    pub(crate) fn plain_replayer(&self, lanes: usize) -> Replayer {
        Replayer {
            queue_admin: Arc::clone(&self.admin),
            ..self.replayer(Arc::clone(&self.plain), lanes)
        }
    }

    /// All dead letters of `queue`.
    pub(crate) async fn letters(&self, queue: &str) -> Vec<DeadLetter> {
        let ports = &self.world.stores.ports;
        let letters = DeadLetters {
            queue_admin: Arc::clone(&self.admin),
            store: Arc::clone(&ports.store),
            archive: Arc::clone(&ports.archive),
        };
        let seen = letters
            .look(&[dead_letter_queue(queue)], 100_000)
            .await
            .expect("letters");
        assert!(seen.complete, "{:?}", seen.doubts);
        seen.letters
    }

    /// A plan for those letters of `queue` whose reason has `word` in it.
    pub(crate) async fn plan(&self, queue: &str, word: &str) -> ReplayPlan {
        let chosen: Vec<DeadLetter> = self
            .letters(queue)
            .await
            .into_iter()
            .filter(|letter| letter.reason.contains(word))
            .collect();
        self.plan_of(asked(queue), &chosen).await
    }

    pub(crate) async fn plan_of(&self, request: PlanRequest, letters: &[DeadLetter]) -> ReplayPlan {
        self.plain_replayer(1)
            .plan(request, letters)
            .await
            .expect("a plan")
    }

    /// Runs a plan from its beginning on the queues without faults.
    pub(crate) async fn run(
        &self,
        plan: &ReplayPlan,
        lanes: usize,
        journal: &dyn Journal,
        control: &dyn Control,
    ) -> ReplaySummary {
        self.go_on(plan, &Progress::default(), lanes, journal, control)
            .await
    }

    pub(crate) async fn go_on(
        &self,
        plan: &ReplayPlan,
        done: &Progress,
        lanes: usize,
        journal: &dyn Journal,
        control: &dyn Control,
    ) -> ReplaySummary {
        let replayer = self.plain_replayer(lanes);
        replayer
            .execute(plan, done, journal, control)
            .await
            .expect("it runs")
    }

    /// Sends `count` letters that are about no payment to the dead-letter queue of `queue`.
    pub(crate) async fn litter(&self, queue: &str, count: usize, word: &str) {
        self.send(
            &dead_letter_queue(queue),
            (0..count).map(|n| letter(queue, word, n)).collect(),
        )
        .await;
    }

    pub(crate) async fn send(&self, queue: &str, messages: Vec<Outgoing>) {
        for some in messages.chunks(10) {
            for sent in self
                .plain
                .send_batch(queue, some.to_vec())
                .await
                .expect("sent")
            {
                sent.expect("sent");
            }
        }
    }

    /// Accepts `count` payments and lets their work die of `word`.
    pub(crate) async fn dead_payments(
        &self,
        count: usize,
        word: &str,
        answers: &mut Answers,
    ) -> Vec<PaymentId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let key = format!("p{}", self.keys.fetch_add(1, Ordering::Relaxed));
            let answer = self
                .world
                .accept(&key, &request("tok_visa", 1000))
                .await
                .expect("accepted");
            ids.push(answer.payment.clone());
            answers.insert(key, answer);
        }
        self.mark_dead(word).await;
        ids
    }

    /// Gives up on all that lies in the work queue.
    pub(crate) async fn mark_dead(&self, word: &str) {
        let [worker, ..] = self.world.consumers();
        loop {
            let messages = self.take(WORK).await;
            if messages.is_empty() {
                return;
            }
            for message in messages {
                assert!(
                    worker
                        .dead_letter(&message, "internal", word)
                        .await
                        .expect("moved")
                );
            }
        }
    }

    /// Ten messages at most, hidden from others for long.
    async fn take(&self, queue: &str) -> Vec<Received> {
        let taken = self.plain.receive(queue, 10, LONG, Duration::ZERO).await;
        taken.expect("received")
    }

    /// Everything in a queue, looked at only.
    pub(crate) async fn browse(&self, queue: &str) -> Vec<Received> {
        self.admin
            .browse(queue, 100_000)
            .await
            .expect("looked")
            .messages
    }

    /// Everything that can be received from a queue at once, in that order. It is shown again.
    pub(crate) async fn receivable(&self, queue: &str) -> Vec<Received> {
        let mut all = Vec::new();
        loop {
            let some = self.take(queue).await;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        let receipts: Vec<String> = all.iter().map(|message| message.receipt.clone()).collect();
        self.plain
            .change_visibilities(queue, &receipts, Duration::ZERO)
            .await
            .expect("shown again");
        all
    }

    pub(crate) async fn clear(&self, queue: &str) {
        loop {
            let some = self.take(queue).await;
            if some.is_empty() {
                return;
            }
            let receipts: Vec<String> = some.into_iter().map(|message| message.receipt).collect();
            self.plain.delete(queue, &receipts).await.expect("deleted");
        }
    }
}

/// What is asked of a replay of `queue`.
pub(crate) fn asked(queue: &str) -> PlanRequest {
    let (queue, text) = (queue.to_owned(), str::to_owned);
    PlanRequest {
        env: text("prod"),
        queue,
        by: text("tester"),
        reason: text("mended"),
        ..PlanRequest::default()
    }
}

/// A dead letter of `queue` that is about no payment and died of `word`, with eight attributes.
pub(crate) fn letter(queue: &str, word: &str, n: usize) -> Outgoing {
    let attributes = [
        (attribute::CLASS, "internal"),
        (attribute::REASON, word),
        (attribute::QUEUE, queue),
        (attribute::RECEIVES, "5"),
        (attribute::CONSUMER, "tests 1"),
        (attribute::FIRST_SEEN, "2026-11-22T11:00:00Z"),
        ("trace", "t-1"),
        ("tenant", "acme"),
    ];
    let attributes: Attributes = attributes
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Outgoing {
        body: format!("{{\"{word}\": {n}}}"),
        attributes,
        ..Outgoing::default()
    }
}

/// Polls `work` that many times at most; `None` when it was dropped before its end.
pub(crate) async fn cut<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    use std::task::Poll;
    let mut work = Box::pin(work);
    let mut left = polls;
    std::future::poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
