//! Seeded runs with faults of every kind, and planted bugs that the checker must find: a checker
//! that cannot fail proves nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::world::checker::{Answers, violations};
use crate::world::{World, caller, key, request};
use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::{QUEUES, dead_letter_queue};
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::Command;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::{Failure, Payment};
use payops_core::domain::replay::Progress;
use payops_core::domain::request::CreateRefund;
use payops_core::port::{
    Acceptance, Accepted, Change, Committed, IdempotencyRow, IdempotencyScope, Noted, PaymentPage,
    PaymentStore, PortResult, Precondition, Random as _,
};
use payops_core::usecase::{Accept, DeadLetters, Handler as _, PlanRequest, Requester};
use payops_testkit::SeededRandom;
use payops_testkit::fault::{Chances, Plan};
use payops_testkit::replay::{Notes, Steer};

const SOURCES: [&str; 6] = [
    "tok_visa",
    "tok_mastercard",
    "tok_declined",
    "tok_timeout_charged",
    "tok_flaky",
    "tok_poison",
];

/// One run: 40 payments, some refunds, faults all over, then calm and a drain. What is left must be
/// whole.
async fn run(seed: u64) -> (Vec<String>, BTreeMap<&'static str, usize>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), seed).await;
    let dice = SeededRandom::new(seed ^ 0x5eed);
    let chances = Chances {
        fail: 40,
        throttle: 10,
        lose_answer: 40,
        crash_before: 10,
        crash_after: 10,
    };
    world.chaos.set(Plan::Dice { chances, seed });
    let mut answers = Answers::new();
    let mut wanted = Vec::new();
    for n in 0..40_u64 {
        let source = SOURCES[usize::try_from(dice.next_u64() % 6).expect("small")];
        wanted.push((
            format!("k{n}"),
            request(source, i64::try_from(100 + n).expect("small")),
        ));
    }
    for (name, request) in &wanted {
        let step = async {
            let answer = world.accept(name, request).await.ok();
            for _ in 0..dice.next_u64() % 6 {
                drop(world.turn().await);
            }
            answer
        };
        if let Some(Some(answer)) = world.chaos.until_crash(step).await {
            answers.insert(name.clone(), answer);
        }
        world.chaos.restart();
        world
            .clock
            .advance(Duration::from_millis(dice.next_u64() % 5_000));
    }
    let faults = world.chaos.faults();
    // Faults stop; every client asks again until it has an answer.
    world.chaos.calm();
    for (name, request) in &wanted {
        let answer = world
            .accept(name, request)
            .await
            .expect("no faults any more");
        if let Some(before) = answers.get(name) {
            assert_eq!(
                (&before.payment, &before.body),
                (&answer.payment, &answer.body),
                "seed {seed}: two answers to one key"
            );
        }
        answers.insert(name.clone(), answer);
    }
    world.drain().await;
    replay_all(&world).await;
    world.drain().await;
    refund_some(&world, &answers, &dice).await;
    world.drain().await;
    let mut states = String::new();
    for answer in answers.values() {
        let payment = world.payment(&answer.payment).await;
        let _ = write!(
            states,
            "{} {} {};",
            payment.id, payment.status, payment.version
        );
    }
    (violations(&world, &answers).await, faults, states)
}

/// Under this many faults a message may be given up on; an operator replays it.
async fn replay_all(world: &World) {
    let letters = DeadLetters::from(&world.ports);
    for queue in QUEUES {
        let replayer = world.replayer();
        let seen = letters
            .look(&[dead_letter_queue(queue)], 1000)
            .await
            .expect("letters");
        let request = PlanRequest {
            env: "prod".to_owned(),
            queue: queue.to_owned(),
            by: "tester".to_owned(),
            reason: "faults are over".to_owned(),
            ..PlanRequest::default()
        };
        let plan = replayer.plan(request, &seen.letters).await.expect("a plan");
        let summary = replayer
            .execute(&plan, &Progress::default(), &Notes::new(), &Steer::new())
            .await
            .expect("replayed");
        assert_eq!(
            (summary.sent, summary.remaining),
            (plan.messages.len(), 0),
            "{summary:?}"
        );
    }
}

async fn refund_some(world: &World, answers: &Answers, dice: &SeededRandom) {
    for (n, answer) in answers.values().enumerate() {
        if dice.next_u64().is_multiple_of(3) {
            let refund = CreateRefund {
                minor: Some(50),
                reason: None,
            };
            let by = Requester::Merchant(caller());
            drop(
                world
                    .changes()
                    .refund(
                        &by,
                        &answer.payment,
                        &key(&format!("r{n}")),
                        &refund,
                        &|_| String::new(),
                    )
                    .await,
            );
        }
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("PAYOPS_SEED") {
        Ok(seed) => vec![seed.parse().expect("PAYOPS_SEED is a number")],
        Err(_) => (1..=4).collect(),
    }
}

#[tokio::test]
async fn whatever_goes_wrong_nothing_is_lost_or_doubled() {
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds() {
        println!("seed {seed} (again: PAYOPS_SEED={seed})");
        let (found, faults, _) = run(seed).await;
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
        for (fault, count) in faults {
            *reached.entry(fault).or_default() += count;
        }
    }
    println!("faults reached: {reached:?}");
    for fault in [
        "fail",
        "throttle",
        "lose_answer",
        "crash_before",
        "crash_after",
    ] {
        assert!(
            reached.contains_key(fault) || std::env::var("PAYOPS_SEED").is_ok(),
            "{fault} was never reached"
        );
    }
}

#[tokio::test]
async fn a_seed_repeats_its_run() {
    let (first, second) = (run(4242).await, run(4242).await);
    assert_eq!(first.1, second.1, "the same faults");
    assert_eq!(first.2, second.2, "the same end");
}

struct Planted {
    inner: Arc<dyn PaymentStore>,
    bug: Bug,
    random: SeededRandom,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    NoFence,
    NoIdempotencyRow,
}

#[async_trait]
impl PaymentStore for Planted {
    async fn accept(&self, acceptance: &Acceptance) -> PortResult<Accepted> {
        let mut acceptance = acceptance.clone();
        if self.bug == Bug::NoIdempotencyRow {
            acceptance.idempotency.scope.key = key(&format!("lost-{}", self.random.next_u64()));
        }
        self.inner.accept(&acceptance).await
    }

    async fn commit(&self, change: &Change) -> PortResult<Committed> {
        let mut change = change.clone();
        if self.bug == Bug::NoFence
            && let Some(now) = self.inner.get(&change.payment.id).await?
        {
            change.expect = Precondition {
                version: now.version,
                fence: now.fence,
            };
            change.payment.version = now.version + 1;
        }
        self.inner.commit(&change).await
    }

    async fn note(&self, payment: &PaymentId, note: &Note) -> PortResult<Noted> {
        self.inner.note(payment, note).await
    }

    async fn get(&self, id: &PaymentId) -> PortResult<Option<Payment>> {
        self.inner.get(id).await
    }

    async fn get_many(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>> {
        self.inner.get_many(ids).await
    }

    async fn idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        self.inner.idempotency(scope, now).await
    }

    async fn events(&self, id: &PaymentId) -> PortResult<Vec<Event>> {
        self.inner.events(id).await
    }

    async fn list(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>> {
        self.inner.list(caller, after, limit).await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<PaymentPage> {
        self.inner.scan(from, limit).await
    }

    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<PaymentId>> {
        self.inner.due(shard, now, limit).await
    }

    async fn outbox_pending(&self, shard: u8, limit: usize) -> PortResult<Vec<OutboxEvent>> {
        self.inner.outbox_pending(shard, limit).await
    }

    async fn outbox_done(&self, rows: &[OutboxEvent]) -> PortResult<()> {
        self.inner.outbox_done(rows).await
    }
}

async fn planted(bug: Option<Bug>) -> (tempfile::TempDir, World) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::open(folder.path(), 3).await;
    if let Some(bug) = bug {
        let inner = Arc::clone(&world.ports.store);
        world.ports.store = Arc::new(Planted {
            inner,
            bug,
            random: SeededRandom::new(9),
        });
    }
    (folder, world)
}

/// A client whose answer was lost asks again with the same key.
async fn ask_twice(world: &World) -> Vec<String> {
    let mut answers = Answers::new();
    for _ in 0..2 {
        let answer = world
            .accept("k", &request("tok_visa", 1000))
            .await
            .expect("accepted");
        answers.insert("k".to_owned(), answer);
    }
    world.drain().await;
    violations(world, &answers).await
}

#[tokio::test]
async fn a_missing_idempotency_row_is_found() {
    let (_folder, good) = planted(None).await;
    assert_eq!(ask_twice(&good).await, Vec::<String>::new());
    let (_folder, bad) = planted(Some(Bug::NoIdempotencyRow)).await;
    let found = ask_twice(&bad).await;
    assert!(
        found
            .iter()
            .any(|found| found.contains("no client was told of")),
        "{found:#?}"
    );
}

/// A worker freezes while it waits for the provider; its lease ends, another finishes the work;
/// then the first goes on.
async fn freeze_and_thaw(world: &World) -> Vec<String> {
    let answer = world
        .accept("k", &request("tok_visa", 1000))
        .await
        .expect("accepted");
    let queues = &world.stores.ports.queues;
    let work = payops_core::domain::bus::WORK;
    let receive = || queues.receive(work, 1, Duration::from_secs(1), Duration::ZERO);
    let message = receive().await.expect("received").remove(0);
    let frozen = world.worker("frozen");
    // Frozen at its commit: the last call of the charge is the one that settles it.
    world.chaos.set(Plan::Nothing);
    let before = world.payment(&answer.payment).await;
    let claimed = claim(world, &before, "frozen").await;
    world.clock.advance(Duration::from_mins(1));
    let again = receive().await.expect("received").remove(0);
    drop(world.worker("second").handle(&again).await);
    thaw(world, &claimed).await;
    drop((frozen, message));
    world.drain().await;
    violations(world, &BTreeMap::from([("k".to_owned(), answer)])).await
}

async fn claim(world: &World, before: &Payment, owner: &str) -> Payment {
    let command = Command::Claim {
        owner: owner.to_owned(),
        hop: serde_json::Value::Null,
    };
    let change = world.change(before, command);
    assert_eq!(
        world.ports.store.commit(&change).await.expect("works"),
        Committed::Done
    );
    change.payment
}

async fn thaw(world: &World, claimed: &Payment) {
    let failure = Failure {
        code: "card_declined".to_owned(),
        message: "late".to_owned(),
    };
    let declined = Command::Declined {
        failure,
        soft: false,
    };
    let change = world.change(claimed, declined);
    drop(world.ports.store.commit(&change).await);
}

#[tokio::test]
async fn a_missing_fence_is_found() {
    let (_folder, good) = planted(None).await;
    assert_eq!(freeze_and_thaw(&good).await, Vec::<String>::new());
    let (_folder, bad) = planted(Some(Bug::NoFence)).await;
    let found = freeze_and_thaw(&bad).await;
    assert!(
        found.iter().any(|found| found.contains("goes from")),
        "{found:#?}"
    );
}

/// Accepts the wrong way round when told to: the work is sent, then the payment is committed.
async fn send_then_commit(world: &World, wrong: bool) -> Vec<String> {
    let accept = Accept {
        store: Arc::clone(&world.ports.store),
        clock: Arc::clone(&world.ports.clock),
        random: Arc::new(SeededRandom::new(77)),
        limits: world.limits.clone(),
    };
    if wrong {
        // The id is known before the commit, since it comes from clock and dice; the process dies
        // between the two.
        let twin = SeededRandom::new(77);
        let random = (u128::from(twin.next_u64()) << 64) | u128::from(twin.next_u64());
        let id = PaymentId::from_parts(
            u64::try_from(world.now().as_millisecond()).expect("after 1970"),
            random,
        );
        let document = request("tok_visa", 1000).archive_document(&id, &caller(), world.now());
        let put = world
            .ports
            .archive
            .put_if_absent(
                &payops_core::domain::work_item::archive_key(&id),
                document.as_bytes(),
            )
            .await;
        put.expect("archived");
    } else {
        let commit = accept
            .accept(&caller(), &key("k"), &request("tok_visa", 1000), &|_| {
                String::new()
            })
            .await;
        commit.expect("accepted");
    }
    world.drain().await;
    violations(world, &Answers::new()).await
}

#[tokio::test]
async fn sending_before_the_commit_is_found() {
    let (_folder, good) = planted(None).await;
    assert_eq!(send_then_commit(&good, false).await, Vec::<String>::new());
    let (_folder, bad) = planted(None).await;
    let found = send_then_commit(&bad, true).await;
    assert!(
        found
            .iter()
            .any(|found| found.contains("the payment does not exist")),
        "{found:#?}"
    );
}
