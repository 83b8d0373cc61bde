//! A Lambda batch: each record by itself, and an answer that hands back exactly what must come
//! again.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use jiff::SignedDuration;
use lambda_runtime::{LambdaEvent, service_fn};
use payops_core::Timestamp;
use payops_core::domain::mask;
use payops_core::domain::work_item::HandlerOutcome;
use payops_core::port::{Clock, PortResult, Received};
use payops_core::usecase::Consumer;
use serde_json::Value;

use crate::record::{Record, read};

/// How a batch is worked on.
///
/// Lambda hands over whole batches, and a record that is handed back unbegun has been received
/// all the same. Two things keep that from using up the few receives that a message has. All
/// records of a batch are begun at once as long as the batch is not larger than `concurrency`;
/// ten, the default, is the largest batch of an event source without a batching window. And a
/// record that is not begun, because others took the time, is given back with
/// [`Consumer::give_back`]: at once, and without the receive counting.
///
/// Where nothing of a batch can be begun, the function's time-out is not above `start_reserve`.
/// Its records are then handed back as failures that do count, with an error in the log: given
/// back at once they would go round for ever, seen by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSettings {
    pub concurrency: usize,
    /// A record is not started when less time than this is left before the deadline.
    pub start_reserve: SignedDuration,
    /// A record still under way when less time than this is left is dropped, so that the answer
    /// about the others gets out. Dropping is like a crash: the record comes again.
    pub answer_reserve: SignedDuration,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            concurrency: 10,
            start_reserve: SignedDuration::from_secs(12),
            answer_reserve: SignedDuration::from_secs(2),
        }
    }
}

/// Handles the records of an SQS `event` and names those that must come again. Lambda deletes the
/// others. A record that panics, is garbage or goes to the dead-letter queue does not touch its
/// neighbours. The error is for an event that has no records at all.
pub async fn handle_batch(
    consumer: &Consumer,
    clock: &dyn Clock,
    event: Value,
    deadline: Timestamp,
    settings: BatchSettings,
) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let Value::Object(mut event) = event else {
        return Err("not an SQS event".into());
    };
    let Some(Value::Array(records)) = event.remove("Records") else {
        return Err("an event without Records".into());
    };
    let batch = Batch {
        consumer,
        clock,
        deadline,
        settings,
        begun: AtomicBool::new(false),
    };
    let back: Vec<Option<String>> = stream::iter(records)
        .map(|raw| batch.record(raw))
        .buffer_unordered(settings.concurrency.max(1))
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    for id in back.into_iter().flatten() {
        response.add_failure(id);
    }
    Ok(response)
}

/// Serves invocations of this Lambda function until its environment ends.
pub async fn run_lambda(
    consumer: &Consumer,
    clock: &dyn Clock,
    settings: BatchSettings,
) -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = i64::try_from(event.context.deadline)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        // Without a deadline nothing is started, rather than everything at any risk.
        let deadline = deadline.unwrap_or_else(|| clock.now());
        handle_batch(consumer, clock, event.payload, deadline, settings).await
    }))
    .await
}

struct Batch<'a> {
    consumer: &'a Consumer,
    clock: &'a dyn Clock,
    deadline: Timestamp,
    settings: BatchSettings,
    begun: AtomicBool,
}

impl Batch<'_> {
    /// The record's name if it must come again.
    async fn record(&self, raw: Value) -> Option<String> {
        let message = match read(raw) {
            Record::Message(message) => message,
            Record::Unreadable { id } => {
                tracing::error!(message = id, "a record that is no message; handed back");
                return Some(id);
            }
            Record::Nameless => {
                // Handing back the whole batch would punish its neighbours; the sweeper finds the
                // payment that this was about, if it was about one.
                tracing::error!("a record without a message id; dropped");
                return None;
            }
        };
        let left = self.left();
        let limit = Duration::try_from(left.saturating_sub(self.settings.answer_reserve))
            .unwrap_or_default();
        if left < self.settings.start_reserve {
            return self.not_begun(*message, limit).await;
        }
        self.begun.store(true, Ordering::Relaxed);
        let settled = tokio::time::timeout(
            limit,
            AssertUnwindSafe(self.settle(&message)).catch_unwind(),
        )
        .await;
        let done = match settled {
            Ok(Ok(Ok(done))) => done,
            Ok(Ok(Err(error))) => {
                tracing::warn!(
                    message = message.message_id,
                    class = error.class(),
                    error = mask::text(&error.chain()),
                    "could not be settled"
                );
                false
            }
            Ok(Err(_)) => {
                tracing::error!(message = message.message_id, "settling it panicked");
                false
            }
            Err(_) => {
                tracing::warn!(message = message.message_id, "cut off at the deadline");
                false
            }
        };
        (!done).then_some(message.message_id)
    }

    /// Gives a record back that the time does not suffice for; its name if that did not work.
    async fn not_begun(&self, message: Received, limit: Duration) -> Option<String> {
        // Records are begun in order: if none was, none of this batch will be.
        if !self.begun.load(Ordering::Relaxed) {
            tracing::error!(
                message = message.message_id,
                "not begun, like all of its batch: the function's time-out is too short"
            );
            return Some(message.message_id);
        }
        match tokio::time::timeout(limit, self.consumer.give_back(&message)).await {
            Ok(Ok(true)) => {
                tracing::info!(
                    message = message.message_id,
                    "not begun, the deadline is near; given back"
                );
                // Sent anew: what is left of this one is Lambda's to delete.
                return None;
            }
            Ok(Ok(false)) => tracing::info!(
                message = message.message_id,
                "not begun, and its receipt is no longer good"
            ),
            Ok(Err(error)) => {
                tracing::warn!(
                    message = message.message_id,
                    class = error.class(),
                    "not begun, and it could not be given back"
                );
            }
            Err(_) => tracing::warn!(
                message = message.message_id,
                "not begun, and no time was left to give it back"
            ),
        }
        Some(message.message_id)
    }

    fn left(&self) -> SignedDuration {
        self.deadline.duration_since(self.clock.now())
    }

    /// Handles a message and does to it what its verdict says; `true` when it must not come again.
    async fn settle(&self, message: &Received) -> PortResult<bool> {
        let (verdict, panicked) = self.consumer.verdict(message).await;
        if panicked {
            tracing::error!(message = message.message_id, "handling it panicked");
        }
        match self.consumer.final_verdict(message, verdict) {
            HandlerOutcome::Done => Ok(true),
            HandlerOutcome::Retry {
                class,
                reason,
                after,
            } => {
                tracing::info!(
                    message = message.message_id,
                    class,
                    reason = mask::text(&reason),
                    "to be retried"
                );
                self.delay(message, after).await;
                Ok(false)
            }
            HandlerOutcome::Dead { class, reason } => {
                tracing::warn!(
                    message = message.message_id,
                    class,
                    reason = mask::text(&reason),
                    "dead"
                );
                // In the dead-letter queue with its reason before Lambda deletes it here.
                self.consumer.dead_letter(message, &class, &reason).await
            }
        }
    }

    /// Has the message come again after its back-off. Best effort: without it, it comes again
    /// when its visibility ends.
    async fn delay(&self, message: &Received, after: Option<SignedDuration>) {
        let consumer = self.consumer;
        let delay = consumer.delay(message, after);
        if let Err(error) = consumer
            .queues
            .change_visibility(&consumer.queue, &message.receipt, delay)
            .await
        {
            tracing::debug!(
                message = message.message_id,
                class = error.class(),
                "its delay could not be set"
            );
        }
    }
}
