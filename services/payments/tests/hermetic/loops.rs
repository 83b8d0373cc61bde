//! The loops behind the API, on embedded stores: what dispatch missed, what came to no end, and
//! what ledger and index must hold.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::{PROJECTIONS, WORK};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::machine::Command;
use payops_core::domain::metric::PAYMENTS_API;
use payops_core::domain::payment::{Payment, Status};
use payops_core::port::{Clock, Committed, Index, Ledger, PaymentStore, QueueAdmin as _, Random};
use payops_core::usecase::{
    Accept, Dispatcher, OldestProcessing, Projector, Reconciler, Relay, RollingReconciler, Sweeper,
};
use payops_embedded::{EmbeddedBus, FileArchive, SqliteQueues, SqliteStore};
use payops_ledger::SqliteLedger;
use payops_payments::{gauges, projector, relay, sweeper};
use payops_runtime::{ConsumeSettings, Heartbeat, Metrics};
use payops_search::{IndexOptions, TantivyIndex};
use payops_testkit::fault::{Chances, Chaos, Plan, faulty};
use payops_testkit::{ManualClock, SeededRandom, eventually, sample};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(50);
const DOWN: Plan = Plan::Dice {
    chances: Chances {
        fail: 1000,
        throttle: 0,
        lose_answer: 0,
        crash_before: 0,
        crash_after: 0,
    },
    seed: 1,
};

struct Scene {
    folder: TempDir,
    clock: ManualClock,
    random: Arc<dyn Random>,
    store: Arc<dyn PaymentStore>,
    queues: Arc<SqliteQueues>,
    dispatcher: Dispatcher,
    chaos: Arc<Chaos>,
    stop: CancellationToken,
    heartbeat: Heartbeat,
}

impl Scene {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
        let store = SqliteStore::open(&folder.path().join("payments.db"), Arc::clone(&shared))
            .await
            .expect("a store");
        let store: Arc<dyn PaymentStore> = Arc::new(store);
        let queues = SqliteQueues::open(
            &folder.path().join("queues.db"),
            Arc::clone(&shared),
            Arc::clone(&random),
        )
        .await
        .expect("queues");
        queues.create_platform_queues(10).await.expect("queues");
        let queues = Arc::new(queues);
        let bus = Arc::new(EmbeddedBus::new(
            queues.clone(),
            Arc::clone(&shared),
            Arc::clone(&random),
        ));
        let archive = FileArchive::open(
            &folder.path().join("archive"),
            bus.clone(),
            Arc::clone(&shared),
            Arc::clone(&random),
        );
        let chaos = Arc::new(Chaos::new(Plan::Nothing));
        let archive = faulty(Arc::new(archive.expect("an archive")), &chaos);
        let dispatcher = Dispatcher {
            store: Arc::clone(&store),
            archive,
            bus,
            queues: queues.clone(),
            clock: shared,
        };
        let (stop, heartbeat) = (
            CancellationToken::new(),
            Heartbeat::new(Duration::from_mins(1)),
        );
        Self {
            folder,
            clock,
            random,
            store,
            queues,
            dispatcher,
            chaos,
            stop,
            heartbeat,
        }
    }

    /// A payment that was accepted, and whose process died before it dispatched.
    async fn accept(&self) -> Payment {
        let accept = Accept {
            store: Arc::clone(&self.store),
            clock: Arc::new(self.clock.clone()),
            random: Arc::clone(&self.random),
            limits: PaymentLimits::default(),
        };
        let caller = Caller {
            merchant: "acme".parse().expect("a merchant"),
            live: false,
        };
        let key = format!("k{}", self.random.next_u64())
            .parse()
            .expect("a key");
        let (_, payment) = accept
            .accept(&caller, &key, &sample::create(1), &|_| String::new())
            .await
            .expect("accepted");
        payment.expect("new")
    }

    async fn depth(&self, queue: &str) -> u64 {
        self.queues.stats(queue).await.expect("read").visible
    }

    async fn pending(&self, payment: &Payment) -> usize {
        self.store
            .outbox_pending(payment.id.shard(), 10)
            .await
            .expect("read")
            .len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_dispatches_what_was_left_once_it_is_old_enough_and_the_archive_is_back() {
    let scene = Scene::new().await;
    let payment = scene.accept().await;
    scene.chaos.set(DOWN);
    let relaying = Relay {
        dispatcher: scene.dispatcher.clone(),
        grace: SignedDuration::from_secs(10),
    };
    let (done, failure) = relaying.run_once().await;
    assert_eq!(
        (done, failure.is_none(), scene.chaos.calls().len()),
        (0, true, 0),
        "too young: nothing is even tried"
    );
    let (stop, heartbeat) = (scene.stop.clone(), scene.heartbeat.clone());
    let running = tokio::spawn(async move { relay::run(relaying, EVERY, &stop, &heartbeat).await });
    scene.clock.advance(Duration::from_secs(10));
    eventually(LONG, "two tries", || async {
        (scene.chaos.calls().len() >= 2).then_some(())
    })
    .await;
    assert_eq!(
        (scene.pending(&payment).await, scene.depth(WORK).await),
        (1, 0)
    );
    scene.chaos.calm();
    eventually(LONG, "the dispatch", || async {
        (scene.pending(&payment).await == 0).then_some(())
    })
    .await;
    assert_eq!(
        scene.depth(WORK).await,
        1,
        "archived, and so its work message is there"
    );
    scene.stop.cancel();
    running.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweeper_sends_what_came_to_no_end_again_and_gives_up_in_the_end() {
    let scene = Scene::new().await;
    let payment = scene.accept().await;
    // A worker took it and was never heard of again.
    let taken = sample::change(&payment, sample::claim("worker"), scene.clock.now());
    assert_eq!(
        scene.store.commit(&taken).await.expect("written"),
        Committed::Done
    );
    let sweeping = Sweeper {
        dispatcher: scene.dispatcher.clone(),
        limits: PaymentLimits {
            redrives_max: 2,
            ..PaymentLimits::default()
        },
    };
    let (stop, heartbeat) = (scene.stop.clone(), scene.heartbeat.clone());
    let running =
        tokio::spawn(async move { sweeper::run(sweeping, EVERY, &stop, &heartbeat).await });
    for sent in 1..=2 {
        scene.clock.advance(Duration::from_mins(13));
        eventually(LONG, "a redrive", || async {
            (scene.depth(WORK).await == sent).then_some(())
        })
        .await;
    }
    scene.clock.advance(Duration::from_mins(13));
    let reviewed = || async {
        let payment = scene
            .store
            .get(&payment.id)
            .await
            .expect("read")
            .expect("stored");
        (payment.status == Status::Review).then_some(())
    };
    eventually(LONG, "a human to be asked", reviewed).await;
    assert_eq!(scene.depth(WORK).await, 2);
    scene.stop.cancel();
    running.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projector_brings_ledger_and_index_up_to_the_store() {
    let scene = Scene::new().await;
    let payment = scene.accept().await;
    for command in [
        sample::claim("worker"),
        Command::Approved(sample::charge(1, scene.clock.now())),
    ] {
        let stored = scene
            .store
            .get(&payment.id)
            .await
            .expect("read")
            .expect("stored");
        let change = sample::change(&stored, command, scene.clock.now());
        assert_eq!(
            scene.store.commit(&change).await.expect("written"),
            Committed::Done
        );
        // Told three times, as an at-least-once bus may.
        for _ in 0..3 {
            scene
                .dispatcher
                .dispatch(&change.outbox)
                .await
                .expect("told");
        }
    }
    let ledger = Arc::new(
        SqliteLedger::open(&scene.folder.path().join("ledger.db"))
            .await
            .expect("a ledger"),
    );
    let index = TantivyIndex::open(&scene.folder.path().join("index"), IndexOptions::default())
        .await
        .expect("an index");
    let index: Arc<dyn Index> = Arc::new(index);
    let projecting = Projector {
        store: Arc::clone(&scene.store),
        ledger: ledger.clone(),
        index: Arc::clone(&index),
        clock: Arc::new(scene.clock.clone()),
    };
    let queues = Arc::clone(&scene.queues);
    let consumer = projector::consumer(
        projecting,
        queues,
        Arc::clone(&scene.random),
        PaymentLimits::default(),
        Duration::from_mins(3),
    );
    let settings = ConsumeSettings {
        concurrency: 4,
        wait: EVERY,
        drain: LONG,
    };
    let (stop, heartbeat) = (scene.stop.clone(), scene.heartbeat.clone());
    let metrics = Metrics::new(&[PAYMENTS_API]);
    let counted = metrics.clone();
    let running = tokio::spawn(async move {
        projector::run(consumer, settings, &stop, &heartbeat, &counted).await
    });
    eventually(LONG, "the queue to empty", || async {
        let stats = scene.queues.stats(PROJECTIONS).await.expect("read");
        (stats.visible + stats.in_flight + stats.delayed == 0).then_some(())
    })
    .await;
    scene.stop.cancel();
    let total = running.await.expect("ended");
    assert_eq!(
        (total.done, total.dead, total.panics),
        (3, 0, 0),
        "{total:?}"
    );
    let text = metrics.render();
    assert!(
        text.contains("payops_messages_total{queue=\"projections\",outcome=\"done\"} 3\n"),
        "{text}"
    );
    let posted = ledger
        .of_payments(std::slice::from_ref(&payment.id), true)
        .await
        .expect("read");
    assert_eq!(
        posted
            .iter()
            .map(|transaction| (transaction.amount_minor(), transaction.sum()))
            .collect::<Vec<_>>(),
        [(payment.money.minor(), 0)]
    );
    let docs = index
        .of_payments(std::slice::from_ref(&payment.id))
        .await
        .expect("read");
    assert_eq!(
        docs.iter().map(|doc| doc.status).collect::<Vec<_>>(),
        [Status::Completed]
    );
}

/// Brings a payment to its end in the store, without telling anybody.
async fn complete(scene: &Scene, payment: &Payment) {
    for command in [
        sample::claim("worker"),
        Command::Approved(sample::charge(1, scene.clock.now())),
    ] {
        let stored = scene.store.get(&payment.id).await.expect("read");
        let stored = stored.expect("stored");
        let change = sample::change(&stored, command, scene.clock.now());
        let committed = scene.store.commit(&change).await.expect("written");
        assert_eq!(committed, Committed::Done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_payment_under_way_is_measured() {
    let scene = Scene::new().await;
    let oldest = OldestProcessing {
        store: Arc::clone(&scene.store),
        clock: Arc::new(scene.clock.clone()),
    };
    let age = async || oldest.age().await.expect("measured").as_secs();
    assert_eq!(age().await, 0, "nothing is under way");
    let first = scene.accept().await;
    scene.clock.advance(Duration::from_secs(200));
    let second = scene.accept().await;
    scene.clock.advance(Duration::from_secs(100));
    assert_eq!(age().await, 300);
    complete(&scene, &first).await;
    assert_eq!(age().await, 100, "the first has ended");
    let metrics = Metrics::new(&[PAYMENTS_API]);
    let (stop, heartbeat, gauges_of) =
        (scene.stop.clone(), scene.heartbeat.clone(), metrics.clone());
    let watching = oldest.clone();
    let running = tokio::spawn(async move {
        gauges::watch_oldest(watching, EVERY, &stop, &heartbeat, &gauges_of).await;
    });
    let shows = async |line: &str| {
        eventually(LONG, line, || async {
            metrics.render().contains(line).then_some(())
        })
        .await;
    };
    shows("payops_oldest_processing_age_seconds 100").await;
    complete(&scene, &second).await;
    shows("payops_oldest_processing_age_seconds 0").await;
    scene.stop.cancel();
    running.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_are_compared_part_by_part() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        let payment = scene.accept().await;
        complete(&scene, &payment).await;
    }
    let ledger = SqliteLedger::open(&scene.folder.path().join("ledger.db"))
        .await
        .expect("a ledger");
    let index = TantivyIndex::open(&scene.folder.path().join("index"), IndexOptions::default())
        .await
        .expect("an index");
    let reconciler = Reconciler {
        store: Arc::clone(&scene.store),
        ledger: Arc::new(ledger),
        index: Arc::new(index),
        archive: Arc::clone(&scene.dispatcher.archive),
        provider: None,
        clock: Arc::new(scene.clock.clone()),
        settle: SignedDuration::from_mins(10),
    };
    let mut rolling = RollingReconciler::new(reconciler.clone(), 2);
    assert_eq!(
        rolling.advance().await.expect("compared"),
        0,
        "what changed just now may be on its way"
    );
    scene.clock.advance(Duration::from_mins(11));
    // Each payment lacks its posting, its document and its archived request.
    let mut rolling = RollingReconciler::new(reconciler, 2);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(rolling.advance().await.expect("compared"));
    }
    assert_eq!(
        seen,
        [2, 4, 5, 5],
        "each part adds its payments, and those found are compared again"
    );
}
