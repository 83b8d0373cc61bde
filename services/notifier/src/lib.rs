//! The notifier: core's `Notifier` behind the queue `notifications`. What is sent, and how often,
//! is decided in core from the payment's timeline; here it only gets its messages.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::NOTIFICATIONS;
use payops_core::port::{Queues, Random};
use payops_core::usecase::{Consumed, Consumer, Notifier};
use payops_runtime::{ConsumeSettings, Pulse, consume};
use tokio_util::sync::CancellationToken;

/// The consumer of the queue `notifications`. `visibility` is how long a received message stays
/// hidden: longer than sending a payment's mails takes.
#[must_use]
pub fn consumer(
    notifier: Notifier,
    queues: Arc<dyn Queues>,
    random: Arc<dyn Random>,
    visibility: Duration,
) -> Consumer {
    let policy = notifier.policy.clone();
    let revision = concat!("notifier ", env!("CARGO_PKG_VERSION")).to_owned();
    Consumer {
        queues,
        queue: NOTIFICATIONS.to_owned(),
        handler: Arc::new(notifier),
        random,
        policy,
        visibility,
        revision,
    }
}

/// Serves the queue until `stop`, then waits for the messages under way; what became of all of
/// them is returned.
pub async fn run(
    consumer: Consumer,
    settings: ConsumeSettings,
    stop: &CancellationToken,
    pulse: &Pulse,
) -> Consumed {
    consume(consumer, settings, stop, pulse).await
}
