//! Replaying dead letters: a plan first, then lanes that move messages with a journal, so that a
//! replay cut off at any point goes on where it was, loses nothing, and names what it sent twice.

mod canary;
mod discard;
mod plan;
mod run;
mod state;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use state::ReplayRun;

use super::dispatch::{Dispatcher, apply};
use crate::domain::id::PaymentId;
use crate::domain::limits::PaymentLimits;
use crate::domain::machine::Command;
use crate::domain::replay::{Disposition, JournalEntry, Progress, ReplayPlan};
use crate::domain::work_item::attribute;
use crate::port::{
    Clock, Journal, Outgoing, PaymentStore, PortError, PortResult, QueueAdmin, Queues, Random,
    Received,
};

pub use plan::PlanRequest;

/// Why a replay could not be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Not a dead-letter queue, nor a queue that has one.
    #[error("{queue} has no dead-letter queue")]
    NotADeadLetterQueue { queue: String },
    /// A port failed. What was done stands in the journal; the same command goes on from there.
    #[error("the replay stopped")]
    Port(#[from] PortError),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    pub planned: usize,
    pub sent: usize,
    /// Messages put into the parking queue: they were replayed too often.
    pub parked: usize,
    pub skipped: usize,
    pub failed: BTreeMap<String, String>,
    pub remaining: usize,
    /// Why the replay stopped itself after its first messages.
    pub stopped: Option<String>,
}

#[async_trait]
pub trait Control: Send + Sync {
    /// Whether it is to stop: what is in hand is ended first.
    fn is_stopped(&self) -> bool;

    async fn pace(&self, messages: usize);

    async fn pause(&self, time: Duration);

    fn on_progress(&self, summary: &ReplaySummary);

    async fn alarms(&self) -> Vec<String>;
}

#[derive(Clone)]
pub struct Replayer {
    pub store: Arc<dyn PaymentStore>,
    pub queues: Arc<dyn Queues>,
    pub queue_admin: Arc<dyn QueueAdmin>,
    /// What tells the rest of the system that a payment is no longer dead.
    /// Tells the rest of the system; `None` leaves that to the relay.
    pub dispatcher: Option<Dispatcher>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
    pub lanes: usize,
}

impl Replayer {
    /// Runs `plan` from where `done` got to (an empty one at the start). Stops between two batches
    /// when `control` says so. With a canary, so many are sent first, and what becomes of them is
    /// watched before the rest follows.
    pub async fn execute(
        &self,
        plan: &ReplayPlan,
        done: &Progress,
        journal: &dyn Journal,
        control: &dyn Control,
    ) -> Result<ReplaySummary, ReplayError> {
        let replay = ReplayRun::new(
            plan,
            done,
            self.queues.transfer_is_atomic(),
            journal,
            control,
        );
        self.skip(&replay, done).await?;
        let ended = self.run(&replay, done).await;
        // Whatever happened, what is not ours is shown again.
        let released = self.release(&replay).await;
        let stopped = ended?;
        released?;
        if stopped.is_some() {
            replay
                .note(vec![JournalEntry::Finished {
                    at: self.clock.now(),
                }])
                .await?;
        } else if !control.is_stopped() {
            self.finish(&replay).await?;
        }
        Ok(ReplaySummary {
            stopped,
            ..replay.summary()
        })
    }

    /// The canary, if there is one, then the rest; why it stopped itself, if it did.
    async fn run(
        &self,
        replay: &ReplayRun<'_>,
        done: &Progress,
    ) -> Result<Option<String>, ReplayError> {
        let canary = replay.plan.canary.filter(|_| done.canary.is_none());
        if let Some(count) = canary.and_then(|count| usize::try_from(count).ok()) {
            // One lane: exactly so many go.
            let before = self.queue_admin.stats(&replay.plan.queue).await?;
            self.lanes(replay, 1, count).await?;
            if replay.control.is_stopped() {
                return Ok(None);
            }
            if let Some(why) = self.watch(replay, &before).await? {
                return Ok(Some(why));
            }
        }
        self.lanes(replay, self.lanes, usize::MAX).await?;
        Ok(None)
    }

    async fn skip(&self, replay: &ReplayRun<'_>, done: &Progress) -> PortResult<()> {
        let skipped = replay
            .plan
            .messages
            .iter()
            .filter(|message| !done.is_settled(&message.message_id));
        let entries = skipped.filter_map(|message| match &message.disposition {
            Disposition::Skip { why } => Some(JournalEntry::Skipped {
                message_id: message.message_id.clone(),
                reason: why.clone(),
            }),
            Disposition::Send | Disposition::Park { .. } => None,
        });
        replay.note(entries.collect()).await
    }

    /// Marks the payment as no longer dead before its message goes: cut off between the two, the
    /// sweeper sends the work again and the dead letter is still there, to be acknowledged later.
    async fn clear_dead(&self, id: &PaymentId, plan: &ReplayPlan) -> PortResult<()> {
        let command = Command::ClearDead {
            by: plan.by.clone(),
            reason: plan.reason.clone(),
        };
        let applied = apply(&*self.store, &*self.clock, &self.limits, id, &command).await?;
        if let (Ok((_, outbox)), Some(dispatcher)) = (applied, &self.dispatcher) {
            // Best effort: the relay does what fails here.
            drop(dispatcher.dispatch(&outbox).await);
        }
        Ok(())
    }
}

/// The message to park: as it is, with the reasons of its death, for whoever looks at it.
fn to_parked(message: &Received) -> Outgoing {
    let Received {
        body,
        attributes,
        group,
        ..
    } = message.clone();
    let dedupe = group
        .as_ref()
        .map(|_| format!("parked-{}", message.message_id));
    Outgoing {
        body,
        attributes,
        delay: Duration::ZERO,
        group,
        dedupe,
    }
}

/// The message to send: the same body and attributes, without the reasons of its death, and one
/// replay more.
fn to_replayed(message: &Received) -> Outgoing {
    let mut attributes = message.attributes.clone();
    let replays = attributes
        .get(attribute::REPLAYS)
        .and_then(|count| count.parse::<u32>().ok())
        .unwrap_or(0);
    for name in attribute::OF_DEATH {
        attributes.remove(name);
    }
    attributes.insert(
        attribute::REPLAYS.to_owned(),
        replays.saturating_add(1).to_string(),
    );
    attributes.insert(attribute::REPLAY_OF.to_owned(), message.message_id.clone());
    // Its own name: under the old one, a FIFO queue would take the message for a double of the
    // first sending within five minutes, and drop it.
    let dedupe = message
        .group
        .as_ref()
        .map(|_| format!("replay-{}", message.message_id));
    Outgoing {
        body: message.body.clone(),
        attributes,
        delay: Duration::ZERO,
        group: message.group.clone(),
        dedupe,
    }
}
