//! One environment of the embedded platform, driven step by step: no background tasks, time
//! turned by hand, every port behind a proxy that can fail or "kill the process".

pub(crate) mod checker;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::{NOTIFICATIONS, PROJECTIONS, WORK};
use payops_core::domain::id::PaymentId;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::machine::{Command, decide};
use payops_core::domain::payment::Payment;
use payops_core::domain::request::CreatePayment;
use payops_core::domain::text::IdempotencyKey;
use payops_core::port::{Change, Clock as _, Mailer, PortResult, Ports, Precondition};
use payops_core::usecase::{
    Accept, AcceptError, Answer, Changes, Consumed, Consumer, Dispatcher, Handler, Notifier,
    Projector, Reconciler, Relay, Replayer, Sweeper, Worker,
};
use payops_local::{DataDir, Stores, Surroundings};
use payops_provider::AcquirerOptions;
use payops_testkit::fault::{Chaos, faulty};
use payops_testkit::{ManualClock, SeededRandom};

const VISIBILITY: Duration = Duration::from_secs(30);

pub(crate) struct World {
    /// Its stores, without faults: what a checker looks at.
    pub(crate) stores: Stores,
    pub(crate) ports: Ports,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) clock: ManualClock,
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) limits: PaymentLimits,
}

pub(crate) fn caller() -> Caller {
    Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: true,
    }
}

pub(crate) fn request(source: &str, minor: i64) -> CreatePayment {
    let body = format!(
        r#"{{"amount":{minor},"currency":"EUR","source":"{source}","reference":"INV-1","customer":{{"email":"anna@example.com"}},"metadata":{{}}}}"#
    );
    CreatePayment::parse(body.as_bytes()).expect("a request")
}

pub(crate) fn key(text: &str) -> IdempotencyKey {
    text.parse().expect("a key")
}

impl World {
    /// Opens the environment `prod` of a data directory.
    pub(crate) async fn open(root: &Path, seed: u64) -> Self {
        let clock = ManualClock::new();
        let around = Surroundings {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(seed)),
            limits: payops_local::limits(),
            acquirer: AcquirerOptions {
                slow: Duration::ZERO,
                timeout: Duration::ZERO,
            },
            index_commit: Duration::ZERO,
        };
        let data = DataDir::open_or_create(root).expect("a data directory");
        let stores = Stores::open(&data, "prod", &around).await.expect("stores");
        let chaos = Arc::new(Chaos::default());
        let plain = &stores.ports;
        // Faults of bus and queues are those of the calls that use cases make; what the archive
        // and the bus send on by themselves goes the plain way, as it does inside AWS.
        let ports = Ports {
            store: faulty(Arc::clone(&plain.store), &chaos),
            keys: Arc::clone(&plain.keys),
            queues: faulty(Arc::clone(&plain.queues), &chaos),
            queue_admin: faulty(Arc::clone(&plain.queue_admin), &chaos),
            archive: faulty(Arc::clone(&plain.archive), &chaos),
            bus: faulty(Arc::clone(&plain.bus), &chaos),
            ledger: faulty(Arc::clone(&plain.ledger), &chaos),
            index: faulty(Arc::clone(&plain.index), &chaos),
            provider: plain
                .provider
                .as_ref()
                .map(|provider| faulty(Arc::clone(provider), &chaos) as _),
            ..plain.clone()
        };
        let mailer: Arc<dyn Mailer> = faulty(Arc::clone(&stores.mailer), &chaos);
        Self {
            ports,
            mailer,
            clock,
            chaos,
            limits: around.limits,
            stores,
        }
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        self.ports.dispatcher()
    }

    /// The change that `command` makes of a payment as it was before.
    pub(crate) fn change(&self, before: &Payment, command: Command) -> Change {
        let decision = decide(before, command, self.now(), &self.limits).expect("allowed");
        Change {
            payment: decision.payment,
            expect: Precondition {
                version: before.version,
                fence: before.fence,
            },
            events: decision.events,
            outbox: decision.outbox,
            idempotency: None,
            now: self.now(),
        }
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes {
            store: Arc::clone(&self.ports.store),
            clock: Arc::clone(&self.ports.clock),
            random: Arc::clone(&self.ports.random),
            limits: self.limits.clone(),
        }
    }

    /// Accepts a payment as the API does, and dispatches it at once.
    pub(crate) async fn accept(
        &self,
        idempotency_key: &str,
        request: &CreatePayment,
    ) -> Result<Answer, AcceptError> {
        let accept = Accept {
            store: Arc::clone(&self.ports.store),
            clock: Arc::clone(&self.ports.clock),
            random: Arc::clone(&self.ports.random),
            limits: self.limits.clone(),
        };
        let render = |payment: &Payment| format!("{{\"id\":\"{}\"}}", payment.id);
        let (answer, _) = accept
            .accept(&caller(), &key(idempotency_key), request, &render)
            .await?;
        // What the API does after it answered: best effort, the relay does the rest.
        let rows = self
            .ports
            .store
            .outbox_pending(answer.payment.shard(), 100)
            .await
            .unwrap_or_default();
        drop(self.dispatcher().dispatch(&rows).await);
        Ok(answer)
    }

    pub(crate) fn worker(&self, name: &str) -> Worker {
        Worker {
            store: Arc::clone(&self.ports.store),
            archive: Arc::clone(&self.ports.archive),
            provider: self.ports.provider.clone().expect("a provider"),
            dispatcher: self.dispatcher(),
            clock: Arc::clone(&self.ports.clock),
            limits: self.limits.clone(),
            name: name.to_owned(),
            queue: WORK.to_owned(),
        }
    }

    fn consumer(&self, queue: &str, handler: Arc<dyn Handler>) -> Consumer {
        Consumer {
            queues: Arc::clone(&self.ports.queues),
            queue: queue.to_owned(),
            handler,
            random: Arc::clone(&self.ports.random),
            limits: self.limits.clone(),
            visibility: VISIBILITY,
            revision: "test".to_owned(),
        }
    }

    pub(crate) fn consumers(&self) -> [Consumer; 3] {
        let projector = Projector {
            store: Arc::clone(&self.ports.store),
            ledger: Arc::clone(&self.ports.ledger),
            index: Arc::clone(&self.ports.index),
            clock: Arc::clone(&self.ports.clock),
        };
        let notifier = Notifier {
            store: Arc::clone(&self.ports.store),
            mailer: Arc::clone(&self.mailer),
            clock: Arc::clone(&self.ports.clock),
            limits: self.limits.clone(),
        };
        [
            self.consumer(WORK, Arc::new(self.worker("w1"))),
            self.consumer(PROJECTIONS, Arc::new(projector)),
            self.consumer(NOTIFICATIONS, Arc::new(notifier)),
        ]
    }

    pub(crate) fn replayer(&self) -> Replayer {
        Replayer {
            store: Arc::clone(&self.ports.store),
            queues: Arc::clone(&self.ports.queues),
            queue_admin: Arc::clone(&self.ports.queue_admin),
            dispatcher: Some(self.dispatcher()),
            clock: Arc::clone(&self.ports.clock),
            random: Arc::clone(&self.ports.random),
            limits: self.limits.clone(),
            lanes: 2,
        }
    }

    /// One message of each queue, one after the other, so that a run with a seed repeats itself.
    pub(crate) async fn turn(&self) -> PortResult<Consumed> {
        let mut all = Consumed::default();
        for consumer in self.consumers() {
            for message in consumer.receive(1, Duration::ZERO).await? {
                all.add(consumer.process(&message).await?);
            }
        }
        Ok(all)
    }

    /// Turns until a turn finds nothing to do.
    pub(crate) async fn work_off(&self) -> PortResult<()> {
        while self.turn().await?.received > 0 {}
        Ok(())
    }

    /// Consumers, relay and sweeper until everything is at rest, turning the clock on whenever
    /// only time is missing. Faults must be over.
    pub(crate) async fn drain(&self) {
        self.chaos.calm();
        for _ in 0..400 {
            self.work_off().await.expect("the consumers work");
            let relay = Relay {
                dispatcher: self.dispatcher(),
                grace: jiff::SignedDuration::ZERO,
            };
            let (relayed, failure) = relay.run_once().await;
            assert!(failure.is_none(), "the relay works: {failure:?}");
            if relayed > 0 {
                continue;
            }
            if self.at_rest().await {
                return;
            }
            self.clock.advance(Duration::from_secs(10));
            let sweeper = Sweeper {
                dispatcher: self.dispatcher(),
                limits: self.limits.clone(),
            };
            let (_, failure) = sweeper.run_once().await;
            assert!(failure.is_none(), "the sweeper works: {failure:?}");
        }
        panic!("not at rest after 400 rounds: {:?}", self.pending().await);
    }

    /// Whether nothing lies in the queues (asked past the faults).
    pub(crate) async fn is_quiet(&self) -> bool {
        self.queued().await.is_empty()
    }

    async fn queued(&self) -> Vec<String> {
        let mut queued = Vec::new();
        for queue in [WORK, PROJECTIONS, NOTIFICATIONS] {
            let admin = &self.stores.ports.queue_admin;
            let stats = admin.stats(queue).await.expect("stats");
            if stats.visible + stats.in_flight + stats.delayed > 0 {
                queued.push(format!("{queue}: {stats:?}"));
            }
        }
        queued
    }

    async fn at_rest(&self) -> bool {
        self.pending().await.is_empty()
    }

    async fn pending(&self) -> Vec<String> {
        let mut pending = self.queued().await;
        for shard in 0..payops_core::domain::id::SHARDS {
            let due = self
                .stores
                .ports
                .store
                .due(shard, payops_core::Timestamp::MAX, 10)
                .await
                .expect("what is due");
            pending.extend(due.iter().map(|id| format!("{id} is due")));
        }
        pending
    }

    /// Compares all stores as they are, past the faults, with nothing in motion.
    pub(crate) fn reconciler(&self) -> Reconciler {
        let ports = &self.stores.ports;
        ports.reconciler(jiff::SignedDuration::ZERO)
    }

    pub(crate) async fn payment(&self, id: &PaymentId) -> Payment {
        self.stores
            .ports
            .store
            .get(id)
            .await
            .expect("the store works")
            .expect("the payment is there")
    }

    pub(crate) fn now(&self) -> payops_core::Timestamp {
        self.clock.now()
    }
}
