//! One API on stores of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::apikey;
use payops_core::domain::id::PaymentId;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::payment::{Charge, Payment};
use payops_core::domain::reconcile::{ProviderEntry, ProviderRefund};
use payops_core::domain::text::Source;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, Clock, ErrorKind, KeyStore, PaymentStore, PortError, PortResult,
    Provider, ProviderPage, Queues, Random, RefundOutcome, RefundRequest,
};
use payops_core::usecase::Dispatcher;
use payops_embedded::{EmbeddedBus, FileArchive, SqliteQueues, SqliteStore};
use payops_payments::api::{ApiLimits, ApiPorts, ApiSecrets, ApiState, router};
use payops_payments::{ServeLimits, ServeSummary, serve};
use payops_testkit::fault::{Chaos, Plan, faulty};
use payops_testkit::{ManualClock, SeededRandom, fresh_salt, sample};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{Answer, exchange, request};

pub(crate) struct Api {
    pub(crate) at: SocketAddr,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: ManualClock,
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) state: ApiState,
    pub(crate) draining: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<ServeSummary>,
    pepper: SecretString,
    random: Arc<dyn Random>,
    _folder: TempDir,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) api: ApiLimits,
    pub(crate) serve: ServeLimits,
}

/// Knows a few tokens; `tok_panic` is a bug, `tok_down` a provider that does not answer.
struct Tokens;

#[async_trait]
impl Provider for Tokens {
    async fn knows_source(&self, source: &Source) -> PortResult<bool> {
        match source.as_str() {
            "tok_visa" | "tok_mastercard" | "pm_card_visa" => Ok(true),
            "tok_down" => Err(PortError::new(
                ErrorKind::Unavailable,
                "the provider is down",
            )),
            "tok_hangs" => std::future::pending().await,
            "tok_panic" => panic!("a bug, with 4242424242424242 in its message"),
            _ => Ok(false),
        }
    }

    async fn charge(&self, _: &ChargeRequest) -> PortResult<ChargeOutcome> {
        Err(unused())
    }

    async fn find_charge(&self, _: &PaymentId) -> PortResult<Option<Charge>> {
        Err(unused())
    }

    async fn refund(&self, _: &RefundRequest) -> PortResult<RefundOutcome> {
        Err(unused())
    }

    async fn find_refund(&self, _: &RefundRequest) -> PortResult<Option<RefundOutcome>> {
        Err(unused())
    }

    async fn charges(&self, _: &PaymentId) -> PortResult<Vec<ProviderEntry>> {
        Err(unused())
    }

    async fn refunds(&self, _: &str) -> PortResult<Vec<ProviderRefund>> {
        Err(unused())
    }

    async fn scan_charges(&self, _: Option<&str>, _: usize) -> PortResult<ProviderPage> {
        Err(unused())
    }

    async fn scan_refunds(&self, _: Option<&str>, _: usize) -> PortResult<ProviderPage> {
        Err(unused())
    }
}

fn unused() -> PortError {
    PortError::new(ErrorKind::Permanent, "the API does not charge")
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        crate::secrecy::capture_logs();
        let folder = TempDir::new().expect("a folder");
        let clock = ManualClock::new();
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(fresh_salt()));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Arc::new(
            SqliteStore::open(&folder.path().join("payments.db"), Arc::clone(&shared))
                .await
                .expect("a store"),
        );
        let queues = SqliteQueues::open(
            &folder.path().join("queues.db"),
            Arc::clone(&shared),
            Arc::clone(&random),
        )
        .await
        .expect("queues");
        queues.create_platform_queues(5).await.expect("queues");
        let queues: Arc<dyn Queues> = Arc::new(queues);
        let bus = Arc::new(EmbeddedBus::new(
            Arc::clone(&queues),
            Arc::clone(&shared),
            Arc::clone(&random),
        ));
        let archive = FileArchive::open(
            &folder.path().join("archive"),
            bus.clone(),
            Arc::clone(&shared),
            Arc::clone(&random),
        )
        .expect("an archive");
        // Only the API's own calls go wrong; tests look at the store itself.
        let chaos = Arc::new(Chaos::new(Plan::Nothing));
        let shaky: Arc<dyn PaymentStore> = faulty(Arc::clone(&store), &chaos);
        let dispatcher = Dispatcher {
            store: Arc::clone(&store) as Arc<dyn PaymentStore>,
            archive: Arc::new(archive),
            bus,
            queues,
            clock: Arc::clone(&shared),
        };
        let keys = Arc::clone(&store) as Arc<dyn KeyStore>;
        let ports = ApiPorts {
            store: shaky,
            keys,
            provider: Arc::new(Tokens),
            dispatcher,
            clock: shared,
            random: Arc::clone(&random),
            limits: PaymentLimits::default(),
        };
        let pepper = SecretString::from("pepper");
        let secrets = ApiSecrets {
            pepper: pepper.clone(),
            cursor: SecretString::from("cursor"),
        };
        let (draining, stop) = (CancellationToken::new(), CancellationToken::new());
        let state = ApiState::new(
            ports,
            secrets,
            options.api,
            draining.clone(),
            payops_runtime::Metrics::new(&[payops_core::domain::metric::PAYMENTS_API]),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let server = tokio::spawn(serve(
            listener,
            router(state.clone()),
            stop.clone(),
            options.serve,
        ));
        Self {
            at,
            store,
            clock,
            chaos,
            state,
            draining,
            stop,
            server,
            pepper,
            random,
            _folder: folder,
        }
    }

    pub(crate) async fn key(&self, merchant: &str, live: bool) -> String {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&self.random.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.random.next_u64().to_be_bytes());
        let key = apikey::make(live, bytes);
        let row = apikey::row(
            &key,
            &merchant.parse().expect("a merchant"),
            live,
            &self.pepper,
            self.clock.now(),
        );
        self.store.put_key(&row).await.expect("written");
        key.expose_secret().to_owned()
    }

    pub(crate) async fn revoke(&self, key: &str) {
        let hash = apikey::hash(&SecretString::from(key), &self.pepper);
        let mut row = self.store.key(&hash).await.expect("read").expect("there");
        row.revoked_at = Some(self.clock.now());
        self.store.put_key(&row).await.expect("written");
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        let authorization = format!("Bearer {key}");
        exchange(
            self.at,
            &request("GET", path, &[("authorization", &authorization)], None),
        )
        .await
        .expect("an answer")
    }

    pub(crate) async fn post(
        &self,
        key: &str,
        path: &str,
        idempotency_key: &str,
        body: &str,
    ) -> Answer {
        self.try_post(key, path, idempotency_key, body)
            .await
            .expect("an answer")
    }

    pub(crate) async fn try_post(
        &self,
        key: &str,
        path: &str,
        idempotency_key: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        let authorization = format!("Bearer {key}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("idempotency-key", idempotency_key),
            ("content-type", "application/json"),
        ];
        exchange(self.at, &request("POST", path, &headers, Some(body))).await
    }

    pub(crate) async fn create(&self, key: &str, idempotency_key: &str) -> String {
        let answer = self
            .post(key, "/v1/payments", idempotency_key, &payment(&json!({})))
            .await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.text("/id")
    }

    pub(crate) async fn stored(&self, id: &str) -> Payment {
        self.store
            .get(&id.parse().expect("an id"))
            .await
            .expect("read")
            .expect("stored")
    }

    /// Charges a payment behind the API's back, as a worker would.
    pub(crate) async fn complete(&self, id: &str) {
        use payops_core::domain::machine::Command;
        for command in [
            sample::claim("worker"),
            Command::Approved(sample::charge(1, self.clock.now())),
        ] {
            let change = sample::change(&self.stored(id).await, command, self.clock.now());
            assert_eq!(
                self.store.commit(&change).await.expect("written"),
                payops_core::port::Committed::Done
            );
        }
    }

    /// Waits until the answers' dispatches have ended.
    pub(crate) async fn dispatched(&self) {
        assert_eq!(self.state.drain(Duration::from_secs(20)).await, 0);
    }
}

/// A good request's body with `members` put over it; a null takes a member away.
pub(crate) fn payment(members: &Value) -> String {
    let mut body = json!({
        "amount": 1250, "currency": "EUR", "source": "tok_visa", "reference": "INV-1", "customer": {"email": "a@example.com"}, "metadata": {},
    });
    for (name, value) in members.as_object().expect("members") {
        if value.is_null() {
            body.as_object_mut().expect("an object").remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body.to_string()
}
