//! The loop that serves a queue: handles messages concurrently, and receives more as some end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::mask;
use payops_core::domain::work_item::HandlerOutcome;
use payops_core::port::{PortResult, Received};
use payops_core::usecase::{Consumed, Consumer, Handler};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Backoff, Heartbeat, Metrics, pause};

/// A receive that finds nothing sooner than this is followed by a pause: an adapter that does
/// not wait must not make the loop spin.
const EMPTY_MIN: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumeSettings {
    pub concurrency: usize,
    pub wait: Duration,
    /// How long to wait for messages under way after the stop. One cut off then is redelivered.
    pub drain: Duration,
}

impl Default for ConsumeSettings {
    fn default() -> Self {
        Self {
            concurrency: 10,
            wait: Duration::from_secs(20),
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves `consumer`'s queue until `stop`, then waits for the messages under way. Returns what
/// became of all messages.
pub async fn consume(
    consumer: Consumer,
    settings: ConsumeSettings,
    stop: &CancellationToken,
    heartbeat: &Heartbeat,
    metrics: &Metrics,
) -> Consumed {
    let queue = consumer.queue.clone();
    let consumer = with_logging(consumer);
    metrics.expect_messages(&queue);
    let count = |ended| count_outcome(&queue, ended, metrics);
    let mut running: JoinSet<PortResult<Consumed>> = JoinSet::new();
    let mut total = Consumed::default();
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    while !stop.is_cancelled() {
        heartbeat.beat();
        while let Some(ended) = running.try_join_next() {
            total.add(count(ended));
        }
        let free = settings.concurrency.max(1).saturating_sub(running.len());
        if free == 0 {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                ended = running.join_next() => {
                    total.add(ended.map(count).unwrap_or_default());
                }
            }
            continue;
        }
        let received_at = Instant::now();
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            received = consumer.receive(free, settings.wait) => received,
        };
        match received {
            Ok(messages) => {
                backoff.reset();
                if messages.is_empty() && received_at.elapsed() < EMPTY_MIN {
                    pause(EMPTY_MIN, stop).await;
                }
                for message in messages {
                    let consumer = consumer.clone();
                    running.spawn(async move { consumer.process(&message).await });
                }
            }
            Err(error) => {
                tracing::warn!(
                    queue,
                    class = error.class(),
                    error = mask::text(&error.chain()),
                    "could not receive messages"
                );
                pause(backoff.next_delay(), stop).await;
            }
        }
    }
    total.add(drain(&queue, running, settings.drain, metrics).await);
    tracing::info!(
        queue,
        done = total.done,
        retried = total.retried,
        dead = total.dead,
        panics = total.panics,
        "stopped receiving"
    );
    total
}

async fn drain(
    queue: &str,
    mut running: JoinSet<PortResult<Consumed>>,
    limit: Duration,
    metrics: &Metrics,
) -> Consumed {
    let mut total = Consumed::default();
    let end = Instant::now() + limit;
    loop {
        match tokio::time::timeout_at(end, running.join_next()).await {
            Ok(Some(ended)) => total.add(count_outcome(queue, ended, metrics)),
            Ok(None) => return total,
            Err(_) => {
                tracing::warn!(
                    queue,
                    messages = running.len(),
                    "drain timed out; unfinished messages will be redelivered"
                );
                running.shutdown().await;
                return total;
            }
        }
    }
}

/// Counts what became of a message. One that could not be settled is redelivered when its
/// visibility ends.
fn count_outcome(
    queue: &str,
    ended: Result<PortResult<Consumed>, JoinError>,
    metrics: &Metrics,
) -> Consumed {
    let consumed = to_consumed(queue, ended);
    metrics.count_messages(queue, consumed);
    consumed
}

fn to_consumed(queue: &str, ended: Result<PortResult<Consumed>, JoinError>) -> Consumed {
    match ended {
        Ok(Ok(consumed)) => consumed,
        Ok(Err(error)) => {
            tracing::warn!(
                queue,
                class = error.class(),
                error = mask::text(&error.chain()),
                "could not settle a message; it will be redelivered"
            );
            Consumed {
                received: 1,
                ..Consumed::default()
            }
        }
        Err(error) => {
            tracing::error!(
                queue,
                panicked = error.is_panic(),
                "the task of a message panicked or was canceled; it will be redelivered"
            );
            Consumed {
                received: 1,
                panics: usize::from(error.is_panic()),
                ..Consumed::default()
            }
        }
    }
}

fn with_logging(consumer: Consumer) -> Consumer {
    let handler = Arc::new(LoggingHandler {
        inner: Arc::clone(&consumer.handler),
        queue: consumer.queue.clone(),
    });
    Consumer {
        handler,
        ..consumer
    }
}

struct LoggingHandler {
    inner: Arc<dyn Handler>,
    queue: String,
}

#[async_trait]
impl Handler for LoggingHandler {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        let outcome = self.inner.handle(message).await;
        let (queue, id, receive) = (&self.queue, &message.message_id, message.receive_count);
        match &outcome {
            HandlerOutcome::Done => {
                tracing::debug!(queue, message = id, receive, "message handled");
            }
            HandlerOutcome::Retry { class, reason, .. } => {
                tracing::info!(
                    queue,
                    message = id,
                    receive,
                    class,
                    reason = mask::text(reason),
                    "handling failed; the message will be retried"
                );
            }
            // `mark_dead` logs it, as it does a message that was received too often.
            HandlerOutcome::Dead { class, .. } => {
                tracing::debug!(
                    queue,
                    message = id,
                    receive,
                    class,
                    "handling failed for good"
                );
            }
        }
        outcome
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        tracing::warn!(
            queue = self.queue,
            message = message.message_id,
            class,
            reason = mask::text(reason),
            "moving the message to the dead-letter queue"
        );
        self.inner.mark_dead(message, class, reason).await
    }
}
