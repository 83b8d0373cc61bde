//! The worker: core's `Worker` behind a queue, as a long-polling process ([`consumer`]) or as a Lambda
//! function ([`handle_batch`]).

pub mod aws;
mod batch;
mod emf;
mod record;
mod sqs_event;

use std::sync::Arc;
use std::time::Duration;

use payops_core::port::{Queues, Random};
use payops_core::usecase::{Consumer, Worker};

pub use batch::{BatchSettings, handle_batch, run_lambda};
pub use sqs_event::{BatchItemFailure, SqsBatchResponse};

/// `visibility` is how long a received message stays hidden: longer than a payment takes,
/// including time-outs of the provider.
#[must_use]
pub fn consumer(
    worker: Worker,
    queues: Arc<dyn Queues>,
    random: Arc<dyn Random>,
    visibility: Duration,
) -> Consumer {
    let (queue, limits) = (worker.queue.clone(), worker.limits.clone());
    let revision = concat!("worker ", env!("CARGO_PKG_VERSION")).to_owned();
    Consumer {
        queues,
        queue,
        handler: Arc::new(worker),
        random,
        limits,
        visibility,
        revision,
    }
}
