//! One environment at work: its API, its consumers, its relay and its sweeper.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::domain::bus::{NOTIFICATIONS, QUEUES, WORK, dead_letter_queue};
use payops_core::domain::metric::{NOTIFIER, PAYMENTS_API, PAYMENTS_WORKER};
use payops_core::port::Provider;
use payops_core::usecase::{Consumer, Handler, Notifier, Projector, Relay, Sweeper, Worker};
use payops_ops::backend::local::LocalError;
use payops_ops::backend::local::ReadyEnv;
use payops_ops::backend::local::Stores;
use payops_payments::api::{ApiLimits, ApiPorts, ApiSecrets, ApiState, router};
use payops_payments::{ServeLimits, projector, relay, serve, sweeper};
use payops_runtime::{ConsumeSettings, Heartbeat, Metrics, consume, pause};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::notice::Notice;

/// How long a received message stays hidden: a killed platform's messages come back after it.
const VISIBILITY: Duration = Duration::from_secs(20);
/// How often the relay looks for what was left behind.
const RELAY_EVERY: Duration = Duration::from_secs(1);
const REDRIVE_EVERY: Duration = Duration::from_millis(250);
/// How often the sweeper looks for what came to no end.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How long work that is under way at the stop is waited for.
const DRAIN: Duration = Duration::from_secs(10);

const WORKERS: usize = 32;
const PROJECTORS: usize = 64;
const NOTIFIERS: usize = 16;

pub(crate) struct Platform {
    pub(crate) stores: Stores,
    pub(crate) ready: ReadyEnv,
    api: ApiState,
    listening: TaskTracker,
    working: TaskTracker,
    stop_api: CancellationToken,
    stop_work: CancellationToken,
    metrics: Metrics,
}

impl Platform {
    /// Starts the environment. `port` is where its API was the last time: clients that survived
    /// a restart find it there again, unless somebody else has taken the port.
    pub(crate) async fn start(
        stores: Stores,
        port: Option<u16>,
        notices: UnboundedSender<Notice>,
    ) -> Result<Self, LocalError> {
        let listener = listen(port).await.map_err(|source| LocalError::Io {
            what: "listening on the loopback address".to_owned(),
            source,
        })?;
        let address = listener.local_addr().map_err(|source| LocalError::Io {
            what: "reading the port".to_owned(),
            source,
        })?;
        let ready = ReadyEnv {
            name: stores.env.clone(),
            api_url: format!("http://{address}"),
            api_key: stores.api_key.clone(),
        };
        let (stop_api, stop_work) = (CancellationToken::new(), CancellationToken::new());
        let metrics = Metrics::new(&[PAYMENTS_API, PAYMENTS_WORKER, NOTIFIER]);
        let api = ApiState::new(
            ApiPorts {
                store: stores.ports.store.clone(),
                keys: stores.ports.keys.clone(),
                provider: stores.acquirer.clone(),
                dispatcher: stores.ports.dispatcher(),
                clock: stores.ports.clock.clone(),
                random: stores.ports.random.clone(),
                limits: stores.ports.limits.clone(),
            },
            ApiSecrets {
                pepper: stores.pepper.clone(),
                cursor: stores.cursor_key.clone(),
            },
            ApiLimits::default(),
            stop_api.clone(),
            metrics.clone(),
        );
        let platform = Self {
            stores,
            ready,
            api,
            listening: TaskTracker::new(),
            working: TaskTracker::new(),
            stop_api,
            stop_work,
            metrics,
        };
        platform.spawn(listener);
        platform.rebuild_index(notices);
        platform.working.close();
        Ok(platform)
    }

    /// Whether the disk takes writes, for `/readyz`.
    pub(crate) fn takes_writes(&self, takes_writes: bool) {
        self.api.set_writable(takes_writes);
    }

    /// Rebuilds the search index in the background, if it has to be.
    fn rebuild_index(&self, notices: UnboundedSender<Notice>) {
        let (stores, stop) = (self.stores.clone(), self.stop_work.clone());
        let Some(rebuild) = stores.rebuild.clone() else {
            return;
        };
        if let Some(aside) = &rebuild.aside {
            // Whoever no longer listens is stopping.
            drop(notices.send(Notice::IndexSetAside {
                env: stores.env.clone(),
                aside: aside.clone(),
            }));
        }
        self.working.spawn(async move {
            if let Some(payments) = rebuild
                .run(&*stores.ports.store, &*stores.ports.index, &stop)
                .await
            {
                drop(notices.send(Notice::IndexRebuilt {
                    env: stores.env.clone(),
                    payments,
                }));
            }
        });
    }

    fn spawn(&self, listener: TcpListener) {
        let limits = ServeLimits {
            drain: DRAIN,
            ..ServeLimits::default()
        };
        self.listening.spawn(serve(
            listener,
            router(self.api.clone()),
            self.stop_api.clone(),
            limits,
        ));
        self.listening.close();
        let ports = &self.stores.ports;
        let provider: Arc<dyn Provider> = self.stores.acquirer.clone();
        let worker = Worker {
            store: ports.store.clone(),
            archive: ports.archive.clone(),
            provider,
            dispatcher: ports.dispatcher(),
            clock: ports.clock.clone(),
            limits: ports.limits.clone(),
            name: format!("{}-{}", self.stores.env, std::process::id()),
            queue: WORK.to_owned(),
        };
        let notifier = Notifier {
            store: ports.store.clone(),
            mailer: self.stores.mailer.clone(),
            clock: ports.clock.clone(),
            limits: ports.limits.clone(),
        };
        self.consume(self.consumer(WORK, Arc::new(worker)), WORKERS);
        self.consume(self.consumer(NOTIFICATIONS, Arc::new(notifier)), NOTIFIERS);
        let projecting = Projector {
            store: ports.store.clone(),
            ledger: ports.ledger.clone(),
            index: ports.index.clone(),
            clock: ports.clock.clone(),
        };
        let consumer = projector::consumer(
            projecting,
            ports.queues.clone(),
            ports.random.clone(),
            ports.limits.clone(),
            VISIBILITY,
        );
        self.consume(consumer, PROJECTORS);
        self.redrive();
        let (stop, pulse) = (
            self.stop_work.clone(),
            Heartbeat::new(Duration::from_mins(1)),
        );
        let relaying = Relay {
            dispatcher: ports.dispatcher(),
            grace: SignedDuration::from_secs(2),
        };
        self.working
            .spawn(async move { relay::run(relaying, RELAY_EVERY, &stop, &pulse).await });
        let (stop, pulse) = (
            self.stop_work.clone(),
            Heartbeat::new(Duration::from_mins(1)),
        );
        let sweeping = Sweeper {
            dispatcher: ports.dispatcher(),
            limits: ports.limits.clone(),
        };
        // After a restart the messages of the last life come back first; only what has none is
        // swept.
        self.working.spawn(async move {
            if pause(VISIBILITY, &stop).await {
                sweeper::run(sweeping, SWEEP_EVERY, &stop, &pulse).await;
            }
        });
    }

    /// Redrives that were begun go on while somebody asks for them.
    fn redrive(&self) {
        let (queues, stop) = (
            self.stores.ports.queue_admin.clone(),
            self.stop_work.clone(),
        );
        self.working.spawn(async move {
            while pause(REDRIVE_EVERY, &stop).await {
                for queue in QUEUES {
                    if let Err(error) = queues.redrives(&dead_letter_queue(queue)).await {
                        tracing::warn!(%queue, error = error.chain(), "a redrive does not go on");
                    }
                }
            }
        });
    }

    fn consumer(&self, queue: &str, handler: Arc<dyn Handler>) -> Consumer {
        let ports = &self.stores.ports;
        Consumer {
            queues: ports.queues.clone(),
            queue: queue.to_owned(),
            handler,
            random: ports.random.clone(),
            limits: ports.limits.clone(),
            visibility: VISIBILITY,
            revision: format!(
                "{} {}",
                if queue == WORK { "worker" } else { "notifier" },
                env!("CARGO_PKG_VERSION")
            ),
        }
    }

    fn consume(&self, consumer: Consumer, concurrency: usize) {
        let settings = ConsumeSettings {
            concurrency,
            wait: Duration::from_secs(1),
            drain: DRAIN,
        };
        let (stop, pulse) = (
            self.stop_work.clone(),
            Heartbeat::new(Duration::from_mins(1)),
        );
        let metrics = self.metrics.clone();
        self.working
            .spawn(async move { consume(consumer, settings, &stop, &pulse, &metrics).await });
    }

    /// Ends in order: no new requests, open ones answered and dispatched, then what lies in the
    /// queues is worked off for a while, then messages under way are finished. Whatever is left
    /// is durable and is taken up by the next start.
    pub(crate) async fn stop(&self) {
        self.stop_api.cancel();
        self.listening.wait().await;
        self.api.drain(DRAIN).await;
        drop(tokio::time::timeout(DRAIN, self.worked_off()).await);
        self.stop_work.cancel();
        self.working.wait().await;
        self.stores.close().await;
    }

    async fn worked_off(&self) {
        loop {
            let mut busy = 0;
            for queue in QUEUES {
                // Delayed retries are not waited for: they are minutes away.
                busy += self
                    .stores
                    .ports
                    .queue_admin
                    .stats(queue)
                    .await
                    .map_or(0, |stats| stats.visible);
            }
            if busy == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn listen(port: Option<u16>) -> std::io::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port
        && let Ok(listener) = TcpListener::bind(at(port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(at(0)).await
}
