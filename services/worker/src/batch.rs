//! A Lambda batch: handles each record by itself, and reports exactly those that failed.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

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

use crate::emf::{self, Dimensions};
use crate::record::{ParsedRecord, parse_record};
use crate::sqs_event::{BatchItemFailure, SqsBatchResponse, SqsEvent};

/// Lambda hands over whole batches, and a record reported as failed counts as received even if it
/// was never started. Two things keep that from using up the few receives that a message has. All
/// records start at once if the batch is not larger than `concurrency`; ten, the default, is the
/// largest batch of an event source without a batching window. And a record that is not started,
/// because others took the time, is given back with [`Consumer::give_back`]: at once, and without
/// counting the receive.
///
/// If no record of a batch can start, the function's time-out is not above `start_reserve`. The
/// records are then reported as failures that do count, with an error in the log: given back they
/// would circulate for ever, unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSettings {
    pub concurrency: usize,
    /// No record is started with less time than this before the deadline.
    pub start_reserve: SignedDuration,
    /// A record still under way this long before the deadline is dropped, so that the response
    /// about the others gets out. It is redelivered, as after a crash.
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

/// Handles the records of an SQS `event` and reports those that failed. Lambda deletes the others.
/// A record that panics, is malformed or goes to the dead-letter queue does not affect the others.
/// Fails only for an event that has no records.
pub async fn handle_batch(
    consumer: &Consumer,
    clock: &dyn Clock,
    event: Value,
    deadline: Timestamp,
    settings: BatchSettings,
) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let Ok(SqsEvent { records }) = serde_json::from_value(event) else {
        return Err("the event is not an SQS event: it has no array of Records".into());
    };
    let batch = Batch {
        consumer,
        clock,
        deadline,
        settings,
        started: AtomicBool::new(false),
        dead: AtomicUsize::new(0),
    };
    let failures: Vec<Option<String>> = stream::iter(records)
        .map(|raw| batch.handle_record(raw))
        .buffer_unordered(settings.concurrency.max(1))
        .collect()
        .await;
    let batch_item_failures: Vec<BatchItemFailure> = failures
        .into_iter()
        .flatten()
        .map(|item_identifier| BatchItemFailure { item_identifier })
        .collect();
    Ok(SqsBatchResponse {
        batch_item_failures,
        dead: batch.dead.into_inner(),
    })
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
        // Without a deadline, start nothing rather than risk everything.
        let deadline = deadline.unwrap_or_else(|| clock.now());
        let dimensions = Dimensions {
            function: event.context.env_config.function_name.clone(),
            version: event.context.env_config.version.clone(),
            queue: consumer.queue.clone(),
        };
        let response = handle_batch(consumer, clock, event.payload, deadline, settings).await?;
        let failed = response.batch_item_failures.len();
        let line = emf::line(&dimensions, failed, response.dead, clock.now());
        // The log is Lambda's; without it there is nobody to tell.
        drop(writeln!(std::io::stdout(), "{line}"));
        Ok::<_, lambda_runtime::Error>(response)
    }))
    .await
}

struct Batch<'a> {
    consumer: &'a Consumer,
    clock: &'a dyn Clock,
    deadline: Timestamp,
    settings: BatchSettings,
    started: AtomicBool,
    /// How many messages went to the dead-letter queue.
    dead: AtomicUsize,
}

impl Batch<'_> {
    /// Returns the record's message id if it failed.
    async fn handle_record(&self, raw: Value) -> Option<String> {
        let message = match parse_record(raw) {
            ParsedRecord::Message(message) => message,
            ParsedRecord::Malformed { message_id } => {
                tracing::error!(
                    message = message_id,
                    "record is not an SQS message; reporting it as failed"
                );
                return Some(message_id);
            }
            ParsedRecord::Unidentified => {
                // Failing the whole batch would punish its neighbours; the sweeper finds the
                // payment that this was about, if it was about one.
                tracing::error!("record has no messageId; dropping it");
                return None;
            }
        };
        let time_left = self.time_left();
        let limit = Duration::try_from(time_left.saturating_sub(self.settings.answer_reserve))
            .unwrap_or_default();
        if time_left < self.settings.start_reserve {
            return self.give_back(*message, limit).await;
        }
        self.started.store(true, Ordering::Relaxed);
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
                    "could not settle the message"
                );
                false
            }
            Ok(Err(_)) => {
                tracing::error!(
                    message = message.message_id,
                    "settling the message panicked"
                );
                false
            }
            Err(_) => {
                tracing::warn!(
                    message = message.message_id,
                    "stopped handling the message: the function is about to time out"
                );
                false
            }
        };
        (!done).then_some(message.message_id)
    }

    /// Gives back a record that there is no time to begin. Returns its message id if that fails.
    async fn give_back(&self, message: Received, limit: Duration) -> Option<String> {
        // Records start in order: if none has, none of this batch will.
        if !self.started.load(Ordering::Relaxed) {
            tracing::error!(
                message = message.message_id,
                "did not start any message of the batch: the function's time-out is too short"
            );
            return Some(message.message_id);
        }
        match tokio::time::timeout(limit, self.consumer.give_back(&message)).await {
            Ok(Ok(true)) => {
                tracing::info!(
                    message = message.message_id,
                    "gave the message back without starting it: the function is about to time out"
                );
                // A copy was sent; Lambda deletes this one.
                return None;
            }
            Ok(Ok(false)) => tracing::info!(
                message = message.message_id,
                "did not start the message, and its receipt handle is no longer valid"
            ),
            Ok(Err(error)) => {
                tracing::warn!(
                    message = message.message_id,
                    class = error.class(),
                    "did not start the message, and could not give it back"
                );
            }
            Err(_) => tracing::warn!(
                message = message.message_id,
                "did not start the message, and ran out of time to give it back"
            ),
        }
        Some(message.message_id)
    }

    fn time_left(&self) -> SignedDuration {
        self.deadline.duration_since(self.clock.now())
    }

    /// Handles a message and acts on the outcome. Returns `true` if Lambda may delete the message.
    async fn settle(&self, message: &Received) -> PortResult<bool> {
        let (outcome, panicked) = self.consumer.run_handler(message).await;
        if panicked {
            tracing::error!(message = message.message_id, "the handler panicked");
        }
        match self.consumer.final_outcome(message, outcome) {
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
                    "handling failed; the message will be retried"
                );
                self.set_retry_delay(message, after).await;
                Ok(false)
            }
            HandlerOutcome::Dead { class, reason } => {
                tracing::warn!(
                    message = message.message_id,
                    class,
                    reason = mask::text(&reason),
                    "moving the message to the dead-letter queue"
                );
                // Moved with its reason before Lambda deletes it here.
                let moved = self.consumer.dead_letter(message, &class, &reason).await?;
                self.dead.fetch_add(usize::from(moved), Ordering::Relaxed);
                Ok(moved)
            }
        }
    }

    /// Has the message redelivered after its back-off. Best effort: if that fails, it is
    /// redelivered when its visibility ends.
    async fn set_retry_delay(&self, message: &Received, after: Option<SignedDuration>) {
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
                "could not set the retry delay"
            );
        }
    }
}
