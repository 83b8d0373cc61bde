//! What the handlers share, and the dispatches that outlive their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::port::{Clock, KeyStore, PaymentStore, Provider, Random};
use payops_core::usecase::{Accept, Changes, Dispatcher};
use payops_runtime::Metrics;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics::ApiMetrics;

/// Dispatches under way at once; past it, rows are left to the relay.
const DISPATCHES_MAX: usize = 256;
/// How long one dispatch may take before its rows are left to the relay.
const DISPATCH_MAX: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct ApiPorts {
    pub store: Arc<dyn PaymentStore>,
    pub keys: Arc<dyn KeyStore>,
    /// Asked whether it knows a source before a payment is accepted; nothing else.
    pub provider: Arc<dyn Provider>,
    /// Notifies the rest of the system, after the response.
    pub dispatcher: Dispatcher,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
}

/// The secrets that the API needs. They must be the same in every instance and stay the same:
/// another pepper makes every stored API key unknown, another cursor key every cursor.
#[derive(Clone, Debug)]
pub struct ApiSecrets {
    /// Keys the hash that API keys are stored under.
    pub pepper: SecretString,
    pub cursor: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiLimits {
    /// How long a body may take to arrive before the answer is 408.
    pub body: Duration,
    /// How long a request may take in all before the answer is 503, outcome unknown.
    pub request: Duration,
    /// How long the provider may take to say whether it knows a source; then the payment is
    /// accepted, and the worker finds out.
    pub source: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body: Duration::from_secs(10),
            request: Duration::from_secs(30),
            source: Duration::from_secs(2),
        }
    }
}

pub(super) struct SharedState {
    pub(super) ports: ApiPorts,
    pub(super) secrets: ApiSecrets,
    pub(super) limits: ApiLimits,
    pub(super) accept: Accept,
    pub(super) changes: Changes,
    pub(super) metrics: ApiMetrics,
    pub(super) draining: CancellationToken,
    pub(super) not_writable: AtomicBool,
    dispatches: TaskTracker,
    dispatch_permits: Arc<Semaphore>,
}

#[derive(Clone)]
pub struct ApiState(pub(super) Arc<SharedState>);

impl ApiState {
    /// When `draining` is canceled, `/readyz` answers 503 and each connection is closed after its
    /// next response; requests are still served.
    #[must_use]
    pub fn new(
        ports: ApiPorts,
        secrets: ApiSecrets,
        limits: ApiLimits,
        draining: CancellationToken,
        metrics: Metrics,
    ) -> Self {
        let (store, clock, random) = (&ports.store, &ports.clock, &ports.random);
        let accept = Accept {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            limits: ports.limits.clone(),
        };
        let changes = Changes {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            limits: ports.limits.clone(),
        };
        let dispatch_permits = Arc::new(Semaphore::new(DISPATCHES_MAX));
        let dispatches = TaskTracker::new();
        let (metrics, not_writable) = (ApiMetrics(metrics), AtomicBool::new(false));
        let shared = SharedState {
            ports,
            secrets,
            limits,
            accept,
            changes,
            metrics,
            draining,
            not_writable,
            dispatches,
            dispatch_permits,
        };
        Self(Arc::new(shared))
    }

    /// Says whether the payment store takes writes; whoever watches its disk calls this. While it
    /// does not, `/readyz` answers 503. Requests are still served: reads work, and a write that
    /// fails is answered with the reason.
    pub fn set_writable(&self, writable: bool) {
        self.0.not_writable.store(!writable, Ordering::Relaxed);
    }

    /// Dispatches committed rows in the background; the response does not wait. The relay finds
    /// in the outbox what fails, takes too long or exceeds the limit.
    pub(super) fn dispatch(&self, rows: Vec<OutboxEvent>) {
        if rows.is_empty() {
            return;
        }
        let state = self.clone();
        let Ok(permit) = Arc::clone(&self.0.dispatch_permits).try_acquire_owned() else {
            self.0.metrics.record_dispatch("left");
            return;
        };
        self.0.dispatches.spawn(async move {
            let _permit = permit;
            let outcome =
                match tokio::time::timeout(DISPATCH_MAX, state.0.ports.dispatcher.dispatch(&rows))
                    .await
                {
                    Ok(Ok(())) => "done",
                    Ok(Err(error)) => {
                        tracing::warn!(
                            class = error.class(),
                            error = payops_core::domain::mask::text(&error.chain()),
                            "dispatch failed; the relay will retry it"
                        );
                        "failed"
                    }
                    Err(_) => "slow",
                };
            state.0.metrics.record_dispatch(outcome);
        });
    }

    /// Waits up to `limit` for the dispatches under way, after the server has stopped. Returns how
    /// many did not finish; their rows are in the outbox.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.0.dispatches.close();
        if tokio::time::timeout(limit, self.0.dispatches.wait())
            .await
            .is_ok()
        {
            0
        } else {
            self.0.dispatches.len()
        }
    }
}
