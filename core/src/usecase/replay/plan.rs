//! Making a plan: which dead letters, what is known of their payments, and what becomes of each.

use std::collections::{BTreeMap, BTreeSet};

use super::{ReplayError, Replayer};
use crate::domain::bus::{WORK, dead_letter_queue, parking_queue, source_of};
use crate::domain::dead_letter::{Cause, causes};
use crate::domain::id::PaymentId;
use crate::domain::mask::terminal;
use crate::domain::privacy::Privacy;
use crate::domain::replay::{
    CauseSummary, Disposition, PlannedEdit, PlannedMessage, Preflight, REPLAYS_MAX, ReplayLimits,
    ReplayPlan, decide_disposition,
};
use crate::domain::sha256_hex;
use crate::domain::work_item::attribute;
use crate::port::PortResult;
use crate::usecase::DeadLetter;

/// How much of what a message says of itself stands in a plan, in characters.
const WORDS_MAX: usize = 200;

#[derive(Clone, Debug, Default)]
pub struct PlanRequest {
    pub env: String,
    pub account: Option<String>,
    pub queue: String,
    pub by: String,
    pub reason: String,
    /// How many messages are sent in a second at most.
    pub rate_per_second: Option<u32>,
    /// How many are sent first and watched.
    pub canary: Option<u32>,
    /// Whether only messages are sent whose payments wait for them.
    pub only_safe: bool,
    /// How often a message may be replayed; `None` for the usual number.
    pub replays_max: Option<u32>,
    pub filter: Option<String>,
    pub edits: Vec<PlannedEdit>,
}

impl Replayer {
    /// The plan for `letters`, all of the queue that is asked for. Nothing is changed.
    pub async fn plan(
        &self,
        request: PlanRequest,
        letters: &[DeadLetter],
    ) -> Result<ReplayPlan, ReplayError> {
        let names = self.queue_admin.names().await?;
        let target = source_of(&request.queue).unwrap_or_else(|| request.queue.clone());
        let dlq = dead_letter_queue(&target);
        if !names.contains(&dlq) || !names.contains(&target) {
            return Err(ReplayError::NotADeadLetterQueue {
                queue: request.queue,
            });
        }
        let parking = Some(parking_queue(&target)).filter(|name| names.contains(name));
        let letters: Vec<&DeadLetter> = letters
            .iter()
            .filter(|letter| letter.queue == dlq)
            .collect();
        let states = self.read_states(&target, &letters).await?;
        let replays_max = request.replays_max.unwrap_or(REPLAYS_MAX);
        let rules = ReplayLimits {
            include_final: !request.only_safe,
            include_unknown: !request.only_safe,
            replays_max,
            parking: parking.as_deref(),
        };
        let planned = |letter: &&DeadLetter| {
            let preflight = letter
                .payment
                .as_ref()
                .and_then(|id| states.get(id).copied())
                .unwrap_or(Preflight::Unknown);
            let replays = letter
                .message
                .attributes
                .get(attribute::REPLAYS)
                .and_then(|count| count.parse().ok())
                .unwrap_or(0);
            PlannedMessage {
                message_id: letter.message.message_id.clone(),
                body_sha256: sha256_hex(letter.message.body.as_bytes()),
                preflight,
                payment_id: letter.payment.clone(),
                class: shorten(&letter.class),
                group: letter.message.group.clone(),
                replays,
                cause: Some(letter.sighting().cause_id()),
                disposition: refuse_other_source(letter, &target)
                    .unwrap_or_else(|| decide_disposition(preflight, replays, rules)),
            }
        };
        let at = self.clock.now();
        let messages = letters.iter().map(planned).collect();
        Ok(ReplayPlan {
            id: format!(
                "{}-{}",
                at.as_millisecond(),
                hex::encode(self.random.next_u64().to_be_bytes())
            ),
            env: request.env,
            queue: dlq,
            target,
            by: request.by,
            reason: request.reason,
            at,
            messages,
            account: request.account,
            rate_per_second: request.rate_per_second,
            canary: request.canary,
            causes: causes(letters.iter().map(|letter| letter.sighting()))
                .iter()
                .map(summarize_cause)
                .collect(),
            parking,
            replays_max,
            filter: request.filter,
            edits: request.edits,
        })
    }

    /// What is known of the payments that dead letters are about.
    async fn read_states(
        &self,
        target: &str,
        letters: &[&DeadLetter],
    ) -> PortResult<BTreeMap<PaymentId, Preflight>> {
        let known: BTreeSet<PaymentId> = letters
            .iter()
            .filter_map(|letter| letter.payment.clone())
            .collect();
        let known: Vec<PaymentId> = known.into_iter().collect();
        let mut states = BTreeMap::new();
        for some in known.chunks(100) {
            for payment in self.store.get_many(some).await? {
                let done =
                    target == WORK && payment.status.is_final() && !payment.has_pending_refund();
                states.insert(
                    payment.id,
                    if done {
                        Preflight::AlreadyFinal
                    } else {
                        Preflight::Safe
                    },
                );
            }
        }
        Ok(states)
    }
}

/// A dead-letter queue may be that of several queues. One that names another source than ours is
/// not sent to ours: its consumer would not know it.
fn refuse_other_source(letter: &DeadLetter, target: &str) -> Option<Disposition> {
    let source = letter
        .message
        .attributes
        .get(attribute::QUEUE)
        .filter(|source| *source != target)?;
    Some(Disposition::Skip {
        why: format!("it comes from another queue, {}", shorten(source)),
    })
}

/// What a message says of itself, made fit for a file that people look at: short, masked, and
/// harmless to a terminal.
fn shorten(text: &str) -> String {
    terminal(&Privacy::default().text(text))
        .chars()
        .take(WORDS_MAX)
        .collect()
}

fn summarize_cause(cause: &Cause) -> CauseSummary {
    CauseSummary {
        id: cause.id.clone(),
        class: shorten(&cause.class),
        fingerprint: shorten(&cause.fingerprint),
        count: cause.count,
    }
}
