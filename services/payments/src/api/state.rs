//! What the handlers share, and the dispatches that outlive their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::policy::Policy;
use payops_core::port::{Clock, KeyStore, PaymentStore, Provider, Random};
use payops_core::usecase::{Accept, Changes, Dispatcher};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::measure::Measure;

/// Dispatches under way at once; past it, rows are left to the relay.
const DISPATCHES_MAX: usize = 256;
/// How long one dispatch may take before its rows are left to the relay.
const DISPATCH_MAX: Duration = Duration::from_secs(30);

/// The ports that the API calls.
#[derive(Clone)]
pub struct ApiPorts {
    /// Payments.
    pub store: Arc<dyn PaymentStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// Asked whether it knows a source before a payment is accepted; nothing else.
    pub provider: Arc<dyn Provider>,
    /// What tells the rest of the system, after the answer.
    pub dispatcher: Dispatcher,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// For identifiers.
    pub random: Arc<dyn Random>,
    /// Times and limits of payments.
    pub policy: Policy,
}

/// The secrets that the API needs. They must be the same in every instance and stay the same:
/// another pepper makes every stored API key unknown, another cursor key every cursor.
#[derive(Clone, Debug)]
pub struct ApiSecrets {
    /// Keys the hash that API keys are stored under.
    pub pepper: SecretString,
    /// Seals list cursors.
    pub cursor: SecretString,
}

/// Time limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiLimits {
    /// How long a body may take to arrive; then 408.
    pub body: Duration,
    /// How long a request may take in all; then 503, outcome unknown.
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

pub(super) struct Inner {
    pub(super) ports: ApiPorts,
    pub(super) secrets: ApiSecrets,
    pub(super) limits: ApiLimits,
    pub(super) accept: Accept,
    pub(super) changes: Changes,
    pub(super) measure: Measure,
    pub(super) draining: CancellationToken,
    pub(super) not_writable: AtomicBool,
    dispatches: TaskTracker,
    dispatch_permits: Arc<Semaphore>,
}

/// The state of the API; cheap to clone.
#[derive(Clone)]
pub struct ApiState(pub(super) Arc<Inner>);

impl ApiState {
    /// The state of an API on these ports. When `draining` is canceled, `/readyz` answers 503 and
    /// connections are closed after their next answer; requests are served all the same.
    #[must_use]
    pub fn new(
        ports: ApiPorts,
        secrets: ApiSecrets,
        limits: ApiLimits,
        draining: CancellationToken,
    ) -> Self {
        let (store, clock, random, policy) =
            (&ports.store, &ports.clock, &ports.random, &ports.policy);
        let accept = Accept {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            policy: policy.clone(),
        };
        let changes = Changes {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            policy: policy.clone(),
        };
        let dispatch_permits = Arc::new(Semaphore::new(DISPATCHES_MAX));
        let dispatches = TaskTracker::new();
        let (measure, not_writable) = (Measure::new(), AtomicBool::new(false));
        let inner = Inner {
            ports,
            secrets,
            limits,
            accept,
            changes,
            measure,
            draining,
            not_writable,
            dispatches,
            dispatch_permits,
        };
        Self(Arc::new(inner))
    }

    /// Whether the payment store takes writes, as whoever watches its disk finds. While it does
    /// not, `/readyz` says so. Requests are served all the same: reads work, and a write that
    /// fails is answered with why.
    pub fn set_writable(&self, writable: bool) {
        self.0.not_writable.store(!writable, Ordering::Relaxed);
    }

    /// Dispatches committed rows in the background; the answer does not wait. What fails, takes
    /// too long or is too much stands in the outbox for the relay.
    pub(super) fn dispatch(&self, rows: Vec<OutboxEvent>) {
        if rows.is_empty() {
            return;
        }
        let state = self.clone();
        let Ok(permit) = Arc::clone(&self.0.dispatch_permits).try_acquire_owned() else {
            self.0.measure.dispatched("left");
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
                            "dispatch failed; left to the relay"
                        );
                        "failed"
                    }
                    Err(_) => "slow",
                };
            state.0.measure.dispatched(outcome);
        });
    }

    /// Waits up to `limit` for the dispatches under way, after the server has stopped; how many
    /// are left. Their rows stand in the outbox.
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
