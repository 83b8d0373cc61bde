//! Watching what becomes of the first messages of a replay before the rest follows.

use std::time::Duration;

use super::state::ReplayRun;
use super::{ReplayError, Replayer};
use crate::domain::bus::WORK;
use crate::domain::id::PaymentId;
use crate::domain::replay::JournalEntry;
use crate::port::QueueStats;

/// How long the first messages are watched at most: longer than a consumer tries a message again.
const WATCH: Duration = Duration::from_mins(2);
const EVERY: Duration = Duration::from_secs(1);
/// The least number of looks, so that an alarm has time to come.
const LOOKS_MIN: u32 = 5;

#[derive(Default)]
struct CanaryState {
    dead: Vec<PaymentId>,
    /// Those that have not come to an end.
    under_way: usize,
}

impl Replayer {
    /// Watches the messages that were sent; why the rest must not follow, if so.
    pub(super) async fn watch(
        &self,
        replay: &ReplayRun<'_>,
        before: &QueueStats,
    ) -> Result<Option<String>, ReplayError> {
        let payments = replay.sent_payments();
        let looks = u32::try_from(WATCH.as_secs().checked_div(EVERY.as_secs()).unwrap_or(1))
            .unwrap_or(u32::MAX);
        // Payments tell of their own work only.
        let telling = !payments.is_empty() && replay.plan.target == WORK;
        let mut why = None;
        let mut re_arrived = Vec::new();
        for look in 1..=looks {
            if replay.control.is_stopped() {
                return Ok(None);
            }
            let standing = if telling {
                self.read_state(&payments).await?
            } else {
                CanaryState::default()
            };
            let alarms = replay.control.alarms().await;
            if let Some(first) = standing.dead.first() {
                why = Some(format!(
                    "{} of {} failed again, the first is {first}",
                    standing.dead.len(),
                    payments.len()
                ));
                re_arrived = standing.dead.iter().map(ToString::to_string).collect();
            } else if let Some(alarm) = alarms.first() {
                why = Some(format!("alarm: {alarm}"));
            } else if look >= LOOKS_MIN
                && if telling {
                    standing.under_way == 0
                } else {
                    self.is_worked_off(replay).await?
                }
            {
                break;
            } else if look == looks && standing.under_way > 0 {
                why = Some(format!(
                    "{} of {} are not final after {} s",
                    standing.under_way,
                    payments.len(),
                    WATCH.as_secs()
                ));
            }
            if why.is_some() {
                break;
            }
            replay.control.pause(EVERY).await;
        }
        let sent = u64::try_from(replay.sent_count()).unwrap_or(u64::MAX);
        if why.is_none() && !telling {
            why = self.find_growth(replay, before).await?;
        }
        let entry = match &why {
            Some(why) => JournalEntry::CanaryStopped {
                sent,
                re_arrived,
                why: why.clone(),
            },
            None => JournalEntry::CanaryPassed { sent },
        };
        replay.note(vec![entry]).await?;
        Ok(why)
    }

    async fn read_state(&self, payments: &[PaymentId]) -> Result<CanaryState, ReplayError> {
        let found = self.store.get_many(payments).await?;
        let dead = found
            .iter()
            .filter(|payment| payment.dead.is_some())
            .map(|payment| payment.id.clone())
            .collect();
        let ended = found
            .iter()
            .filter(|payment| payment.status.is_final() && !payment.has_pending_refund())
            .count();
        Ok(CanaryState {
            dead,
            under_way: found.len().saturating_sub(ended),
        })
    }

    /// Whether all that was sent has been worked on: nothing is left in the target.
    async fn is_worked_off(&self, replay: &ReplayRun<'_>) -> Result<bool, ReplayError> {
        Ok(count(&self.queue_admin.stats(&replay.plan.target).await?) == 0)
    }

    /// Of messages that name no payment only the queue tells: more in it than is left means that
    /// some came back.
    async fn find_growth(
        &self,
        replay: &ReplayRun<'_>,
        before: &QueueStats,
    ) -> Result<Option<String>, ReplayError> {
        let now = self.queue_admin.stats(&replay.plan.queue).await?;
        let left =
            count(before).saturating_sub(u64::try_from(replay.left_count()).unwrap_or(u64::MAX));
        let more = count(&now).saturating_sub(left);
        Ok((more > 0).then(|| {
            format!(
                "{more} more messages in {} than expected: some failed again, or others arrived",
                replay.plan.queue
            )
        }))
    }
}

fn count(stats: &QueueStats) -> u64 {
    stats
        .visible
        .saturating_add(stats.in_flight)
        .saturating_add(stats.delayed)
}
