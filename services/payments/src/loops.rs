//! The loops behind the API. Each runs until its token is canceled and backs off on failures.

use payops_runtime::{ConsumeSettings, Heartbeat, Metrics, consume, repeat};

pub mod projector {
    use std::sync::Arc;
    use std::time::Duration;

    use payops_core::domain::bus::PROJECTIONS;
    use payops_core::domain::limits::PaymentLimits;
    use payops_core::port::{Queues, Random};
    use payops_core::usecase::{Consumed, Consumer, Projector};
    use tokio_util::sync::CancellationToken;

    use super::{ConsumeSettings, Heartbeat, Metrics, consume};

    #[must_use]
    pub fn consumer(
        projector: Projector,
        queues: Arc<dyn Queues>,
        random: Arc<dyn Random>,
        limits: PaymentLimits,
        visibility: Duration,
    ) -> Consumer {
        let revision = concat!("projector ", env!("CARGO_PKG_VERSION")).to_owned();
        Consumer {
            queues,
            queue: PROJECTIONS.to_owned(),
            handler: Arc::new(projector),
            random,
            limits,
            visibility,
            revision,
        }
    }

    /// Serves the queue until `stop`. Returns what became of its messages.
    pub async fn run(
        consumer: Consumer,
        settings: ConsumeSettings,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
        metrics: &Metrics,
    ) -> Consumed {
        consume(consumer, settings, stop, heartbeat, metrics).await
    }
}

/// Measures what no event counts, for the signals of the platform.
pub mod gauges {
    use std::time::Duration;

    use payops_core::domain::metric::{OLDEST_PROCESSING_AGE, RECONCILE_BREAKS};
    use payops_core::usecase::{OldestProcessing, RollingReconciler};
    use payops_runtime::PassOutcome;
    use tokio::sync::Mutex;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::{Heartbeat, Metrics, repeat};

    /// Looks for the oldest payment under way. When looking fails, the last age goes on growing:
    /// whatever was seen last may still be there, and an alarm that waits for it must come.
    pub async fn watch_oldest(
        oldest: OldestProcessing,
        period: Duration,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
        metrics: &Metrics,
    ) {
        let last = Mutex::new((0.0, Instant::now()));
        repeat("oldest payment", period, stop, heartbeat, || async {
            let found = oldest.age().await;
            let mut last = last.lock().await;
            let failure = match found {
                Ok(age) => {
                    *last = (age.as_secs_f64(), Instant::now());
                    None
                }
                Err(error) => Some(error),
            };
            let (seconds, seen_at) = *last;
            metrics.set(
                &OLDEST_PROCESSING_AGE,
                seconds + seen_at.elapsed().as_secs_f64(),
            );
            PassOutcome { done: 0, failure }
        })
        .await;
    }

    /// Failed comparisons in a row that count as a break: nobody knows whether there is one.
    const FAILURES_MAX: u32 = 3;

    /// Compares the stores, a part at a time.
    pub async fn reconcile(
        reconciler: RollingReconciler,
        period: Duration,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
        metrics: &Metrics,
    ) {
        let state = Mutex::new((reconciler, 0_u32));
        repeat("reconciler", period, stop, heartbeat, || async {
            let mut state = state.lock().await;
            let (reconciler, failures) = &mut *state;
            let failure = match reconciler.advance().await {
                Ok(breaks) => {
                    *failures = 0;
                    let count = u32::try_from(breaks).unwrap_or(u32::MAX);
                    metrics.set(&RECONCILE_BREAKS, f64::from(count));
                    None
                }
                Err(error) => {
                    *failures = failures.saturating_add(1);
                    if *failures >= FAILURES_MAX {
                        metrics.set(&RECONCILE_BREAKS, 1.0);
                    }
                    Some(error)
                }
            };
            PassOutcome { done: 0, failure }
        })
        .await;
    }
}

pub mod relay {
    use std::time::Duration;

    use payops_core::usecase::Relay;
    use payops_runtime::PassOutcome;
    use tokio_util::sync::CancellationToken;

    use super::{Heartbeat, repeat};

    pub async fn run(
        relay: Relay,
        period: Duration,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
    ) {
        repeat("relay", period, stop, heartbeat, || async {
            let (done, failure) = relay.run_once().await;
            PassOutcome { done, failure }
        })
        .await;
    }
}

/// Sends again the messages of payments that are overdue.
pub mod sweeper {
    use std::time::Duration;

    use payops_core::usecase::Sweeper;
    use payops_runtime::PassOutcome;
    use tokio_util::sync::CancellationToken;

    use super::{Heartbeat, repeat};

    pub async fn run(
        sweeper: Sweeper,
        period: Duration,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
    ) {
        repeat("sweeper", period, stop, heartbeat, || async {
            let (swept, failure) = sweeper.run_once().await;
            PassOutcome {
                done: swept.redriven.saturating_add(swept.reviewed),
                failure,
            }
        })
        .await;
    }
}
