//! Queues, with the semantics of SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, PortError, PortResult, Redrive};
use crate::Timestamp;

/// Text attributes that travel with a message.
pub type Attributes = BTreeMap<String, String>;

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The body as text, sent unchanged.
    pub body: String,
    /// Attributes; at most ten on SQS.
    pub attributes: Attributes,
    /// How long it stays invisible at first; at most 15 minutes.
    pub delay: Duration,
    /// On a FIFO queue: its group. Messages of one group are delivered one after the other.
    pub group: Option<String>,
    /// On a FIFO queue: a second message of that name within five minutes is not taken.
    pub dedupe: Option<String>,
}

/// What came of one entry of a batch: the message's new name, or why not.
pub type SendResult = PortResult<String>;

/// A message that was received: ours until its visibility ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The queue service's id of the message; the same at each receive.
    pub message_id: String,
    /// The right to delete it or change its visibility; of this receive alone.
    pub receipt: String,
    /// The body as text, as it was sent.
    pub body: String,
    /// The text attributes that it was sent with.
    pub attributes: Attributes,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent to this queue.
    pub sent_at: Timestamp,
    /// When it was first received from this queue.
    pub first_received_at: Option<Timestamp>,
    /// Its group, on a FIFO queue.
    pub group: Option<String>,
    /// Its dedupe id, on a FIFO queue.
    pub dedupe: Option<String>,
}

/// How a queue stands. Counts of SQS are approximate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// The name of the queue, without account and region.
    pub name: String,
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages that somebody has received and not deleted.
    pub in_flight: u64,
    /// Messages whose delay has not ended.
    pub delayed: u64,
    /// Age of the oldest message; `None` when it is empty or the queue service does not say.
    pub oldest_age: Option<Duration>,
    /// The name of its dead-letter queue; `None` if it has none.
    pub dlq: Option<String>,
    /// After how many receives a message goes there.
    pub max_receives: Option<u32>,
    /// Whether the counts are approximate.
    pub approximate: bool,
    /// For how long a message is kept after it was sent; `None` when the queue service does not
    /// say.
    pub retention: Option<Duration>,
}

/// What looking into a queue showed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Browsed {
    /// The messages; their receipts are empty.
    pub messages: Vec<Received>,
    /// Whether these are surely all of them.
    pub complete: bool,
    /// Why they may not be all; `None` when they surely are.
    pub doubt: Option<String>,
    /// Receives spent on looking: each raised a message's receive count by one.
    pub receives_spent: u64,
    /// For how long each message was hidden from others at most; zero when none was.
    pub hidden: Duration,
    /// Groups of a FIFO queue of which nothing could be received meanwhile.
    pub groups_locked: u64,
}

/// What came of moving a message.
#[derive(Debug)]
pub enum TransferOutcome {
    /// It is in the target and no longer in the source.
    Moved {
        /// The message id that the queue service gave it.
        message_id: String,
    },
    /// It is in the target, and still in the source too.
    SentNotDeleted {
        /// Its name in the target.
        message_id: String,
        /// Why it could not be deleted.
        reason: String,
    },
    /// The receipt is no longer good; nothing was sent.
    Lost,
}

/// A received message that is to go elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The right to it.
    pub receipt: String,
    /// What is sent in its place.
    pub message: Outgoing,
}

/// What came of one entry of a batch of moves. After an error of the kind
/// [`super::ErrorKind::Ambiguous`] the message may be in both queues; after any other it was not
/// sent.
pub type MoveResult = PortResult<TransferOutcome>;

/// The messages of one environment's queues: what senders, consumers and replays need.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends one message; durable when it returns. Its name is returned.
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String>;

    /// Sends up to ten messages; each has its own result, in order.
    async fn send_batch(&self, queue: &str, messages: Vec<Outgoing>)
    -> PortResult<Vec<SendResult>>;

    /// Receives up to `max` messages (at most ten) and hides them for `visibility`; waits up to
    /// `wait` for the first. A message whose receive count would pass the queue's limit goes to
    /// the dead-letter queue instead.
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>>;

    /// Deletes received messages; `false` for a receipt that is no longer good.
    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>>;

    /// Sets for how long from now a received message stays hidden; `false` for a receipt that is
    /// no longer good.
    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool>;

    /// Moves a received message to another queue with the body and attributes given. Where the
    /// queue service can (the embedded one), in one transaction; else sent first, then deleted.
    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome>;

    /// Moves up to ten messages, each as [`Queues::transfer`] does and with its own result, in
    /// order. On FIFO queues the order within the batch is kept, as long as all entries succeed.
    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        let mut out = Vec::with_capacity(moves.len());
        for Move { receipt, message } in moves {
            out.push(self.transfer(from, &receipt, to, message).await);
        }
        Ok(out)
    }

    /// Sets for how long from now each of any number of received messages stays hidden; `false` for
    /// receipts that are no longer good.
    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        let mut out = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            out.push(self.change_visibility(queue, receipt, visibility).await?);
        }
        Ok(out)
    }

    /// Whether [`Queues::transfer`] is one transaction: a message is then never in both queues.
    fn transfer_is_atomic(&self) -> bool;
}

/// What a queue service tells of its queues, and does to a whole one: nothing here receives a
/// message or holds a receipt.
#[async_trait]
pub trait QueueAdmin: Send + Sync {
    /// Looks at up to `limit` messages without taking them, oldest first where that is known.
    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed>;

    /// How one queue stands.
    async fn stats(&self, queue: &str) -> PortResult<QueueStats>;

    /// The names of all queues, dead-letter queues included, in order.
    async fn names(&self) -> PortResult<Vec<String>>;

    /// Has the queue service move what is in a dead-letter queue to `to`, unread: at most
    /// [`super::REDRIVE_RATE_MAX`] messages a second, or `rate_per_second`. One at a time for each
    /// queue, and none of FIFO queues. A moved message has a new name, is new in its queue, and
    /// keeps its attributes. What names the redrive until it is over.
    ///
    /// SQS knows by itself only where messages came from that it moved to the dead-letter queue
    /// itself; so `to` is always said.
    async fn start_redrive(
        &self,
        dlq: &str,
        to: &str,
        rate_per_second: Option<u32>,
    ) -> PortResult<String> {
        let _ = (to, rate_per_second);
        Err(none_of_its_own(dlq))
    }

    /// The last redrives of a dead-letter queue, newest first, at most ten.
    async fn redrives(&self, dlq: &str) -> PortResult<Vec<Redrive>> {
        Err(none_of_its_own(dlq))
    }

    /// Stops a redrive; what is moved stays moved. How many messages that is, approximately.
    async fn cancel_redrive(&self, dlq: &str, handle: &str) -> PortResult<u64> {
        let _ = handle;
        Err(none_of_its_own(dlq))
    }

    /// Deletes all that is in a queue, unread. SQS takes a minute over it, and refuses a second
    /// within that.
    async fn purge(&self, queue: &str) -> PortResult<()> {
        Err(none_of_its_own(queue))
    }
}

fn none_of_its_own(queue: &str) -> PortError {
    PortError::new(
        ErrorKind::Permanent,
        format!("the queue service of {queue} does not support redrive and purge"),
    )
}
