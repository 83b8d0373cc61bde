//! The loops behind the API. Each runs until its token is canceled and backs off on failures.

use payops_runtime::{ConsumeSettings, Heartbeat, consume, repeat};

pub mod projector {
    use std::sync::Arc;
    use std::time::Duration;

    use payops_core::domain::bus::PROJECTIONS;
    use payops_core::domain::limits::PaymentLimits;
    use payops_core::port::{Queues, Random};
    use payops_core::usecase::{Consumed, Consumer, Projector};
    use tokio_util::sync::CancellationToken;

    use super::{ConsumeSettings, Heartbeat, consume};

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
    ) -> Consumed {
        consume(consumer, settings, stop, heartbeat).await
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
