//! The notifier: core's `Notifier` behind the queue `notifications`. Core decides from the
//! payment's timeline what is sent and how often.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::NOTIFICATIONS;
use payops_core::port::{Queues, Random};
use payops_core::usecase::{Consumer, Notifier};

/// `visibility` is how long a received message stays hidden: longer than sending a payment's mails
/// takes.
#[must_use]
pub fn consumer(
    notifier: Notifier,
    queues: Arc<dyn Queues>,
    random: Arc<dyn Random>,
    visibility: Duration,
) -> Consumer {
    let limits = notifier.limits.clone();
    let revision = concat!("notifier ", env!("CARGO_PKG_VERSION")).to_owned();
    Consumer {
        queues,
        queue: NOTIFICATIONS.to_owned(),
        handler: Arc::new(notifier),
        random,
        limits,
        visibility,
        revision,
    }
}
