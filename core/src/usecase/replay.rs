//! Replaying dead letters: a plan first, then message by message with a journal, so that a
//! replay cut off at any point goes on where it was, loses nothing and sends nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::dispatch::{Dispatcher, apply};
use crate::domain::bus::{WORK, dead_letter_queue, source_queue};
use crate::domain::id::PaymentId;
use crate::domain::machine::Command;
use crate::domain::policy::Policy;
use crate::domain::replay::{JournalEntry, Plan, PlannedMessage, Preflight, Progress};
use crate::domain::sha256_hex;
use crate::domain::work::{attribute, parse};
use crate::port::{
    Browsed, Clock, ErrorKind, Journal, Outgoing, PaymentStore, PortError, PortResult, Queues, Random, Received, TransferOutcome,
};

/// How long a claimed dead letter stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(20);
/// How long one receive waits for messages that a replay that was cut off still holds.
const WAIT: Duration = Duration::from_secs(1);
/// Fruitless receives in a row after which the queue counts as empty: SQS may answer falsely once.
const FRUITLESS_MAX: u32 = 3;
/// The same while messages are in flight: long enough for every claim of a dead process to end.
const FRUITLESS_IN_FLIGHT_MAX: u32 = 40;

/// Why a replay could not be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Not a dead-letter queue, nor a queue that has one.
    #[error("{queue} is no queue with dead letters")]
    NotADeadLetterQueue {
        /// The name given.
        queue: String,
    },
    /// A port failed. What was done stands in the journal; the same command goes on from there.
    #[error("the replay stopped")]
    Port(#[from] PortError),
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Messages of the plan.
    pub planned: usize,
    /// Messages sent, those before an interruption included.
    pub sent: usize,
    /// Messages not sent, and why.
    pub failed: BTreeMap<String, String>,
    /// Messages not yet tried.
    pub remaining: usize,
}

/// Plans and runs replays in one environment.
#[derive(Clone)]
pub struct Replayer {
    /// Where payments are.
    pub store: Arc<dyn PaymentStore>,
    /// The queues.
    pub queues: Arc<dyn Queues>,
    /// What tells the rest of the system that a payment is no longer dead.
    pub dispatcher: Dispatcher,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// For names of plans.
    pub random: Arc<dyn Random>,
    /// Times and limits.
    pub policy: Policy,
}

impl Replayer {
    /// Looks at the dead letters and says what a replay would do. `queue` may name the source
    /// or its dead-letter queue. Nothing is changed.
    pub async fn plan(&self, env: &str, queue: &str, by: &str, reason: &str, limit: usize) -> Result<(Plan, Browsed), ReplayError> {
        let names = self.queues.names().await?;
        let target = source_queue(queue).unwrap_or(queue).to_owned();
        let dlq = dead_letter_queue(&target);
        if !names.contains(&dlq) || !names.contains(&target) {
            return Err(ReplayError::NotADeadLetterQueue { queue: queue.to_owned() });
        }
        let browsed = self.queues.browse(&dlq, limit).await?;
        let ids: Vec<Option<PaymentId>> = browsed.messages.iter().map(|message| payment_of(&message.body)).collect();
        let known: BTreeSet<PaymentId> = ids.iter().flatten().cloned().collect();
        let mut states = BTreeMap::new();
        for payment in self.store.get_many(&known.into_iter().collect::<Vec<_>>()).await? {
            let done = target == WORK && payment.status.is_final() && !payment.has_pending_refund();
            states.insert(payment.id, if done { Preflight::AlreadyFinal } else { Preflight::Safe });
        }
        let messages = browsed.messages.iter().zip(ids).map(|(message, id)| PlannedMessage {
            message_id: message.message_id.clone(),
            body_sha256: sha256_hex(message.body.as_bytes()),
            preflight: id.as_ref().and_then(|id| states.get(id).copied()).unwrap_or(Preflight::Unknown),
            payment_id: id,
            class: message.attributes.get(attribute::CLASS).cloned().unwrap_or_else(|| "unknown".to_owned()),
            group: message.group.clone(),
            replays: replays(message),
            ..PlannedMessage::default()
        });
        let at = self.clock.now();
        let plan = Plan {
            id: format!("{}-{}", at.as_millisecond(), hex::encode(self.random.next_u64().to_be_bytes())),
            env: env.to_owned(),
            queue: dlq,
            target,
            by: by.to_owned(),
            reason: reason.to_owned(),
            at,
            messages: messages.collect(),
            ..Plan::default()
        };
        Ok((plan, browsed))
    }

    /// Runs `plan` from where `done` got to (an empty one at the start). Stops between two
    /// messages when `stop` says so; `told` hears of each message that is settled.
    pub async fn execute(
        &self,
        plan: &Plan,
        done: &Progress,
        journal: &mut dyn Journal,
        stop: &(dyn Fn() -> bool + Send + Sync),
        told: &(dyn Fn(&ReplaySummary) + Send + Sync),
    ) -> Result<ReplaySummary, ReplayError> {
        let mut run = Run::new(plan, done);
        self.settle_unclear(plan, done, &mut run, journal).await?;
        let mut seen_not_planned: BTreeSet<String> = BTreeSet::new();
        let mut held: Vec<String> = Vec::new();
        let mut fruitless = 0_u32;
        while !run.open.is_empty() && !stop() {
            if fruitless >= FRUITLESS_MAX {
                let held_by_us = u64::try_from(held.len()).unwrap_or(u64::MAX);
                let others = self.queues.stats(&plan.queue).await?.in_flight.saturating_sub(held_by_us);
                if others == 0 || fruitless >= FRUITLESS_IN_FLIGHT_MAX {
                    break;
                }
            }
            let wait = if fruitless == 0 { Duration::ZERO } else { WAIT };
            let messages = self.queues.receive(&plan.queue, 10, VISIBILITY, wait).await?;
            let mut fresh = false;
            for message in messages {
                if stop() || !run.open.contains_key(&message.message_id) {
                    fresh |= seen_not_planned.insert(message.message_id.clone());
                    held.push(message.receipt);
                    continue;
                }
                fresh = true;
                self.replay_one(plan, &message, &mut run, journal).await?;
                told(&run.summary());
            }
            fruitless = if fresh { 0 } else { fruitless.saturating_add(1) };
        }
        // Messages that are not of the plan stay in the queue for whoever comes next.
        for receipt in held {
            self.queues.change_visibility(&plan.queue, &receipt, Duration::ZERO).await?;
        }
        if !stop() {
            self.finish(&mut run, journal)?;
        }
        Ok(run.summary())
    }

    fn finish(&self, run: &mut Run, journal: &mut dyn Journal) -> PortResult<()> {
        let gone: Vec<String> = run.open.keys().cloned().collect();
        let reason = "no longer in the dead-letter queue, or held by somebody else";
        let mut entries: Vec<JournalEntry> =
            gone.iter().map(|id| JournalEntry::Failed { message_id: id.clone(), reason: reason.to_owned() }).collect();
        entries.push(JournalEntry::Finished { at: self.clock.now() });
        for id in gone {
            run.fail(&id, reason.to_owned());
        }
        journal.append(&entries)
    }

    /// What was about to be sent when an earlier run was cut off: where moving is one
    /// transaction, a message that is gone was sent and one that is there was not.
    async fn settle_unclear(&self, plan: &Plan, done: &Progress, run: &mut Run, journal: &mut dyn Journal) -> Result<(), ReplayError> {
        if done.unclear.is_empty() || !self.queues.transfer_is_atomic() {
            return Ok(());
        }
        let there = self.queues.browse(&plan.queue, usize::MAX).await?;
        let there: BTreeSet<&str> = there.messages.iter().map(|message| message.message_id.as_str()).collect();
        for id in done.unclear.iter().filter(|id| !there.contains(id.as_str())) {
            journal.append(&[JournalEntry::Sent { message_id: id.clone(), new_message_id: None }])?;
            run.sent(id);
        }
        Ok(())
    }

    async fn replay_one(&self, plan: &Plan, message: &Received, run: &mut Run, journal: &mut dyn Journal) -> Result<(), ReplayError> {
        let id = &message.message_id;
        let Some(planned) = run.open.get(id).cloned() else { return Ok(()) };
        if sha256_hex(message.body.as_bytes()) != planned.body_sha256 {
            let reason = "its body is not the one that was planned".to_owned();
            journal.append(&[JournalEntry::Failed { message_id: id.clone(), reason: reason.clone() }])?;
            run.fail(id, reason);
            self.queues.change_visibility(&plan.queue, &message.receipt, Duration::ZERO).await?;
            return Ok(());
        }
        journal.append(&[JournalEntry::Sending { message_id: id.clone() }])?;
        if let Some(payment) = planned.payment_id.as_ref().filter(|_| plan.target == WORK) {
            self.unbury(payment, plan).await?;
        }
        let outgoing = replayed(message);
        let moved = match self.queues.transfer(&plan.queue, &message.receipt, &plan.target, outgoing).await {
            Err(error) if error.kind == ErrorKind::Permanent => {
                // The target will never take this one; its neighbours must not wait for it.
                let reason = error.chain();
                journal.append(&[JournalEntry::Failed { message_id: id.clone(), reason: reason.clone() }])?;
                run.fail(id, reason);
                self.queues.change_visibility(&plan.queue, &message.receipt, Duration::ZERO).await?;
                return Ok(());
            }
            moved => moved?,
        };
        let entry = match moved {
            TransferOutcome::Moved { .. } if run.unclear.contains(id) && !self.queues.transfer_is_atomic() => {
                JournalEntry::SentTwice { message_id: id.clone() }
            }
            TransferOutcome::Moved { message_id } => JournalEntry::Sent { message_id: id.clone(), new_message_id: Some(message_id) },
            TransferOutcome::SentNotDeleted { reason, .. } => JournalEntry::SentNotDeleted { message_id: id.clone(), reason },
            TransferOutcome::Lost => {
                let reason = "somebody else took it at the same time".to_owned();
                JournalEntry::Failed { message_id: id.clone(), reason }
            }
        };
        match &entry {
            JournalEntry::Failed { reason, .. } => run.fail(id, reason.clone()),
            _ => run.sent(id),
        }
        journal.append(&[entry])?;
        Ok(())
    }

    /// Marks the payment as no longer dead before its message goes: cut off between the two, the
    /// sweeper sends the work again and the dead letter is still there, to be acknowledged later.
    async fn unbury(&self, id: &PaymentId, plan: &Plan) -> PortResult<()> {
        let command = Command::Unbury { by: plan.by.clone(), reason: plan.reason.clone() };
        if let Ok((_, outbox)) = apply(&*self.store, &*self.clock, &self.policy, id, &command).await? {
            // Best effort: the relay does what fails here.
            drop(self.dispatcher.dispatch(&outbox).await);
        }
        Ok(())
    }
}

/// The payment that a message is about, if it says.
#[must_use]
fn payment_of(body: &str) -> Option<PaymentId> {
    parse(body).ok().map(|job| job.payment().clone())
}

/// How often a message has been replayed.
fn replays(message: &Received) -> u32 {
    message.attributes.get(attribute::REPLAYS).and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The message to send: the same body and attributes, without the reasons of its death, and one
/// replay more.
fn replayed(message: &Received) -> Outgoing {
    let mut attributes = message.attributes.clone();
    let replays = replays(message);
    for name in [attribute::CLASS, attribute::REASON, attribute::RECEIVES, attribute::QUEUE, attribute::BEGUN] {
        attributes.remove(name);
    }
    attributes.insert(attribute::REPLAYS.to_owned(), replays.saturating_add(1).to_string());
    attributes.insert(attribute::REPLAY_OF.to_owned(), message.message_id.clone());
    let dedupe = message.group.as_ref().map(|_| format!("replay-{}", message.message_id));
    Outgoing { body: message.body.clone(), attributes, delay: Duration::ZERO, group: message.group.clone(), dedupe }
}

struct Run {
    planned: usize,
    open: BTreeMap<String, PlannedMessage>,
    sent: usize,
    failed: BTreeMap<String, String>,
    unclear: BTreeSet<String>,
}

impl Run {
    fn new(plan: &Plan, done: &Progress) -> Self {
        let open = plan.messages.iter().filter(|message| !done.sent.contains(&message.message_id));
        Self {
            planned: plan.messages.len(),
            open: open.map(|message| (message.message_id.clone(), message.clone())).collect(),
            sent: done.sent.len(),
            failed: BTreeMap::new(),
            unclear: done.unclear.clone(),
        }
    }

    fn sent(&mut self, id: &str) {
        self.open.remove(id);
        self.sent = self.sent.saturating_add(1);
    }

    fn fail(&mut self, id: &str, reason: String) {
        self.open.remove(id);
        self.failed.insert(id.to_owned(), reason);
    }

    fn summary(&self) -> ReplaySummary {
        ReplaySummary { planned: self.planned, sent: self.sent, failed: self.failed.clone(), remaining: self.open.len() }
    }
}
