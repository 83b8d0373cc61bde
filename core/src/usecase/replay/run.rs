//! Carrying a plan out: several lanes, each of which claims up to ten messages, writes down what it
//! is about to do, moves them, and writes down what came of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{join_all, try_join_all};

use super::{Control, ReplayError, ReplaySummary, Replayer, replayed};
use crate::domain::bus::WORK;
use crate::domain::id::PaymentId;
use crate::domain::replay::{JournalEntry, Plan, PlannedMessage, Progress, Verdict, apply_edit};
use crate::domain::sha256_hex;
use crate::port::{ErrorKind, Journal, Move, MoveResult, Outgoing, PortError, PortResult, Received, TransferOutcome};

/// Messages claimed at once.
const BATCH: usize = 10;
/// How long a claimed dead letter stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(20);
/// How long a message that is not of the plan stays hidden, so that it does not come again and again.
const HOLD: Duration = Duration::from_mins(5);
/// Receipts of such messages that are kept, to show them again at the end; others show themselves.
const HELD_MAX: usize = 20_000;
/// Payments that a canary looks at, at most.
const FIRST_MAX: usize = 1_000;
/// How long one receive waits for messages that a replay that was cut off still holds.
const WAIT: Duration = Duration::from_secs(1);
/// Fruitless receives in a row after which the queue counts as empty: SQS may answer falsely once.
const FRUITLESS_MAX: u32 = 3;
/// The same while messages are in flight: long enough for every claim of a dead process to end.
const FRUITLESS_IN_FLIGHT_MAX: u32 = 40;

/// A replay under way.
pub(super) struct Job<'a> {
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a dyn Journal,
    pub(super) control: &'a dyn Control,
    /// Messages that were about to be sent when an earlier run was cut off.
    unclear: &'a BTreeSet<String>,
    /// Those of them that were so more than once.
    again: &'a BTreeSet<String>,
    /// Whether a move is one transaction: what is still in the queue was then surely not sent.
    is_atomic: bool,
    run: Mutex<Run<'a>>,
}

/// How far it is.
struct Run<'a> {
    /// Messages of the plan that are not settled.
    open: HashMap<&'a str, &'a PlannedMessage>,
    /// Those that a lane has in hand.
    claimed: HashSet<&'a str>,
    /// Messages that are not of the plan, hidden meanwhile.
    held: Vec<String>,
    /// How many there were of those.
    foreign: HashSet<String>,
    /// Payments of the first messages that were sent.
    first: Vec<PaymentId>,
    /// Whether a lane failed: the others end what they have in hand.
    is_broken: bool,
    counts: ReplaySummary,
}

/// A message in hand, and what is planned for it.
pub(super) struct Claim<'a> {
    pub(super) planned: &'a PlannedMessage,
    pub(super) message: Received,
}

impl<'a> Job<'a> {
    pub(super) fn new(plan: &'a Plan, done: &'a Progress, is_atomic: bool, journal: &'a dyn Journal, control: &'a dyn Control) -> Self {
        let open = plan.messages.iter().filter(|message| !done.is_settled(&message.message_id));
        let counts = ReplaySummary {
            planned: plan.messages.len(),
            sent: done.sent.len(),
            parked: done.parked.len(),
            skipped: done.skipped.len().saturating_add(done.discarded.len()),
            ..ReplaySummary::default()
        };
        let run = Run {
            open: open.map(|message| (message.message_id.as_str(), message)).collect(),
            claimed: HashSet::new(),
            held: Vec::new(),
            foreign: HashSet::new(),
            first: Vec::new(),
            is_broken: false,
            counts,
        };
        Self { plan, journal, control, unclear: &done.unclear, again: &done.again, is_atomic, run: Mutex::new(run) }
    }

    fn run(&self) -> MutexGuard<'_, Run<'a>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn summary(&self) -> ReplaySummary {
        let run = self.run();
        ReplaySummary { remaining: run.open.len(), ..run.counts.clone() }
    }

    /// Messages sent so far.
    pub(super) fn sent(&self) -> usize {
        self.run().counts.sent
    }

    /// Payments of the first messages that were sent.
    pub(super) fn sent_payments(&self) -> Vec<PaymentId> {
        self.run().first.clone()
    }

    /// Whether nothing more is to be claimed.
    pub(super) fn is_over(&self) -> bool {
        let run = self.run();
        run.open.is_empty() || run.is_broken || self.control.is_stopped()
    }

    /// Sorts what was received: ours, and what is somebody else's.
    pub(super) fn claim(&self, messages: Vec<Received>) -> (Vec<Claim<'a>>, Vec<Received>) {
        let mut run = self.run();
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for message in messages {
            match run.open.get(message.message_id.as_str()).copied() {
                // Delivered twice: another lane has it in hand.
                Some(planned) if run.claimed.insert(planned.message_id.as_str()) => ours.push(Claim { planned, message }),
                _ => others.push(message),
            }
        }
        (ours, others)
    }

    /// Notes what is held though it is not of the plan; whether any of it is new.
    fn hold(&self, others: &[Received]) -> bool {
        let mut run = self.run();
        let mut fresh = false;
        for message in others {
            if run.held.len() < HELD_MAX {
                run.held.push(message.receipt.clone());
            }
            if run.foreign.len() < HELD_MAX {
                fresh |= run.foreign.insert(message.message_id.clone());
            }
        }
        fresh
    }

    fn settle(&self, id: &str, count: impl FnOnce(&mut ReplaySummary)) {
        let mut run = self.run();
        run.claimed.remove(id);
        let Some(planned) = run.open.remove(id) else { return };
        let sent = run.counts.sent;
        count(&mut run.counts);
        if run.counts.sent > sent && run.first.len() < FIRST_MAX {
            run.first.extend(planned.payment_id.clone());
        }
    }

    pub(super) fn fail(&self, id: &str, reason: String) {
        let name = id.to_owned();
        self.settle(id, |counts| {
            counts.failed.insert(name, reason);
        });
    }

    fn count(&self, entry: &JournalEntry) {
        let add = |count: &mut usize| *count = count.saturating_add(1);
        match entry {
            JournalEntry::Failed { message_id, reason } => self.fail(message_id, reason.clone()),
            JournalEntry::Sent { message_id, .. }
            | JournalEntry::SentNotDeleted { message_id, .. }
            | JournalEntry::SentTwice { message_id } => self.settle(message_id, |counts| add(&mut counts.sent)),
            JournalEntry::Parked { message_id, .. } => self.settle(message_id, |counts| add(&mut counts.parked)),
            JournalEntry::Skipped { message_id, .. } => self.settle(message_id, |counts| add(&mut counts.skipped)),
            _ => {}
        }
    }

    /// Counts a message that is gone from the queue.
    pub(super) fn gone(&self, id: &str) {
        self.settle(id, |counts| counts.sent = counts.sent.saturating_add(1));
        self.control.told(&self.summary());
    }

    /// Writes entries down without counting them.
    pub(super) async fn write(&self, entries: &[JournalEntry]) -> PortResult<()> {
        self.journal.append(entries).await
    }

    /// Writes entries down, then counts them.
    pub(super) async fn note(&self, entries: Vec<JournalEntry>) -> PortResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.journal.append(&entries).await?;
        for entry in &entries {
            self.count(entry);
        }
        self.control.told(&self.summary());
        Ok(())
    }
}

impl Replayer {
    /// Runs `lanes` lanes until nothing is open; with `limit`, until so many have been sent in all.
    pub(super) async fn lanes(&self, job: &Job<'_>, lanes: usize, limit: usize) -> Result<(), ReplayError> {
        let lane = async |_| {
            let ended = self.lane(job, limit).await;
            // The others end what they have in hand: a lane dropped in between would leave it unclear.
            job.run().is_broken |= ended.is_err();
            ended
        };
        join_all((0..lanes.max(1)).map(lane)).await.into_iter().collect()
    }

    async fn lane(&self, job: &Job<'_>, limit: usize) -> Result<(), ReplayError> {
        let mut fruitless = 0_u32;
        loop {
            let room = limit.saturating_sub(job.sent()).min(BATCH);
            if room == 0 || job.is_over() {
                return Ok(());
            }
            if fruitless >= FRUITLESS_MAX && (self.is_drained(job).await? || fruitless >= FRUITLESS_IN_FLIGHT_MAX) {
                return Ok(());
            }
            let wait = if fruitless == 0 { Duration::ZERO } else { WAIT };
            let messages = self.queues.receive(&job.plan.queue, room, VISIBILITY, wait).await?;
            let (ours, others) = job.claim(messages);
            let mut fresh = !ours.is_empty();
            fresh |= self.hold_others(job, &others).await?;
            if !ours.is_empty() {
                self.replay_some(job, ours).await?;
            }
            fruitless = if fresh { 0 } else { fruitless.saturating_add(1) };
        }
    }

    /// Hides messages that are not of the plan for longer; whether any of them is new.
    pub(super) async fn hold_others(&self, job: &Job<'_>, others: &[Received]) -> PortResult<bool> {
        if others.is_empty() {
            return Ok(false);
        }
        let receipts: Vec<String> = others.iter().map(|message| message.receipt.clone()).collect();
        self.queues.change_visibilities(&job.plan.queue, &receipts, HOLD).await?;
        Ok(job.hold(others))
    }

    /// Whether nobody but us holds messages of the queue that may come back.
    async fn is_drained(&self, job: &Job<'_>) -> PortResult<bool> {
        let ours = {
            let run = job.run();
            run.held.len().saturating_add(run.claimed.len())
        };
        let in_flight = self.queues.stats(&job.plan.queue).await?.in_flight;
        Ok(in_flight <= u64::try_from(ours).unwrap_or(u64::MAX))
    }

    /// Moves claimed messages: to their queue, or to where those go that were replayed too often.
    async fn replay_some(&self, job: &Job<'_>, ours: Vec<Claim<'_>>) -> Result<(), ReplayError> {
        job.control.pace(ours.len()).await;
        let (good, changed): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|claim| sha256_hex(claim.message.body.as_bytes()) == claim.planned.body_sha256);
        let words = "its body is not the one that was planned";
        self.leave(job, changed, words).await?;
        let (parked, sent): (Vec<_>, Vec<_>) = good.into_iter().partition(|claim| matches!(claim.planned.verdict, Verdict::Park { .. }));
        match (&job.plan.parking, parked.is_empty()) {
            (_, true) => {}
            (Some(parking), false) => self.move_all(job, parked, parking).await?,
            (None, false) => self.leave(job, parked, "it was replayed too often, and there is no queue to park it in").await?,
        }
        self.move_all(job, sent, &job.plan.target).await
    }

    /// Leaves messages where they are, and says why.
    pub(super) async fn leave(&self, job: &Job<'_>, claims: Vec<Claim<'_>>, why: &str) -> Result<(), ReplayError> {
        if claims.is_empty() {
            return Ok(());
        }
        let failed = |claim: &Claim<'_>| JournalEntry::Failed { message_id: claim.message.message_id.clone(), reason: why.to_owned() };
        job.note(claims.iter().map(failed).collect()).await?;
        let receipts: Vec<String> = claims.into_iter().map(|claim| claim.message.receipt).collect();
        self.queues.change_visibilities(&job.plan.queue, &receipts, Duration::ZERO).await?;
        Ok(())
    }

    async fn move_all(&self, job: &Job<'_>, claims: Vec<Claim<'_>>, to: &str) -> Result<(), ReplayError> {
        // Messages of one group go one after the other: when one fails, those behind it must wait.
        if claims.iter().any(|claim| claim.message.group.is_some()) {
            let mut blocked: BTreeSet<String> = BTreeSet::new();
            for claim in claims {
                let group = claim.message.group.clone().unwrap_or_default();
                if blocked.contains(&group) {
                    self.leave(job, vec![claim], "a message before it in its group was not sent").await?;
                } else if !self.move_some(job, vec![claim], to).await? {
                    blocked.insert(group);
                }
            }
            return Ok(());
        }
        if !claims.is_empty() {
            self.move_some(job, claims, to).await?;
        }
        Ok(())
    }

    /// Moves up to ten messages; whether all went.
    async fn move_some(&self, job: &Job<'_>, claims: Vec<Claim<'_>>, to: &str) -> Result<bool, ReplayError> {
        let mut claims = claims;
        let (entries, bodies) = self.sending(job, &mut claims).await?;
        job.note(entries).await?;
        if claims.is_empty() {
            return Ok(false);
        }
        if to == job.plan.target && to == WORK {
            let payments: BTreeSet<_> = claims.iter().filter_map(|claim| claim.planned.payment_id.as_ref()).collect();
            try_join_all(payments.into_iter().map(|payment| self.unbury(payment, job.plan))).await?;
        }
        let one = |(claim, body): (&Claim<'_>, Option<String>)| {
            let message = replayed(&claim.message);
            let message = Outgoing { body: body.unwrap_or_else(|| claim.message.body.clone()), ..message };
            Move { receipt: claim.message.receipt.clone(), message }
        };
        let moves: Vec<Move> = claims.iter().zip(bodies).map(one).collect();
        let results = match self.queues.transfer_batch(&job.plan.queue, to, moves).await {
            Ok(results) => results,
            Err(error) => claims.iter().map(|_| Err(PortError::new(error.kind, error.chain()))).collect(),
        };
        self.settle_some(job, claims, results, to).await
    }

    /// The lines to write before messages go, and the bodies of those that were edited. A message whose
    /// edit no longer fits stays.
    async fn sending(&self, job: &Job<'_>, claims: &mut Vec<Claim<'_>>) -> Result<(Vec<JournalEntry>, Vec<Option<String>>), ReplayError> {
        let (mut entries, mut bodies, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for claim in std::mem::take(claims) {
            let message_id = claim.message.message_id.clone();
            let body = match job.plan.edit_of(&message_id) {
                None => None,
                Some(planned) => match apply_edit(&claim.message.body, &planned.edit) {
                    Ok(edited) if sha256_hex(edited.body.as_bytes()) == planned.new_sha256 => {
                        let (old_sha256, new_sha256) = (planned.old_sha256.clone(), planned.new_sha256.clone());
                        entries.push(JournalEntry::Edited { message_id: message_id.clone(), old_sha256, new_sha256 });
                        Some(edited.body)
                    }
                    Ok(_) => {
                        self.leave(job, vec![claim], "the edit does not give the body that was planned").await?;
                        continue;
                    }
                    Err(error) => {
                        self.leave(job, vec![claim], &error.to_string()).await?;
                        continue;
                    }
                },
            };
            entries.push(JournalEntry::Sending { message_id });
            bodies.push(body);
            good.push(claim);
        }
        *claims = good;
        Ok((entries, bodies))
    }

    /// Writes down what came of each; an error that says nothing of the message itself stops the replay.
    async fn settle_some(&self, job: &Job<'_>, claims: Vec<Claim<'_>>, results: Vec<MoveResult>, to: &str) -> Result<bool, ReplayError> {
        let (mut entries, mut back, mut stop) = (Vec::new(), Vec::new(), None);
        for (claim, result) in claims.into_iter().zip(results) {
            let message_id = claim.message.message_id;
            match result {
                // The target will never take this one; its neighbours must not wait for it.
                Err(error) if error.kind == ErrorKind::Permanent => {
                    entries.push(JournalEntry::Failed { message_id, reason: error.chain() });
                    back.push(claim.message.receipt);
                }
                // Without a line that says what became of it: it is found out when the replay goes on.
                Err(error) => stop = Some(error),
                Ok(outcome) => entries.push(told(job, message_id, outcome, to != job.plan.target)),
            }
        }
        let whole = stop.is_none() && !entries.iter().any(|entry| matches!(entry, JournalEntry::Failed { .. }));
        job.note(entries).await?;
        if !back.is_empty() {
            self.queues.change_visibilities(&job.plan.queue, &back, Duration::ZERO).await?;
        }
        match stop {
            Some(error) => Err(error.into()),
            None => Ok(whole),
        }
    }

    /// Shows messages again that are not of the plan: they stay for whoever comes next.
    pub(super) async fn release(&self, job: &Job<'_>) -> PortResult<()> {
        let held = std::mem::take(&mut job.run().held);
        if !held.is_empty() {
            self.queues.change_visibilities(&job.plan.queue, &held, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Says of what is still open that it is gone, and ends the journal.
    pub(super) async fn finish(&self, job: &Job<'_>) -> PortResult<()> {
        let gone: Vec<String> = job.run().open.keys().map(|id| (*id).to_owned()).collect();
        let entry = |message_id: String| {
            if !job.is_atomic && job.again.contains(&message_id) {
                // One of the two sendings may have been without its deletion.
                return JournalEntry::SentTwice { message_id };
            }
            if job.unclear.contains(&message_id) {
                // It was about to be sent when an earlier run was cut off, and only a message that was
                // sent is deleted.
                return JournalEntry::Sent { message_id, new_message_id: None };
            }
            JournalEntry::Failed { message_id, reason: "no longer in the dead-letter queue, or held by somebody else".to_owned() }
        };
        let mut entries: Vec<JournalEntry> = gone.into_iter().map(entry).collect();
        entries.push(JournalEntry::Finished { at: self.clock.now() });
        job.note(entries).await
    }
}

fn told(job: &Job<'_>, message_id: String, outcome: TransferOutcome, is_parked: bool) -> JournalEntry {
    match outcome {
        TransferOutcome::Moved { message_id: new } if is_parked => JournalEntry::Parked { message_id, new_message_id: Some(new) },
        TransferOutcome::Moved { .. } if !job.is_atomic && job.unclear.contains(&message_id) => JournalEntry::SentTwice { message_id },
        TransferOutcome::Moved { message_id: new } => JournalEntry::Sent { message_id, new_message_id: Some(new) },
        TransferOutcome::SentNotDeleted { reason, .. } => JournalEntry::SentNotDeleted { message_id, reason },
        TransferOutcome::Lost => JournalEntry::Failed { message_id, reason: "somebody else took it at the same time".to_owned() },
    }
}
