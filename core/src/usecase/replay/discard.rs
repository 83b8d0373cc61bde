//! Deleting dead letters on purpose: each only if it is still as it was seen.

use super::run::{BATCH, EmptyReceives};
use super::state::ReplayRun;
use super::{Control, ReplayError, ReplaySummary, Replayer};
use crate::domain::replay::{JournalEntry, Progress, ReplayPlan};
use crate::domain::sha256_hex;
use crate::port::Journal;

impl Replayer {
    /// Deletes the dead letters of `plan` instead of sending them. `sent` of the summary counts
    /// those that are gone. Each is written down, with the hash of its body, before it is deleted.
    pub async fn discard(
        &self,
        plan: &ReplayPlan,
        reason: &str,
        journal: &dyn Journal,
        control: &dyn Control,
    ) -> Result<ReplaySummary, ReplayError> {
        let done = Progress::default();
        let replay = ReplayRun::new(
            plan,
            &done,
            self.queues.transfer_is_atomic(),
            journal,
            control,
        );
        let ended = self.discard_all(&replay, reason).await;
        // Whatever happened, what is not ours is shown again.
        let released = self.release(&replay).await;
        ended?;
        released?;
        if !control.is_stopped() {
            self.finish(&replay).await?;
        }
        Ok(replay.summary())
    }

    async fn discard_all(&self, replay: &ReplayRun<'_>, reason: &str) -> Result<(), ReplayError> {
        let mut empty_receives = EmptyReceives::begin(self.clock.now());
        while !replay.is_over() && !self.has_run_dry(replay, &empty_receives).await? {
            let ours = self.claim_some(replay, BATCH, &mut empty_receives).await?;
            let groups = ours
                .iter()
                .filter_map(|claim| claim.planned.group.as_deref())
                .collect();
            let (good, changed): (Vec<_>, Vec<_>) = ours.into_iter().partition(|claim| {
                sha256_hex(claim.message.body.as_bytes()) == claim.planned.body_sha256
            });
            self.leave(replay, changed, "its body has changed since it was planned")
                .await?;
            replay.release_groups(&groups);
            if good.is_empty() {
                continue;
            }
            replay.control.pace(good.len()).await;
            if replay.control.is_stopped() {
                return self.give_back(replay, good).await;
            }
            let discarded = good.iter().map(|claim| JournalEntry::Discarded {
                message_id: claim.message.message_id.clone(),
                reason: reason.to_owned(),
                body_sha256: claim.planned.body_sha256.clone(),
            });
            replay.write(&discarded.collect::<Vec<_>>()).await?;
            let receipts: Vec<String> = good
                .iter()
                .map(|claim| claim.message.receipt.clone())
                .collect();
            let deleted = self.queues.delete(&replay.plan.queue, &receipts).await?;
            let mut lost = Vec::new();
            for (claim, deleted) in good.into_iter().zip(deleted) {
                if deleted {
                    replay.settle_deleted(&claim.message.message_id);
                } else {
                    let reason = "another process took it at the same time".to_owned();
                    lost.push(JournalEntry::Failed {
                        message_id: claim.message.message_id,
                        reason,
                    });
                }
            }
            replay.note(lost).await?;
        }
        Ok(())
    }
}
