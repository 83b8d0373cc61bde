//! The loops behind the API. Each runs until its token is canceled and backs off on failures.

use payops_runtime::{ConsumeSettings, Pulse, consume, repeat};

pub mod projector {
    use std::sync::Arc;
    use std::time::Duration;

    use payops_core::domain::bus::PROJECTIONS;
    use payops_core::domain::policy::Policy;
    use payops_core::port::{Queues, Random};
    use payops_core::usecase::{Consumed, Consumer, Projector};
    use tokio_util::sync::CancellationToken;

    use super::{ConsumeSettings, Pulse, consume};

    /// The consumer of the queue `projections`.
    #[must_use]
    pub fn consumer(
        projector: Projector,
        queues: Arc<dyn Queues>,
        random: Arc<dyn Random>,
        policy: Policy,
        visibility: Duration,
    ) -> Consumer {
        let revision = concat!("projector ", env!("CARGO_PKG_VERSION")).to_owned();
        Consumer {
            queues,
            queue: PROJECTIONS.to_owned(),
            handler: Arc::new(projector),
            random,
            policy,
            visibility,
            revision,
        }
    }

    /// Serves the queue until `stop`; what became of its messages is returned.
    pub async fn run(
        consumer: Consumer,
        settings: ConsumeSettings,
        stop: &CancellationToken,
        pulse: &Pulse,
    ) -> Consumed {
        consume(consumer, settings, stop, pulse).await
    }
}

pub mod relay {
    use std::time::Duration;

    use payops_core::usecase::Relay;
    use payops_runtime::Pass;
    use tokio_util::sync::CancellationToken;

    use super::{Pulse, repeat};

    /// Makes a pass every `period` until `stop`.
    pub async fn run(relay: Relay, period: Duration, stop: &CancellationToken, pulse: &Pulse) {
        repeat("relay", period, stop, pulse, || async {
            let (done, failure) = relay.run_once().await;
            Pass { done, failure }
        })
        .await;
    }
}

/// Sends the messages of payments again that came to no end in time.
pub mod sweeper {
    use std::time::Duration;

    use payops_core::usecase::Sweeper;
    use payops_runtime::Pass;
    use tokio_util::sync::CancellationToken;

    use super::{Pulse, repeat};

    /// Makes a pass every `period` until `stop`.
    pub async fn run(sweeper: Sweeper, period: Duration, stop: &CancellationToken, pulse: &Pulse) {
        repeat("sweeper", period, stop, pulse, || async {
            let (swept, failure) = sweeper.run_once().await;
            Pass {
                done: swept.redriven.saturating_add(swept.reviewed),
                failure,
            }
        })
        .await;
    }
}
