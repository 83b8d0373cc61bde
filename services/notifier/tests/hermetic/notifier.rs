//! The notifier on SQLite stores and a folder of mails.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::NOTIFICATIONS;
use payops_core::domain::bus::{BusEvent, SOURCE};
use payops_core::domain::event::EventKind;
use payops_core::domain::id::PaymentId;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::machine::Command;
use payops_core::domain::payment::Failure;
use payops_core::port::{Bus as _, Clock, Mailer, PaymentStore, QueueAdmin as _, Random};
use payops_core::usecase::{Consumed, Consumer, Notifier};
use payops_embedded::{EmbeddedBus, EmlMailer, SqliteQueues, SqliteStore};
use payops_runtime::{ConsumeSettings, Heartbeat};
use payops_testkit::fault::{Chances, Chaos, Plan, faulty};
use payops_testkit::{ManualClock, SeededRandom, eventually, sample};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const NEVER: Chances = Chances {
    fail: 0,
    throttle: 0,
    lose_answer: 0,
    crash_before: 0,
    crash_after: 0,
};

struct Scene {
    folder: TempDir,
    clock: ManualClock,
    store: Arc<dyn PaymentStore>,
    queues: Arc<SqliteQueues>,
    bus: EmbeddedBus,
    /// What goes wrong between the notifier and the mail service.
    chaos: Arc<Chaos>,
    consumer: Consumer,
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
        let bus = EmbeddedBus::new(queues.clone(), Arc::clone(&shared), Arc::clone(&random));
        let from = "shop@example.com".parse().expect("an address");
        let mailer: Arc<dyn Mailer> = Arc::new(
            EmlMailer::open(
                &folder.path().join("mail"),
                from,
                Arc::clone(&shared),
                Arc::clone(&random),
            )
            .expect("a folder"),
        );
        let chaos = Arc::new(Chaos::new(Plan::Nothing));
        let notifier = Notifier {
            store: Arc::clone(&store),
            mailer: faulty(mailer, &chaos),
            clock: shared,
            limits: PaymentLimits::default(),
        };
        let consumer =
            payops_notifier::consumer(notifier, queues.clone(), random, Duration::from_mins(3));
        Self {
            folder,
            clock,
            store,
            queues,
            bus,
            chaos,
            consumer,
        }
    }

    /// A payment that has come to an end by `command`; its event is on the queue.
    async fn payment(&self, n: u64, command: Command) -> PaymentId {
        let now = self.clock.now();
        let payment = sample::payment(n);
        self.store
            .accept(&sample::accept_payment(&payment, &format!("k{n}"), now))
            .await
            .expect("accepted");
        for command in [sample::claim("worker"), command] {
            let stored = self
                .store
                .get(&payment.id)
                .await
                .expect("read")
                .expect("stored");
            let change = sample::change(&stored, command, now);
            self.store.commit(&change).await.expect("written");
            for row in &change.outbox {
                self.tell(row.kind.as_str(), &payment.id).await;
            }
        }
        payment.id
    }

    async fn tell(&self, kind: &str, id: &PaymentId) {
        let detail = serde_json::json!({"payment_id": id});
        let event = BusEvent {
            source: SOURCE.to_owned(),
            detail_type: kind.to_owned(),
            detail,
            at: self.clock.now(),
        };
        let put = self
            .bus
            .put(std::slice::from_ref(&event))
            .await
            .expect("put");
        assert!(put.iter().all(Result::is_ok));
    }

    /// Serves the queue again and again, back-offs passing, until it is empty.
    async fn settle(&self) -> Consumed {
        let mut total = Consumed::default();
        for _ in 0..20 {
            total.add(
                self.consumer
                    .run_once(Duration::ZERO)
                    .await
                    .expect("served"),
            );
            let left = self.queues.stats(NOTIFICATIONS).await.expect("read");
            if left.visible + left.in_flight + left.delayed == 0 {
                return total;
            }
            self.clock.advance(Duration::from_mins(20));
        }
        total
    }

    fn mails(&self, kind: &str) -> usize {
        let folder = std::fs::read_dir(self.folder.path().join("mail")).expect("a folder");
        let names = folder.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        });
        names.filter(|name| name.starts_with(kind)).count()
    }

    async fn events(&self, id: &PaymentId, kind: EventKind) -> usize {
        self.store
            .events(id)
            .await
            .expect("read")
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }
}

fn approved(n: u64) -> Command {
    Command::Approved(sample::charge(n, ManualClock::start()))
}

fn declined() -> Command {
    Command::Declined {
        failure: Failure {
            code: "card_declined".to_owned(),
            message: "the card was declined".to_owned(),
        },
        soft: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_payment_gets_one_receipt_however_often_it_is_told() {
    let scene = Scene::new().await;
    let id = scene.payment(1, approved(1)).await;
    for _ in 0..5 {
        scene.tell("PaymentCompleted", &id).await;
    }
    let consumed = scene.settle().await;
    assert_eq!((consumed.done, consumed.dead), (6, 0), "{consumed:?}");
    assert_eq!((scene.mails("receipt"), scene.mails("")), (1, 1));
    assert_eq!(scene.events(&id, EventKind::Receipt).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_payment_gets_a_notice_and_no_receipt() {
    let scene = Scene::new().await;
    let id = scene.payment(1, declined()).await;
    // Even when somebody says that it completed.
    scene.tell("PaymentCompleted", &id).await;
    scene.settle().await;
    assert_eq!(
        (scene.mails("receipt"), scene.mails("failure_notice")),
        (0, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_fate_is_unknown_is_sent_again_at_most_once() {
    let scene = Scene::new().await;
    scene.chaos.set(Plan::Dice {
        chances: Chances {
            lose_answer: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let id = scene.payment(1, approved(1)).await;
    let consumed = scene.settle().await;
    assert_eq!(
        (consumed.done, consumed.retried, consumed.dead),
        (1, 2, 0),
        "{consumed:?}"
    );
    assert_eq!(scene.mails("receipt"), 2);
    assert_eq!(scene.events(&id, EventKind::MailUnconfirmed).await, 1);
    // Told again when mail works: it is closed.
    scene.chaos.calm();
    scene.tell("PaymentCompleted", &id).await;
    scene.settle().await;
    assert_eq!(scene.mails("receipt"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_once_ends_in_a_receipt() {
    let scene = Scene::new().await;
    scene.chaos.set(Plan::Dice {
        chances: Chances {
            lose_answer: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let id = scene.payment(1, approved(1)).await;
    scene
        .consumer
        .run_once(Duration::ZERO)
        .await
        .expect("served");
    scene.chaos.calm();
    scene.clock.advance(Duration::from_mins(20));
    scene.settle().await;
    assert_eq!(
        (
            scene.mails("receipt"),
            scene.events(&id, EventKind::Receipt).await
        ),
        (2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_surely_not_taken_is_tried_until_it_is() {
    let scene = Scene::new().await;
    scene.chaos.set(Plan::Dice {
        chances: Chances {
            fail: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let id = scene.payment(1, approved(1)).await;
    for _ in 0..4 {
        scene
            .consumer
            .run_once(Duration::ZERO)
            .await
            .expect("served");
        scene.clock.advance(Duration::from_mins(20));
    }
    assert_eq!(
        (
            scene.mails(""),
            scene.events(&id, EventKind::MailRefused).await
        ),
        (0, 4)
    );
    scene.chaos.calm();
    let consumed = scene.settle().await;
    assert_eq!(
        (consumed.done, consumed.dead),
        (1, 0),
        "more tries than the limit for unknown fates: {consumed:?}"
    );
    assert_eq!(
        (
            scene.mails("receipt"),
            scene.events(&id, EventKind::Receipt).await
        ),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_stays_down_is_a_dead_letter_on_the_timeline() {
    let scene = Scene::new().await;
    scene.chaos.set(Plan::Dice {
        chances: Chances {
            fail: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let id = scene.payment(1, approved(1)).await;
    let consumed = scene.settle().await;
    assert_eq!(
        (consumed.dead, consumed.done, scene.mails("")),
        (1, 0, 0),
        "{consumed:?}"
    );
    assert_eq!(scene.events(&id, EventKind::DeadLettered).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_serves_until_it_is_stopped() {
    let scene = Scene::new().await;
    for n in 1..=8 {
        scene
            .payment(n, if n % 2 == 0 { approved(n) } else { declined() })
            .await;
    }
    let (stop, heartbeat) = (
        CancellationToken::new(),
        Heartbeat::new(Duration::from_mins(1)),
    );
    let (queue, token) = (scene.consumer.clone(), stop.clone());
    let settings = ConsumeSettings {
        concurrency: 3,
        wait: Duration::from_millis(200),
        drain: Duration::from_secs(10),
    };
    let notifier = tokio::spawn(async move {
        {
            let metrics = payops_runtime::Metrics::new(&[payops_core::domain::metric::NOTIFIER]);
            payops_runtime::consume(queue, settings, &token, &heartbeat, &metrics).await
        }
    });
    eventually(Duration::from_secs(30), "all mails", || async {
        (scene.mails("receipt") + scene.mails("failure_notice") == 8).then_some(())
    })
    .await;
    stop.cancel();
    let consumed = notifier.await.expect("ended");
    assert_eq!((consumed.dead, consumed.panics), (0, 0), "{consumed:?}");
    assert_eq!(
        (scene.mails("receipt"), scene.mails("failure_notice")),
        (4, 4)
    );
}
