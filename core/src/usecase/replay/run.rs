//! Carrying a plan out: several lanes, each of which claims up to ten messages, writes down what it
//! is about to do, moves them, and writes down what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join_all, try_join_all};

use super::state::{Claim, OpenMessage, ReplayRun};
use super::{ReplayError, Replayer, to_parked, to_replayed};
use crate::Timestamp;
use crate::domain::bus::WORK;
use crate::domain::replay::{Disposition, JournalEntry, apply_edit};
use crate::domain::sha256_hex;
use crate::port::{
    ErrorKind, Move, MoveResult, Outgoing, PortError, PortResult, Received, TransferOutcome,
};

pub(super) const BATCH: usize = 10;
/// How long a claimed dead letter stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(20);
/// How long a message that is not of the plan stays hidden, so that it does not come again and
/// again.
const HOLD: Duration = Duration::from_mins(5);
/// How long messages in hand may wait for their turn when there is a rate: well within
/// [`VISIBILITY`].
const TURN_MAX_S: usize = 5;
/// How long it goes on while only messages come that are not of the plan: longer than any of its
/// own is hidden by a replay that was cut off ([`HOLD`]).
const WITHOUT_OURS_MAX: Duration = Duration::from_mins(6);
/// How long one receive waits for messages that a replay that was cut off still holds.
const WAIT: Duration = Duration::from_secs(1);
/// Fruitless receives in a row after which the queue counts as empty: SQS may answer falsely once.
const FRUITLESS_MAX: u32 = 3;
/// The same while messages are in flight: long enough for every claim of a dead process to end. On
/// SQS a message is hidden for a minute while it is moved.
const FRUITLESS_IN_FLIGHT_MAX: u32 = 75;

pub(super) struct EmptyReceives {
    /// When the last one came that brought something, or it began.
    since: Timestamp,
    /// How many in a row brought nothing new at all.
    fruitless: u32,
}

impl EmptyReceives {
    pub(super) fn begin(now: Timestamp) -> Self {
        Self {
            since: now,
            fruitless: 0,
        }
    }
}

impl Replayer {
    /// Runs `lanes` lanes until nothing is open; with `limit`, until so many have been sent in all.
    pub(super) async fn lanes(
        &self,
        replay: &ReplayRun<'_>,
        lanes: usize,
        limit: usize,
    ) -> Result<(), ReplayError> {
        let (lanes, batch) = split_rate(replay.plan.rate_per_second, lanes);
        let lane = async |_| {
            let ended = self.lane(replay, limit, batch).await;
            // The others end what they have in hand: a lane dropped in between would leave it
            // unclear.
            replay.run().is_broken |= ended.is_err();
            ended
        };
        join_all((0..lanes).map(lane)).await.into_iter().collect()
    }

    async fn lane(
        &self,
        replay: &ReplayRun<'_>,
        limit: usize,
        batch: usize,
    ) -> Result<(), ReplayError> {
        let mut empty_receives = EmptyReceives::begin(self.clock.now());
        loop {
            let room = limit.saturating_sub(replay.sent_count()).min(batch);
            if room == 0 || replay.is_over() {
                return Ok(());
            }
            if self.has_run_dry(replay, &empty_receives).await? {
                return Ok(());
            }
            let ours = self.claim_some(replay, room, &mut empty_receives).await?;
            if !ours.is_empty() {
                self.replay_some(replay, ours).await?;
            }
        }
    }

    /// Receives up to `most` messages: those of the plan. Others are hidden meanwhile.
    pub(super) async fn claim_some<'a>(
        &self,
        replay: &ReplayRun<'a>,
        most: usize,
        empty_receives: &mut EmptyReceives,
    ) -> PortResult<Vec<Claim<'a>>> {
        let wait = if empty_receives.fruitless == 0 {
            Duration::ZERO
        } else {
            WAIT
        };
        let messages = self
            .queues
            .receive(&replay.plan.queue, most, VISIBILITY, wait)
            .await?;
        let (ours, others) = replay.claim(messages);
        let are_new = self.hold_others(replay, &others).await?;
        if !ours.is_empty() {
            *empty_receives = EmptyReceives::begin(self.clock.now());
        } else if are_new {
            empty_receives.fruitless = 0;
        } else {
            empty_receives.fruitless = empty_receives.fruitless.saturating_add(1);
        }
        Ok(ours)
    }

    /// Hides messages that are not of the plan for longer; whether any of them is new.
    async fn hold_others(&self, replay: &ReplayRun<'_>, others: &[Received]) -> PortResult<bool> {
        if others.is_empty() {
            return Ok(false);
        }
        let receipts: Vec<String> = others
            .iter()
            .map(|message| message.receipt.clone())
            .collect();
        self.queues
            .change_visibilities(&replay.plan.queue, &receipts, HOLD)
            .await?;
        Ok(replay.hold(others))
    }

    /// Whether to stop receiving: nothing new comes, or for long only what is not of the plan.
    pub(super) async fn has_run_dry(
        &self,
        replay: &ReplayRun<'_>,
        empty_receives: &EmptyReceives,
    ) -> PortResult<bool> {
        if self
            .clock
            .now()
            .duration_since(empty_receives.since)
            .unsigned_abs()
            > WITHOUT_OURS_MAX
        {
            // With others coming all the time nobody can tell that ours are gone.
            replay.run().is_held = true;
            return Ok(true);
        }
        let fruitless = empty_receives.fruitless;
        Ok(fruitless >= FRUITLESS_MAX
            && (self.is_drained(replay).await? || fruitless >= FRUITLESS_IN_FLIGHT_MAX))
    }

    /// Whether nobody but us holds messages of the queue that may come back.
    async fn is_drained(&self, replay: &ReplayRun<'_>) -> PortResult<bool> {
        let (ours, unclear, locked) = {
            let run = replay.run();
            let unclear = replay
                .unclear
                .iter()
                .any(|id| run.open.contains(id.as_str()));
            (
                run.foreign.len().saturating_add(run.claimed.len()),
                unclear,
                !run.locked.is_empty(),
            )
        };
        let stats = self.queue_admin.stats(&replay.plan.queue).await?;
        let is_held = stats.in_flight > u64::try_from(ours).unwrap_or(u64::MAX);
        replay.run().is_held = is_held;
        // Receives may find nothing though there is something; of a locked group they never do.
        let is_missed = stats.visible > 0 && !locked;
        // A count that lags must not make a message that is only hidden look as if it were sent.
        Ok(!(is_held || is_missed || stats.approximate && unclear))
    }

    /// Moves claimed messages: to their queue, or to where those go that were replayed too often.
    async fn replay_some(
        &self,
        replay: &ReplayRun<'_>,
        ours: Vec<Claim<'_>>,
    ) -> Result<(), ReplayError> {
        replay.control.pace(ours.len()).await;
        if replay.control.is_stopped() {
            // Stopped while they waited for their turn: the next run takes them.
            return self.give_back(replay, ours).await;
        }
        if ours.iter().all(|claim| claim.message.group.is_none()) {
            return self.replay_batch(replay, ours).await;
        }
        let groups = ours
            .iter()
            .filter_map(|claim| claim.planned.group.as_deref())
            .collect();
        let ended = self.replay_in_order(replay, ours).await;
        replay.release_groups(&groups);
        ended
    }

    /// Messages of one group go one after the other: when one fails, those behind it must wait.
    async fn replay_in_order(
        &self,
        replay: &ReplayRun<'_>,
        ours: Vec<Claim<'_>>,
    ) -> Result<(), ReplayError> {
        for claim in ours {
            if replay.is_blocked(claim.planned) {
                self.leave(
                    replay,
                    vec![claim],
                    "a message before it in its group was not sent",
                )
                .await?;
            } else {
                self.replay_batch(replay, vec![claim]).await?;
            }
        }
        Ok(())
    }

    async fn replay_batch(
        &self,
        replay: &ReplayRun<'_>,
        ours: Vec<Claim<'_>>,
    ) -> Result<(), ReplayError> {
        let (good, changed): (Vec<_>, Vec<_>) = ours.into_iter().partition(|claim| {
            sha256_hex(claim.message.body.as_bytes()) == claim.planned.body_sha256
        });
        let words = "its body is not the one that was planned";
        self.leave(replay, changed, words).await?;
        let (parked, sent): (Vec<_>, Vec<_>) = good
            .into_iter()
            .partition(|claim| matches!(claim.planned.disposition, Disposition::Park { .. }));
        match (&replay.plan.parking, parked.is_empty()) {
            (_, true) => {}
            (Some(parking), false) => self.move_some(replay, parked, parking).await?,
            (None, false) => {
                self.leave(
                    replay,
                    parked,
                    "it was replayed too often, and there is no parking queue",
                )
                .await?;
            }
        }
        self.move_some(replay, sent, &replay.plan.target).await
    }

    /// Shows messages again that were claimed and not touched.
    pub(super) async fn give_back(
        &self,
        replay: &ReplayRun<'_>,
        claims: Vec<Claim<'_>>,
    ) -> Result<(), ReplayError> {
        for claim in &claims {
            replay
                .run()
                .claimed
                .remove(claim.planned.message_id.as_str());
        }
        replay.release_groups(
            &claims
                .iter()
                .filter_map(|claim| claim.planned.group.as_deref())
                .collect(),
        );
        let receipts: Vec<String> = claims
            .into_iter()
            .map(|claim| claim.message.receipt)
            .collect();
        self.queues
            .change_visibilities(&replay.plan.queue, &receipts, Duration::ZERO)
            .await?;
        Ok(())
    }

    pub(super) async fn leave(
        &self,
        replay: &ReplayRun<'_>,
        claims: Vec<Claim<'_>>,
        why: &str,
    ) -> Result<(), ReplayError> {
        if claims.is_empty() {
            return Ok(());
        }
        replay
            .note(
                claims
                    .iter()
                    .map(|claim| replay.failed_entry(claim.message.message_id.clone(), why))
                    .collect(),
            )
            .await?;
        let receipts: Vec<String> = claims
            .into_iter()
            .map(|claim| claim.message.receipt)
            .collect();
        self.queues
            .change_visibilities(&replay.plan.queue, &receipts, Duration::ZERO)
            .await?;
        Ok(())
    }

    async fn move_some(
        &self,
        replay: &ReplayRun<'_>,
        claims: Vec<Claim<'_>>,
        to: &str,
    ) -> Result<(), ReplayError> {
        let mut claims = claims;
        let (entries, bodies) = self.prepare_sending(replay, &mut claims).await?;
        replay.note(entries).await?;
        if claims.is_empty() {
            return Ok(());
        }
        if to == replay.plan.target && to == WORK {
            let payments: BTreeSet<_> = claims
                .iter()
                .filter_map(|claim| claim.planned.payment_id.as_ref())
                .collect();
            try_join_all(
                payments
                    .into_iter()
                    .map(|payment| self.clear_dead(payment, replay.plan)),
            )
            .await?;
        }
        let going = |(claim, body): (&Claim<'_>, Option<String>)| {
            let message = if to == replay.plan.target {
                to_replayed(&claim.message)
            } else {
                to_parked(&claim.message)
            };
            let message = Outgoing {
                body: body.unwrap_or_else(|| claim.message.body.clone()),
                ..message
            };
            Move {
                receipt: claim.message.receipt.clone(),
                message,
            }
        };
        let moves: Vec<Move> = claims.iter().zip(bodies).map(going).collect();
        let results = match self
            .queues
            .transfer_batch(&replay.plan.queue, to, moves)
            .await
        {
            Ok(results) => results,
            Err(error) => claims
                .iter()
                .map(|_| Err(PortError::new(error.kind, error.chain())))
                .collect(),
        };
        self.settle_some(replay, claims, results, to).await
    }

    /// The lines to write before messages go, and the bodies of those that were edited. A message
    /// whose edit no longer fits stays.
    async fn prepare_sending(
        &self,
        replay: &ReplayRun<'_>,
        claims: &mut Vec<Claim<'_>>,
    ) -> Result<(Vec<JournalEntry>, Vec<Option<String>>), ReplayError> {
        let (mut entries, mut bodies, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for claim in std::mem::take(claims) {
            let message_id = claim.message.message_id.clone();
            let body = match replay.edits.get(message_id.as_str()) {
                None => None,
                Some(planned) => match apply_edit(&claim.message.body, &planned.edit) {
                    Ok(edited) if sha256_hex(edited.body.as_bytes()) == planned.new_sha256 => {
                        let (old_sha256, new_sha256) =
                            (planned.old_sha256.clone(), planned.new_sha256.clone());
                        entries.push(JournalEntry::Edited {
                            message_id: message_id.clone(),
                            old_sha256,
                            new_sha256,
                        });
                        Some(edited.body)
                    }
                    Ok(_) => {
                        self.leave(
                            replay,
                            vec![claim],
                            "the edit does not produce the planned body",
                        )
                        .await?;
                        continue;
                    }
                    Err(error) => {
                        self.leave(replay, vec![claim], &error.to_string()).await?;
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

    /// Writes down what came of each; an error that says nothing of the message itself stops the
    /// replay.
    async fn settle_some(
        &self,
        replay: &ReplayRun<'_>,
        claims: Vec<Claim<'_>>,
        results: Vec<MoveResult>,
        to: &str,
    ) -> Result<(), ReplayError> {
        let (mut entries, mut lost, mut back, mut stop) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        for (claim, result) in claims.into_iter().zip(results) {
            let Claim {
                message:
                    Received {
                        message_id,
                        receipt,
                        ..
                    },
                planned,
            } = claim;
            match result {
                // Without a line that says what became of it: it is found out when the replay goes
                // on.
                Err(error) if error.kind == ErrorKind::Ambiguous => stop = Some(error),
                // Surely not sent. If the target will never take it, its neighbours must not wait
                // for it.
                Err(error) => {
                    entries.push(replay.failed_entry(message_id, &error.chain()));
                    back.push(receipt);
                    stop = if error.kind == ErrorKind::Permanent {
                        stop
                    } else {
                        Some(error)
                    };
                }
                // Hidden for too short a time, or somebody else has it: it may come once more.
                Ok(TransferOutcome::Lost) if replay.try_again(planned) => {
                    lost.push(replay.failed_entry(
                        message_id,
                        "its visibility timeout ended before it was sent",
                    ));
                }
                Ok(outcome) => entries.push(settle_entry(
                    replay,
                    message_id,
                    outcome,
                    to != replay.plan.target,
                )),
            }
        }
        replay.write(&lost).await?;
        replay.note(entries).await?;
        if !back.is_empty() {
            self.queues
                .change_visibilities(&replay.plan.queue, &back, Duration::ZERO)
                .await?;
        }
        match stop {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Shows messages again that are not of the plan: they stay for whoever comes next.
    pub(super) async fn release(&self, replay: &ReplayRun<'_>) -> PortResult<()> {
        let held = std::mem::take(&mut replay.run().held);
        if !held.is_empty() {
            self.queues
                .change_visibilities(&replay.plan.queue, &held, Duration::ZERO)
                .await?;
        }
        Ok(())
    }

    /// Says of what is still open that it is gone, and ends the journal.
    pub(super) async fn finish(&self, replay: &ReplayRun<'_>) -> PortResult<()> {
        let mut entries: Vec<JournalEntry> = {
            let run = replay.run();
            let entry = |OpenMessage(planned): &OpenMessage<'_>| {
                let (id, message_id) = (planned.message_id.as_str(), planned.message_id.clone());
                if planned
                    .group
                    .as_ref()
                    .is_some_and(|group| run.locked.contains(group))
                {
                    return replay.failed_entry(
                        message_id,
                        "an earlier message of its group stays, and a FIFO queue returns this \
                            one only after it",
                    );
                }
                // One that was received in this run was not sent by an earlier one, as far as is
                // known.
                match (
                    replay.unclear.contains(id) && !run.lost.contains(id),
                    run.is_held,
                ) {
                    // One of the two sendings may have been without its deletion.
                    (true, false) if !replay.is_atomic && replay.again.contains(id) => {
                        JournalEntry::SentTwice { message_id }
                    }
                    // It was about to be sent when an earlier run was cut off, and only a message
                    // that was sent is deleted.
                    (true, false) => JournalEntry::Sent {
                        message_id,
                        new_message_id: None,
                    },
                    (true, true) => replay.failed_entry(
                        message_id,
                        "in flight with another consumer, if it is still in the dead-letter \
                            queue",
                    ),
                    (false, true) => replay.failed_entry(
                        message_id,
                        "hidden: in flight with another consumer, or hidden by an interrupted \
                            replay for up to 5 minutes",
                    ),
                    (false, false) => replay.failed_entry(
                        message_id,
                        "not found: already moved, or held by another consumer",
                    ),
                }
            };
            run.open.iter().map(entry).collect()
        };
        entries.push(JournalEntry::Finished {
            at: self.clock.now(),
        });
        replay.note(entries).await
    }
}

/// Lanes, and messages that each takes in hand at once: at a low rate so few that those in hand do
/// not wait longer for their turn than they are hidden.
fn split_rate(rate_per_second: Option<u32>, lanes: usize) -> (usize, usize) {
    let Some(rate) = rate_per_second.and_then(|rate| usize::try_from(rate).ok()) else {
        return (lanes.max(1), BATCH);
    };
    let all = rate.saturating_mul(TURN_MAX_S).max(1);
    let lanes = lanes.clamp(1, all);
    (lanes, all.checked_div(lanes).unwrap_or(1).clamp(1, BATCH))
}

fn settle_entry(
    replay: &ReplayRun<'_>,
    message_id: String,
    outcome: TransferOutcome,
    is_parked: bool,
) -> JournalEntry {
    match outcome {
        TransferOutcome::Moved { message_id: new } if is_parked => JournalEntry::Parked {
            message_id,
            new_message_id: Some(new),
        },
        TransferOutcome::Moved { .. } if replay.may_be_sent(&message_id) => {
            JournalEntry::SentTwice { message_id }
        }
        TransferOutcome::Moved { message_id: new } => JournalEntry::Sent {
            message_id,
            new_message_id: Some(new),
        },
        TransferOutcome::SentNotDeleted { reason, .. } => {
            JournalEntry::SentNotDeleted { message_id, reason }
        }
        TransferOutcome::Lost => {
            replay.failed_entry(message_id, "somebody else took it at the same time")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_low_rate_little_is_in_hand() {
        let of = |rate| split_rate(rate, 8);
        assert_eq!(
            [
                of(None),
                of(Some(1_000)),
                of(Some(8)),
                of(Some(1)),
                of(Some(0))
            ],
            [(8, 10), (8, 10), (8, 5), (5, 1), (1, 1)]
        );
    }
}
