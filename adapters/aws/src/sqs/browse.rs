//! Looking into a queue. SQS has no way to look: messages are received, told, and shown again.

use std::collections::BTreeSet;
use std::time::Duration;

use payops_core::port::{Browsed, ErrorKind, PortError, PortResult, Received};

use super::{BATCH_MAX, SqsQueues};

/// For how long a message is hidden while the rest is looked at.
const HOLD: Duration = Duration::from_secs(30);
/// Looking ends before the first message shows itself again.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// How long one receive waits: a short one asks only some of SQS's servers.
const WAIT: Duration = Duration::from_secs(1);

impl SqsQueues {
    pub(super) async fn browse_queue(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        let max_receives = self.count(queue).await?.max_receives;
        if max_receives.is_some_and(|max| max <= 1) {
            return Err(Self::receive_limit_error(queue, 1));
        }
        let mut seen = Vec::new();
        let looked = self
            .receive_until_empty(queue, limit, max_receives, &mut seen)
            .await;
        // Counted while all that was received is still hidden: what else is in flight was not seen.
        let mut doubt = match &looked {
            Ok(true) => self.why_incomplete(queue, distinct(&seen)).await,
            Ok(false) => Some(format!(
                "browsing stopped after {} s, before the first message became visible again",
                LOOK_MAX.as_secs()
            )),
            Err(_) => None,
        };
        let receipts: Vec<String> = seen.iter().map(|message| message.receipt.clone()).collect();
        let shown = self.show(queue, &receipts).await;
        looked?;
        shown?;
        let receives_spent = count(&seen);
        // Received twice in one pass: told once, with the later count.
        let mut names = BTreeSet::new();
        let mut messages: Vec<Received> = seen
            .into_iter()
            .rev()
            .filter(|message| names.insert(message.message_id.clone()))
            .collect();
        messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        if messages.len() > limit {
            doubt = doubt.or_else(|| {
                Some(format!(
                    "browsing stopped at the requested {limit} messages"
                ))
            });
        }
        messages.truncate(limit);
        let groups: BTreeSet<&str> = messages
            .iter()
            .filter_map(|message| message.group.as_deref())
            .collect();
        let groups_locked = u64::try_from(groups.len()).unwrap_or(u64::MAX);
        for message in &mut messages {
            message.receipt.clear();
        }
        let hidden = if receives_spent > 0 {
            HOLD
        } else {
            Duration::ZERO
        };
        Ok(Browsed {
            messages,
            complete: doubt.is_none(),
            doubt,
            receives_spent,
            hidden,
            groups_locked,
        })
    }

    /// Why there may be more than the `seen` messages, which are all hidden now.
    async fn why_incomplete(&self, queue: &str, seen: u64) -> Option<String> {
        let now = match self.count(queue).await {
            Ok(now) => now,
            Err(error) => {
                return Some(format!("cannot count the queue: {}", error.message));
            }
        };
        if now.visible > 0 || now.delayed > 0 {
            return Some(format!(
                "SQS reports about {} more messages that were not received",
                now.visible.saturating_add(now.delayed)
            ));
        }
        let others = now.in_flight.saturating_sub(seen);
        (others > 0).then(|| format!("about {others} messages are in flight at another consumer"))
    }

    /// Receives until nothing comes or there is enough (`true`), or time has run out (`false`).
    async fn receive_until_empty(
        &self,
        queue: &str,
        limit: usize,
        max_receives: Option<u32>,
        seen: &mut Vec<Received>,
    ) -> PortResult<bool> {
        let until = tokio::time::Instant::now() + LOOK_MAX;
        while seen.len() < limit {
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            let wanted = (limit - seen.len()).min(BATCH_MAX);
            let some = self.receive_now(queue, wanted, HOLD, WAIT).await?;
            if some.is_empty() {
                return Ok(true);
            }
            let worn = some
                .iter()
                .map(|message| message.receive_count)
                .max()
                .unwrap_or(0);
            seen.extend(some);
            if let Some(max) = max_receives.filter(|max| worn >= *max) {
                return Err(Self::receive_limit_error(queue, max));
            }
        }
        Ok(true)
    }

    fn receive_limit_error(queue: &str, max: u32) -> PortError {
        let words = format!(
            "browsing would receive a message once more and move it to the dead-letter queue \
                (receive limit {max})"
        );
        Self::write_call("sqs:ReceiveMessage", queue).error(ErrorKind::Permanent, words)
    }
}

fn distinct(messages: &[Received]) -> u64 {
    let names: BTreeSet<&str> = messages
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

fn count(messages: &[Received]) -> u64 {
    u64::try_from(messages.len()).unwrap_or(u64::MAX)
}
