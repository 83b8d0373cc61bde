//! The loop that serves a queue: so many messages side by side, more received whenever some end.

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

use crate::{Backoff, Pulse, pause};

/// A receive that finds nothing sooner than this is followed by a pause: an adapter that does
/// not wait must not make the loop spin.
const EMPTY_MIN: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumeSettings {
    pub concurrency: usize,
    pub wait: Duration,
    /// How long messages under way are waited for after the stop; what is cut off then comes again.
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

/// Serves `consumer`'s queue until `stop`, then waits for the messages under way. What became of
/// all messages is returned.
pub async fn consume(
    consumer: Consumer,
    settings: ConsumeSettings,
    stop: &CancellationToken,
    pulse: &Pulse,
) -> Consumed {
    let queue = consumer.queue.clone();
    let consumer = logged(consumer);
    let mut running: JoinSet<PortResult<Consumed>> = JoinSet::new();
    let mut total = Consumed::default();
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    while !stop.is_cancelled() {
        pulse.beat();
        while let Some(ended) = running.try_join_next() {
            total.add(settled(&queue, ended));
        }
        let free = settings.concurrency.max(1).saturating_sub(running.len());
        if free == 0 {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                ended = running.join_next() => total.add(ended.map(|ended| settled(&queue, ended)).unwrap_or_default()),
            }
            continue;
        }
        let asked = Instant::now();
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            received = consumer.receive(free, settings.wait) => received,
        };
        match received {
            Ok(messages) => {
                backoff.succeeded();
                if messages.is_empty() && asked.elapsed() < EMPTY_MIN {
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
                    "receiving failed"
                );
                pause(backoff.failed(), stop).await;
            }
        }
    }
    total.add(drain(&queue, running, settings.drain).await);
    tracing::info!(
        queue,
        done = total.done,
        retried = total.retried,
        dead = total.dead,
        panics = total.panics,
        "stopped"
    );
    total
}

async fn drain(
    queue: &str,
    mut running: JoinSet<PortResult<Consumed>>,
    limit: Duration,
) -> Consumed {
    let mut total = Consumed::default();
    let end = Instant::now() + limit;
    loop {
        match tokio::time::timeout_at(end, running.join_next()).await {
            Ok(Some(ended)) => total.add(settled(queue, ended)),
            Ok(None) => return total,
            Err(_) => {
                tracing::warn!(
                    queue,
                    messages = running.len(),
                    "messages cut off; they come again"
                );
                running.shutdown().await;
                return total;
            }
        }
    }
}

/// What became of one message; a message that could not be settled comes again by itself.
fn settled(queue: &str, ended: Result<PortResult<Consumed>, JoinError>) -> Consumed {
    match ended {
        Ok(Ok(consumed)) => consumed,
        Ok(Err(error)) => {
            tracing::warn!(
                queue,
                class = error.class(),
                error = mask::text(&error.chain()),
                "a message could not be settled"
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
                "settling a message broke off"
            );
            Consumed {
                received: 1,
                panics: usize::from(error.is_panic()),
                ..Consumed::default()
            }
        }
    }
}

/// `consumer` with every verdict that is not "done" logged.
fn logged(consumer: Consumer) -> Consumer {
    let handler = Arc::new(Logged {
        inner: Arc::clone(&consumer.handler),
        queue: consumer.queue.clone(),
    });
    Consumer {
        handler,
        ..consumer
    }
}

struct Logged {
    inner: Arc<dyn Handler>,
    queue: String,
}

#[async_trait]
impl Handler for Logged {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        let verdict = self.inner.handle(message).await;
        let (queue, id, receive) = (&self.queue, &message.message_id, message.receive_count);
        match &verdict {
            HandlerOutcome::Done => tracing::debug!(queue, message = id, receive, "done"),
            HandlerOutcome::Retry { class, reason, .. } => {
                tracing::info!(
                    queue,
                    message = id,
                    receive,
                    class,
                    reason = mask::text(reason),
                    "to be retried"
                );
            }
            // Logged when it is buried, as is a retry that was one too many.
            HandlerOutcome::Dead { class, .. } => {
                tracing::debug!(queue, message = id, receive, class, "dead")
            }
        }
        verdict
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        tracing::warn!(
            queue = self.queue,
            message = message.message_id,
            class,
            reason = mask::text(reason),
            "goes to the dead-letter queue"
        );
        self.inner.mark_dead(message, class, reason).await
    }
}
