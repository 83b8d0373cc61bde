//! Taking messages from a queue: each record by itself, an outcome for each, and what the
//! outcome does to the message.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::try_join_all;
use jiff::SignedDuration;

use crate::domain::bus::dead_letter_queue;
use crate::domain::limits::PaymentLimits;
use crate::domain::work_item::{HandlerOutcome, attribute};
use crate::port::{
    Attributes, ErrorKind, Outgoing, PortResult, Queues, Random, Received, TransferOutcome,
};

#[async_trait]
pub trait Handler: Send + Sync {
    /// Does what a message asks for. May be called many times with one message, and at the same
    /// time.
    async fn handle(&self, message: &Received) -> HandlerOutcome;

    /// Records that a message is about to go to the dead-letter queue. Called before it goes.
    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    pub received: usize,
    pub done: usize,
    pub retried: usize,
    pub dead: usize,
    pub panics: usize,
}

impl Consumed {
    pub fn add(&mut self, other: Self) {
        self.received = self.received.saturating_add(other.received);
        self.done = self.done.saturating_add(other.done);
        self.retried = self.retried.saturating_add(other.retried);
        self.dead = self.dead.saturating_add(other.dead);
        self.panics = self.panics.saturating_add(other.panics);
    }
}

#[derive(Clone)]
pub struct Consumer {
    pub queues: Arc<dyn Queues>,
    pub queue: String,
    pub handler: Arc<dyn Handler>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
    pub visibility: Duration,
    /// Which revision of the consumer this is, such as `worker 1.9.0`: written on its dead letters.
    pub revision: String,
}

impl Consumer {
    /// Receives up to `max` messages (at most ten), waiting up to `wait` for the first.
    pub async fn receive(&self, max: usize, wait: Duration) -> PortResult<Vec<Received>> {
        self.queues
            .receive(&self.queue, max.min(10), self.visibility, wait)
            .await
    }

    /// Handles one received message and settles it. Each message is settled by itself as soon as
    /// its outcome is there, so that a slow one holds nobody up. A process that serves a queue
    /// runs many of these side by side and receives more whenever some have ended.
    pub async fn process(&self, message: &Received) -> PortResult<Consumed> {
        let (outcome, panicked) = self.run_handler(message).await;
        let mut consumed = Consumed {
            received: 1,
            panics: usize::from(panicked),
            ..Consumed::default()
        };
        match self.final_outcome(message, outcome) {
            HandlerOutcome::Done => {
                // A receipt that is no longer good means that the message comes again, to be
                // acknowledged then.
                self.queues
                    .delete(&self.queue, std::slice::from_ref(&message.receipt))
                    .await?;
                consumed.done = 1;
            }
            HandlerOutcome::Retry { after, .. } => {
                self.retry(message, after).await?;
                consumed.retried = 1;
            }
            HandlerOutcome::Dead { class, reason } => {
                consumed.dead = usize::from(self.dead_letter(message, &class, &reason).await?);
            }
        }
        Ok(consumed)
    }

    /// Receives up to ten messages, waiting up to `wait` for the first, processes them side by
    /// side and waits for all of them.
    pub async fn run_once(&self, wait: Duration) -> PortResult<Consumed> {
        let messages = self.receive(10, wait).await?;
        let mut all = Consumed::default();
        for one in try_join_all(messages.iter().map(|message| self.process(message))).await? {
            all.add(one);
        }
        Ok(all)
    }

    /// Hands one message to the handler; a panic is a retry of that message alone.
    pub async fn run_handler(&self, message: &Received) -> (HandlerOutcome, bool) {
        if let Ok(outcome) = AssertUnwindSafe(self.handler.handle(message))
            .catch_unwind()
            .await
        {
            return (outcome, false);
        }
        let reason = "the handler panicked; the log says where".to_owned();
        (
            HandlerOutcome::Retry {
                class: "panic".to_owned(),
                reason,
                after: None,
            },
            true,
        )
    }

    /// What an outcome comes to at this receive: the last one that the policy allows makes a
    /// retry a dead letter, with the reason of the last failure.
    #[must_use]
    pub fn final_outcome(&self, message: &Received, outcome: HandlerOutcome) -> HandlerOutcome {
        match outcome {
            // That another worker has it or was faster is no failure of the message.
            HandlerOutcome::Retry { class, reason, .. }
                if count_receives_begun(message) >= self.limits.receives_max
                    && !matches!(class.as_str(), "leased" | "contended" | "fenced") =>
            {
                HandlerOutcome::Dead {
                    class,
                    reason: format!(
                        "{reason} (after {} receives)",
                        count_receives_begun(message)
                    ),
                }
            }
            other => other,
        }
    }

    async fn retry(&self, message: &Received, after: Option<SignedDuration>) -> PortResult<()> {
        self.queues
            .change_visibility(&self.queue, &message.receipt, self.delay(message, after))
            .await
            .map(drop)
    }

    /// How long a message to be retried stays hidden: `after` if its handler says so, else the
    /// policy's back-off.
    #[must_use]
    pub fn delay(&self, message: &Received, after: Option<SignedDuration>) -> Duration {
        let backoff = self
            .limits
            .retry_delay(count_receives_begun(message), self.random.next_u64());
        Duration::try_from(after.unwrap_or(backoff)).unwrap_or_default()
    }

    /// Gives a received message, work on which was not begun, back to its queue, to be received
    /// again at once and without this receive counting against it. `false` when the receipt is no
    /// longer good: whoever has the message now decides.
    ///
    /// A queue counts receives by itself and cannot be told to forget one, and setting the
    /// visibility to zero alone would spend one of the few tries that the policy allows. So the
    /// message is sent anew, with its attributes and the number of receives in which work *was*
    /// begun, and the received one is deleted. Where that is not one transaction (SQS), a crash in
    /// between leaves both, which costs a second look at the payment and nothing else. The queue's
    /// own redrive limit counts from the new message on, too; it is the backstop for messages that
    /// kill their consumer, and those were begun. Give back only beside a message that was begun,
    /// or a consumer that can begin nothing would send the same messages round for ever.
    pub async fn give_back(&self, message: &Received) -> PortResult<bool> {
        let mut attributes = message.attributes.clone();
        attributes.insert(
            attribute::BEGUN.to_owned(),
            count_receives_begun(message).saturating_sub(1).to_string(),
        );
        attributes
            .entry(attribute::FIRST_SEEN.to_owned())
            .or_insert_with(|| message.sent_at.to_string());
        let anew = Outgoing {
            body: message.body.clone(),
            attributes,
            delay: Duration::ZERO,
            group: message.group.clone(),
            dedupe: message.dedupe.clone(),
        };
        let outcome = self
            .queues
            .transfer(&self.queue, &message.receipt, &self.queue, anew)
            .await?;
        Ok(!matches!(outcome, TransferOutcome::Lost))
    }

    /// Moves a message to the dead-letter queue with its reason; `false` when the receipt was lost.
    pub async fn dead_letter(
        &self,
        message: &Received,
        class: &str,
        reason: &str,
    ) -> PortResult<bool> {
        self.handler.mark_dead(message, class, reason).await?;
        let outgoing = dead_letter(&self.queue, &self.revision, message, class, reason);
        let target = dead_letter_queue(&self.queue);
        let mut bare = Outgoing {
            attributes: message.attributes.clone(),
            ..outgoing.clone()
        };
        bare.attributes.remove(attribute::BEGUN);
        let mut marked = bare.clone();
        marked
            .attributes
            .insert(attribute::CLASS.to_owned(), class.to_owned());
        let moved = async |outgoing| {
            self.queues
                .transfer(&self.queue, &message.receipt, &target, outgoing)
                .await
        };
        let refused = |moved: &PortResult<TransferOutcome>| {
            moved
                .as_ref()
                .is_err_and(|error| error.kind == ErrorKind::Permanent)
        };
        let mut outcome = moved(outgoing).await;
        // Beside a body of the largest size, or many attributes, there is no room to say why. It
        // goes all the same, marked as dead if there is room for that: a worker knows one that was
        // moved back by its mark.
        for with_less in [marked, bare] {
            if refused(&outcome) {
                outcome = moved(with_less).await;
            }
        }
        Ok(!matches!(outcome?, TransferOutcome::Lost))
    }
}

/// In how many receives work on the message was begun, this one included. The queue's own count,
/// and what [`Consumer::give_back`] carried over from before the message was sent anew.
fn count_receives_begun(message: &Received) -> u32 {
    let before = message
        .attributes
        .get(attribute::BEGUN)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0_u32);
    message.receive_count.saturating_add(before)
}

/// The dead letter made of `message`: the same body, its attributes, and why.
fn dead_letter(
    queue: &str,
    revision: &str,
    message: &Received,
    class: &str,
    reason: &str,
) -> Outgoing {
    let mut attributes: Attributes = message.attributes.clone();
    attributes.remove(attribute::BEGUN);
    let mut put = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    put(attribute::CLASS, class.to_owned());
    // A line break between two words must not make them one.
    put(
        attribute::REASON,
        reason
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(1000)
            .collect(),
    );
    put(attribute::CONSUMER, revision.to_owned());
    put(attribute::QUEUE, queue.to_owned());
    put(
        attribute::RECEIVES,
        count_receives_begun(message).to_string(),
    );
    if !message.attributes.contains_key(attribute::FIRST_SEEN) {
        put(attribute::FIRST_SEEN, message.sent_at.to_string());
    }
    Outgoing {
        body: message.body.clone(),
        attributes,
        delay: Duration::ZERO,
        group: message.group.clone(),
        dedupe: message.dedupe.clone(),
    }
}
