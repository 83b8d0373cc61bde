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
    pub(super) async fn look(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        let max_receives = self.count(queue).await?.max_receives;
        if max_receives.is_some_and(|max| max <= 1) {
            return Err(Self::would_bury(queue, 1));
        }
        let mut seen = Vec::new();
        let looked = self.pass(queue, limit, max_receives, &mut seen).await;
        // Counted while all that was received is still hidden: what else is in flight was not seen.
        let complete = match &looked {
            Ok(true) => self.count(queue).await.is_ok_and(|now| now.visible == 0 && now.delayed == 0 && now.in_flight <= distinct(&seen)),
            _ => false,
        };
        let receipts: Vec<String> = seen.iter().map(|message| message.receipt.clone()).collect();
        let shown = self.show(queue, &receipts).await;
        looked?;
        shown?;
        let receives_spent = count(&seen);
        // Received twice in one pass: told once, with the later count.
        let mut names = BTreeSet::new();
        let mut messages: Vec<Received> = seen.into_iter().rev().filter(|message| names.insert(message.message_id.clone())).collect();
        messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        let complete = complete && messages.len() <= limit;
        messages.truncate(limit);
        for message in &mut messages {
            message.receipt.clear();
        }
        Ok(Browsed { messages, complete, receives_spent })
    }

    /// Receives until nothing comes or there is enough (`true`), or time has run out (`false`).
    async fn pass(&self, queue: &str, limit: usize, max_receives: Option<u32>, seen: &mut Vec<Received>) -> PortResult<bool> {
        let until = tokio::time::Instant::now() + LOOK_MAX;
        while seen.len() < limit {
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            let wanted = (limit - seen.len()).min(BATCH_MAX);
            let some = self.take(queue, wanted, HOLD, WAIT).await?;
            if some.is_empty() {
                return Ok(true);
            }
            let worn = some.iter().map(|message| message.receive_count).max().unwrap_or(0);
            seen.extend(some);
            if let Some(max) = max_receives.filter(|max| worn >= *max) {
                return Err(Self::would_bury(queue, max));
            }
        }
        Ok(true)
    }

    fn would_bury(queue: &str, max: u32) -> PortError {
        let words = format!("looking is receiving, and one more receive would move a message to the dead-letter queue (limit {max})");
        Self::writing("sqs:ReceiveMessage", queue).error(ErrorKind::Permanent, words)
    }
}

fn distinct(messages: &[Received]) -> u64 {
    let names: BTreeSet<&str> = messages.iter().map(|message| message.message_id.as_str()).collect();
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

fn count(messages: &[Received]) -> u64 {
    u64::try_from(messages.len()).unwrap_or(u64::MAX)
}
