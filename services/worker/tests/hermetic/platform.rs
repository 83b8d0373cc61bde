//! Everything that a worker works with, in one folder that several processes may share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::WORK;
use payops_core::domain::id::{PaymentId, SHARDS};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::payment::Payment;
use payops_core::domain::request::CreatePayment;
use payops_core::domain::work_item::HandlerOutcome;
use payops_core::port::{Clock, PaymentStore, PortResult, QueueAdmin as _, Random, Received};
use payops_core::usecase::{Accept, Consumer, Dispatcher, Handler, Worker};
use payops_embedded::{EmbeddedBus, FileArchive, SqliteQueues, SqliteStore};
use payops_provider::{AcquirerOptions, SimulatedAcquirer};
use payops_runtime::OsRandom;
use serde_json::json;

pub(crate) struct Platform {
    pub(crate) store: Arc<dyn PaymentStore>,
    pub(crate) queues: Arc<SqliteQueues>,
    pub(crate) acquirer: Arc<SimulatedAcquirer>,
    pub(crate) worker: Worker,
    clock: Arc<dyn Clock>,
}

impl Platform {
    /// Opens the platform in `folder`; makes it if it is not there.
    pub(crate) async fn open(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let store: Arc<dyn PaymentStore> = Arc::new(
            SqliteStore::open(&folder.join("payments.db"), Arc::clone(&clock))
                .await
                .expect("a store"),
        );
        let queues = SqliteQueues::open(
            &folder.join("queues.db"),
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        .await
        .expect("queues");
        queues.create_platform_queues(10).await.expect("queues");
        let queues = Arc::new(queues);
        let bus = Arc::new(EmbeddedBus::new(
            queues.clone(),
            Arc::clone(&clock),
            Arc::clone(&random),
        ));
        let archive = FileArchive::open(
            &folder.join("archive"),
            bus.clone(),
            Arc::clone(&clock),
            random,
        )
        .expect("an archive");
        let archive = Arc::new(archive);
        let options = AcquirerOptions {
            slow: Duration::from_millis(300),
            timeout: Duration::from_millis(100),
        };
        let acquirer = Arc::new(
            SimulatedAcquirer::open(&folder.join("acquirer.db"), Arc::clone(&clock), options)
                .await
                .expect("an acquirer"),
        );
        let dispatcher = Dispatcher {
            store: Arc::clone(&store),
            archive: archive.clone(),
            bus,
            queues: queues.clone(),
            clock: Arc::clone(&clock),
        };
        let worker = Worker {
            store: Arc::clone(&store),
            archive,
            provider: acquirer.clone(),
            dispatcher,
            clock: Arc::clone(&clock),
            limits: PaymentLimits::default(),
            name: "test-worker".to_owned(),
            queue: WORK.to_owned(),
        };
        Self {
            store,
            queues,
            acquirer,
            worker,
            clock,
        }
    }

    pub(crate) fn consumer(&self) -> Consumer {
        payops_worker::consumer(
            self.worker.clone(),
            self.queues.clone(),
            Arc::new(OsRandom),
            Duration::from_mins(3),
        )
    }

    /// The consumer of a worker that panics on bodies that hold `PANIC`.
    pub(crate) fn panicky(&self) -> Consumer {
        Consumer {
            handler: Arc::new(Panicky(self.worker.clone())),
            ..self.consumer()
        }
    }

    /// Accepts a payment and dispatches it, so that its message is in the queue.
    pub(crate) async fn accept(&self, key: &str, source: &str) -> PaymentId {
        let accept = Accept {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            random: Arc::new(OsRandom),
            limits: PaymentLimits::default(),
        };
        let body = json!({"amount": 1250, "currency": "EUR", "source": source, "customer": {"email": "a@example.com"}});
        let request = CreatePayment::parse(body.to_string().as_bytes()).expect("good");
        let caller = Caller {
            merchant: "acme".parse().expect("a merchant"),
            live: false,
        };
        let (answer, _) = accept
            .accept(&caller, &key.parse().expect("a key"), &request, &|_| {
                String::new()
            })
            .await
            .expect("accepted");
        for shard in 0..SHARDS {
            let rows = self.store.outbox_pending(shard, 100).await.expect("read");
            self.worker
                .dispatcher
                .dispatch(&rows)
                .await
                .expect("dispatched");
        }
        answer.payment
    }

    pub(crate) async fn payment(&self, id: &PaymentId) -> Payment {
        self.store.get(id).await.expect("read").expect("stored")
    }

    pub(crate) async fn depths(&self) -> (u64, u64) {
        let work = self.queues.stats(WORK).await.expect("read");
        let dead = self.queues.stats("payments-work-dlq").await.expect("read");
        (
            work.visible + work.in_flight + work.delayed,
            dead.visible + dead.in_flight + dead.delayed,
        )
    }
}

struct Panicky(Worker);

#[async_trait]
impl Handler for Panicky {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        assert!(!message.body.contains("PANIC"), "a bug");
        self.0.handle(message).await
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        self.0.mark_dead(message, class, reason).await
    }
}
