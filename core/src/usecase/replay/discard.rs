//! Deleting dead letters on purpose: each only if it is still as it was seen.

use std::time::Duration;

use super::job::Job;
use super::{Control, ReplayError, ReplaySummary, Replayer};
use crate::domain::replay::{JournalEntry, Plan, Progress};
use crate::domain::sha256_hex;
use crate::port::Journal;

/// How long a claimed letter stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(20);
/// How long it goes on while only letters come that are not of the plan: longer than any of its own is hidden
/// by a replay that was cut off.
const WITHOUT_OURS_MAX: Duration = Duration::from_mins(6);
/// How long one receive waits for letters that somebody else holds.
const WAIT: Duration = Duration::from_secs(1);

impl Replayer {
    /// Deletes the letters of `plan` instead of sending them. `sent` of the summary counts those that are
    /// gone. Each is written down, with the hash of its body, before it is deleted.
    pub async fn discard(
        &self,
        plan: &Plan,
        reason: &str,
        journal: &dyn Journal,
        control: &dyn Control,
    ) -> Result<ReplaySummary, ReplayError> {
        let done = Progress::default();
        let job = Job::new(plan, &done, self.queues.transfer_is_atomic(), journal, control);
        let ended = self.discard_all(&job, reason).await;
        // Whatever happened, what is not ours is shown again.
        let released = self.release(&job).await;
        ended?;
        released?;
        if !control.is_stopped() {
            self.finish(&job).await?;
        }
        Ok(job.summary())
    }

    async fn discard_all(&self, job: &Job<'_>, reason: &str) -> Result<(), ReplayError> {
        let (mut fruitless, mut came_at) = (0_u32, self.clock.now());
        while !job.is_over() && !self.has_run_dry(job, fruitless).await? {
            if self.clock.now().duration_since(came_at).unsigned_abs() > WITHOUT_OURS_MAX {
                job.run().is_held = true;
                return Ok(());
            }
            let wait = if fruitless == 0 { Duration::ZERO } else { WAIT };
            let messages = self.queues.receive(&job.plan.queue, 10, VISIBILITY, wait).await?;
            let (ours, others) = job.claim(messages);
            came_at = if ours.is_empty() { came_at } else { self.clock.now() };
            let groups = ours.iter().filter_map(|claim| claim.planned.group.as_deref()).collect();
            let fresh = !ours.is_empty() | self.hold_others(job, &others).await?;
            fruitless = if fresh { 0 } else { fruitless.saturating_add(1) };
            let (good, changed): (Vec<_>, Vec<_>) =
                ours.into_iter().partition(|claim| sha256_hex(claim.message.body.as_bytes()) == claim.planned.body_sha256);
            self.leave(job, changed, "its body is not the one that was planned").await?;
            job.free(&groups);
            if good.is_empty() {
                continue;
            }
            job.control.pace(good.len()).await;
            if job.control.is_stopped() {
                return self.give_back(job, good).await;
            }
            let discarded = good.iter().map(|claim| JournalEntry::Discarded {
                message_id: claim.message.message_id.clone(),
                reason: reason.to_owned(),
                body_sha256: claim.planned.body_sha256.clone(),
            });
            job.write(&discarded.collect::<Vec<_>>()).await?;
            let receipts: Vec<String> = good.iter().map(|claim| claim.message.receipt.clone()).collect();
            let deleted = self.queues.delete(&job.plan.queue, &receipts).await?;
            let mut lost = Vec::new();
            for (claim, deleted) in good.into_iter().zip(deleted) {
                if deleted {
                    job.gone(&claim.message.message_id);
                } else {
                    let reason = "somebody else took it at the same time".to_owned();
                    lost.push(JournalEntry::Failed { message_id: claim.message.message_id, reason });
                }
            }
            job.note(lost).await?;
        }
        Ok(())
    }
}
