//! Queues on SQS.
//!
//! Two things differ from a queue in a database, and no code can hide them. Counts are
//! approximate. And a standard queue accepts the deletion of a message whose visibility has ended
//! and that nobody has received since; so `false` is certain, `true` is "as far as SQS says".

mod browse;
mod message;
mod moving;
mod redrive;
mod send;
mod stats;
mod take;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use payops_core::port::{
    Browsed, Move, MoveResult, Outgoing, PortResult, QueueAdmin, QueueStats, Queues, Received,
    Redrive, SendResult, TransferOutcome,
};

use crate::fail::Call;

const VISIBILITY_MAX: Duration = Duration::from_hours(12);
/// For how long a message is held while it is moved elsewhere.
const TRANSFER_HOLD: Duration = Duration::from_mins(1);
const BATCH_MAX: usize = 10;

#[derive(Clone, Debug)]
enum Names {
    Given,
    /// SQS is asked for the queue whose name has this prefix before ours.
    Prefix(String),
}

#[derive(Clone, Debug)]
pub struct SqsQueues {
    client: Client,
    names: Names,
    account: Option<String>,
    urls: Arc<RwLock<BTreeMap<String, String>>>,
}

impl SqsQueues {
    /// Queues by name and URL. No others exist for it.
    #[must_use]
    pub fn with_urls(client: Client, urls: BTreeMap<String, String>) -> Self {
        Self {
            client,
            names: Names::Given,
            account: None,
            urls: Arc::new(RwLock::new(urls)),
        }
    }

    /// Queues whose names in SQS are `prefix` and then our name, such as `prod-` and
    /// `payments-work`. `account` is the account they belong to, when it is not the caller's.
    #[must_use]
    pub fn with_prefix(client: Client, prefix: impl Into<String>, account: Option<String>) -> Self {
        Self {
            client,
            names: Names::Prefix(prefix.into()),
            account,
            urls: Arc::default(),
        }
    }

    fn read_call(action: &'static str, queue: &str) -> Call {
        Call::read(action, format!("queue {queue}"))
    }

    fn write_call(action: &'static str, queue: &str) -> Call {
        Call::write(action, format!("queue {queue}"))
    }
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.send_one(queue, message, true).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.send_many(queue, messages, true).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.receive_now(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.remove(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        self.hide(queue, receipt, visibility).await
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        // Holding it tells whether it is ours, and keeps it ours until it is deleted.
        if !self.hide(from, receipt, TRANSFER_HOLD).await? {
            return Ok(TransferOutcome::Lost);
        }
        // Not repeated by the SDK: when the answer is lost, the caller must know that it may be
        // there.
        let message_id = self.send_one(to, message, false).await?;
        let receipts = [receipt.to_owned()];
        let reason = match self.remove(from, &receipts).await {
            Ok(done) if done == [true] => return Ok(TransferOutcome::Moved { message_id }),
            Ok(_) => "its receipt handle is no longer valid".to_owned(),
            Err(error) => error.message,
        };
        Ok(TransferOutcome::SentNotDeleted { message_id, reason })
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        self.move_many(from, to, moves).await
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        self.hide_entries(queue, receipts, visibility)
            .await?
            .into_iter()
            .collect()
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }
}

#[async_trait]
impl QueueAdmin for SqsQueues {
    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        self.browse_queue(queue, limit).await
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        self.count(queue).await
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.all_names().await
    }

    async fn start_redrive(
        &self,
        dlq: &str,
        to: &str,
        rate_per_second: Option<u32>,
    ) -> PortResult<String> {
        self.start_task(dlq, to, rate_per_second).await
    }

    async fn redrives(&self, dlq: &str) -> PortResult<Vec<Redrive>> {
        self.tasks(dlq).await
    }

    async fn cancel_redrive(&self, dlq: &str, handle: &str) -> PortResult<u64> {
        self.cancel_task(dlq, handle).await
    }

    async fn purge(&self, queue: &str) -> PortResult<()> {
        self.purge_queue(queue).await
    }
}

/// Whole seconds, rounded up: SQS knows no shorter times, and a message hidden too long is better
/// than one shown too soon.
fn seconds(time: Duration, max: Duration) -> i32 {
    let time = time.min(max);
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_seconds() {
        let of = |ms| seconds(Duration::from_millis(ms), VISIBILITY_MAX);
        assert_eq!(
            [of(0), of(1), of(1000), of(1001), of(u64::MAX)],
            [0, 1, 1, 2, 43_200]
        );
    }
}
