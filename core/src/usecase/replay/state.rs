//! A replay under way: what is still open, who has what in hand, and how it is counted.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Control, ReplaySummary};
use crate::domain::id::PaymentId;
use crate::domain::replay::{JournalEntry, PlannedEdit, PlannedMessage, Progress, ReplayPlan};
use crate::port::{Journal, PortResult, Received};

/// Receipts of messages that are not of the plan that are kept, to show them again at the end;
/// others show themselves.
const HELD_MAX: usize = 20_000;
/// Payments that a canary looks at, at most.
const FIRST_MAX: usize = 1_000;

pub(super) struct ReplayRun<'a> {
    pub(super) plan: &'a ReplayPlan,
    pub(super) journal: &'a dyn Journal,
    pub(super) control: &'a dyn Control,
    /// Messages that were about to be sent when an earlier run was cut off.
    pub(super) unclear: &'a BTreeSet<String>,
    /// Those of them that were so more than once.
    pub(super) again: &'a BTreeSet<String>,
    /// Whether a move is one transaction: what is still in the queue was then surely not sent.
    pub(super) is_atomic: bool,
    pub(super) edits: HashMap<&'a str, &'a PlannedEdit>,
    run: Mutex<RunState<'a>>,
}

pub(super) struct RunState<'a> {
    /// Messages of the plan that are not settled.
    pub(super) open: HashSet<OpenMessage<'a>>,
    pub(super) claimed: HashSet<&'a str>,
    groups: HashSet<&'a str>,
    /// Messages that are not of the plan, hidden meanwhile.
    pub(super) held: Vec<String>,
    /// Which those were, by a hash of their names: there may be a million.
    pub(super) foreign: HashSet<u64>,
    /// Groups of FIFO queues in which one of those is held, so that none behind it can be received.
    pub(super) locked: HashSet<String>,
    /// Groups in which a message was not sent: none behind it may overtake it.
    blocked: HashSet<&'a str>,
    /// Messages the right to which was lost once.
    pub(super) lost: HashSet<&'a str>,
    /// Whether somebody else held messages at the end.
    pub(super) is_held: bool,
    /// Messages that left the dead-letter queue in this run.
    left: usize,
    /// Payments of the first messages that were sent.
    first: Vec<PaymentId>,
    /// Whether a lane failed: the others end what they have in hand.
    pub(super) is_broken: bool,
    counts: ReplaySummary,
}

/// A message that is not settled, found by its name. There may be a million: each takes one
/// pointer.
pub(super) struct OpenMessage<'a>(pub(super) &'a PlannedMessage);

impl Hash for OpenMessage<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.message_id.as_str().hash(state);
    }
}

impl PartialEq for OpenMessage<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.message_id == other.0.message_id
    }
}

impl Eq for OpenMessage<'_> {}

impl Borrow<str> for OpenMessage<'_> {
    fn borrow(&self) -> &str {
        &self.0.message_id
    }
}

impl<'a> RunState<'a> {
    /// The message of that name, if it is not settled.
    fn open(&self, id: &str) -> Option<&'a PlannedMessage> {
        self.open.get(id).map(|open| open.0)
    }
}

/// A message in hand, and what is planned for it.
pub(super) struct Claim<'a> {
    pub(super) planned: &'a PlannedMessage,
    pub(super) message: Received,
}

impl<'a> ReplayRun<'a> {
    pub(super) fn new(
        plan: &'a ReplayPlan,
        done: &'a Progress,
        is_atomic: bool,
        journal: &'a dyn Journal,
        control: &'a dyn Control,
    ) -> Self {
        let open = plan
            .messages
            .iter()
            .filter(|message| !done.is_settled(&message.message_id));
        let counts = ReplaySummary {
            planned: plan.messages.len(),
            sent: done.sent.len(),
            parked: done.parked.len(),
            skipped: done.skipped.len().saturating_add(done.discarded.len()),
            ..ReplaySummary::default()
        };
        // An earlier run was cut off before it knew what became of its first messages.
        let watched = plan.canary.is_some() && done.canary.is_none();
        let earlier = plan
            .messages
            .iter()
            .filter(|message| watched && done.sent.contains(&message.message_id));
        let run = RunState {
            open: open.map(OpenMessage).collect(),
            claimed: HashSet::new(),
            groups: HashSet::new(),
            held: Vec::new(),
            foreign: HashSet::new(),
            locked: HashSet::new(),
            blocked: HashSet::new(),
            lost: HashSet::new(),
            is_held: false,
            left: 0,
            first: earlier
                .filter_map(|message| message.payment_id.clone())
                .take(FIRST_MAX)
                .collect(),
            is_broken: false,
            counts,
        };
        let edits = plan
            .edits
            .iter()
            .map(|edit| (edit.message_id.as_str(), edit))
            .collect();
        Self {
            plan,
            journal,
            control,
            unclear: &done.unclear,
            again: &done.again,
            is_atomic,
            edits,
            run: Mutex::new(run),
        }
    }

    pub(super) fn run(&self) -> MutexGuard<'_, RunState<'a>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn summary(&self) -> ReplaySummary {
        let run = self.run();
        ReplaySummary {
            remaining: run.open.len(),
            ..run.counts.clone()
        }
    }

    pub(super) fn sent_count(&self) -> usize {
        self.run().counts.sent
    }

    /// Messages that left the dead-letter queue in this run.
    pub(super) fn left_count(&self) -> usize {
        self.run().left
    }

    /// Payments of the first messages that were sent.
    pub(super) fn sent_payments(&self) -> Vec<PaymentId> {
        self.run().first.clone()
    }

    pub(super) fn is_over(&self) -> bool {
        let run = self.run();
        run.open.is_empty() || run.is_broken || self.control.is_stopped()
    }

    /// Sorts what was received: ours, and what is somebody else's. What is of a group of which
    /// another lane has messages in hand (their visibility ended) is left until it shows itself
    /// again.
    pub(super) fn claim(&self, messages: Vec<Received>) -> (Vec<Claim<'a>>, Vec<Received>) {
        let mut run = self.run();
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        let in_hand = run.groups.clone();
        for message in messages {
            match run.open(&message.message_id) {
                Some(planned)
                    if planned
                        .group
                        .as_deref()
                        .is_some_and(|group| in_hand.contains(group)) => {}
                // Delivered twice: another lane has it in hand.
                Some(planned) if run.claimed.insert(planned.message_id.as_str()) => {
                    run.groups.extend(planned.group.as_deref());
                    ours.push(Claim { planned, message });
                }
                _ => others.push(message),
            }
        }
        (ours, others)
    }

    pub(super) fn release_groups(&self, groups: &HashSet<&str>) {
        self.run().groups.retain(|group| !groups.contains(group));
    }

    /// Notes what is held though it is not of the plan; whether any of it is new.
    pub(super) fn hold(&self, others: &[Received]) -> bool {
        let mut run = self.run();
        let mut fresh = false;
        for message in others {
            if run.held.len() < HELD_MAX {
                run.held.push(message.receipt.clone());
            }
            run.locked.extend(message.group.clone());
            let mut hasher = DefaultHasher::new();
            message.message_id.hash(&mut hasher);
            fresh |= run.foreign.insert(hasher.finish());
        }
        fresh
    }

    /// Whether a message must wait for one before it in its group that was not sent.
    pub(super) fn is_blocked(&self, planned: &PlannedMessage) -> bool {
        planned
            .group
            .as_deref()
            .is_some_and(|group| self.run().blocked.contains(group))
    }

    /// Whether a message may have been sent by an earlier run though it is still in the queue.
    pub(super) fn may_be_sent(&self, id: &str) -> bool {
        !self.is_atomic && self.unclear.contains(id)
    }

    /// Whether a message the right to which was lost stays open, to be received once more. Not on a
    /// FIFO queue: those behind it would overtake it.
    pub(super) fn try_again(&self, planned: &PlannedMessage) -> bool {
        let mut run = self.run();
        let Some(planned) = run.open(&planned.message_id) else {
            return false;
        };
        let again = planned.group.is_none() && run.lost.insert(&planned.message_id);
        if again {
            run.claimed.remove(planned.message_id.as_str());
        }
        again
    }

    /// The line for a message that was not sent.
    pub(super) fn failed_entry(&self, message_id: String, why: &str) -> JournalEntry {
        let before = if self.may_be_sent(&message_id) {
            "; it may have been sent before the interruption"
        } else {
            ""
        };
        JournalEntry::Failed {
            message_id,
            reason: format!("{why}{before}"),
        }
    }

    fn settle(&self, id: &str, count: impl FnOnce(&mut ReplaySummary)) {
        let mut run = self.run();
        run.claimed.remove(id);
        let Some(OpenMessage(planned)) = run.open.take(id) else {
            return;
        };
        let sent = run.counts.sent;
        count(&mut run.counts);
        if run.counts.sent > sent && run.first.len() < FIRST_MAX {
            run.first.extend(planned.payment_id.clone());
        }
    }

    fn fail(&self, id: &str, reason: &str) {
        let name = id.to_owned();
        let group = self
            .run()
            .open(id)
            .and_then(|planned| planned.group.as_deref());
        self.run().blocked.extend(group);
        self.settle(id, |counts| {
            counts.failed.insert(name, reason.to_owned());
        });
    }

    fn count(&self, entry: &JournalEntry) {
        let add = |count: &mut usize| *count = count.saturating_add(1);
        match entry {
            JournalEntry::Failed { message_id, reason } => self.fail(message_id, reason),
            JournalEntry::SentNotDeleted { message_id, .. } => {
                self.settle(message_id, |counts| add(&mut counts.sent));
            }
            JournalEntry::Sent { message_id, .. } | JournalEntry::SentTwice { message_id } => {
                add(&mut self.run().left);
                self.settle(message_id, |counts| add(&mut counts.sent));
            }
            JournalEntry::Parked { message_id, .. } => {
                add(&mut self.run().left);
                self.settle(message_id, |counts| add(&mut counts.parked));
            }
            JournalEntry::Skipped { message_id, .. } => {
                self.settle(message_id, |counts| add(&mut counts.skipped));
            }
            _ => {}
        }
    }

    pub(super) fn settle_deleted(&self, id: &str) {
        self.settle(id, |counts| counts.sent = counts.sent.saturating_add(1));
        self.report();
    }

    fn report(&self) {
        let mut run = self.run();
        run.counts.remaining = run.open.len();
        self.control.on_progress(&run.counts);
    }

    /// Writes entries down without counting them.
    pub(super) async fn write(&self, entries: &[JournalEntry]) -> PortResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.journal.append(entries).await
    }

    pub(super) async fn note(&self, entries: Vec<JournalEntry>) -> PortResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.journal.append(&entries).await?;
        for entry in &entries {
            self.count(entry);
        }
        self.report();
        Ok(())
    }
}
