//! Moves in steps, as on SQS: each step is a call of its own, and a process may die between two.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::port::{
    ErrorKind, Move, MoveResult, Outgoing, PortError, PortResult, Queues, Received, SendResult,
    TransferOutcome,
};

/// For how long a message is held while it is moved, as the adapter of SQS does.
const HOLD: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Held, sent, deleted: a message may be there twice, and is never gone.
    SendFirst,
    /// Held, deleted, sent. A planted bug: a message may be gone.
    DeleteFirst,
}

pub struct Steps {
    inner: Arc<dyn Queues>,
    order: Order,
}

impl Steps {
    /// Moves with calls of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Queues>, order: Order) -> Self {
        Self { inner, order }
    }
}

/// Moves one message as a batch of one.
pub(super) async fn move_one(
    queues: &dyn Queues,
    from: &str,
    receipt: &str,
    to: &str,
    message: Outgoing,
) -> PortResult<TransferOutcome> {
    let receipt = receipt.to_owned();
    let moved = queues
        .transfer_batch(from, to, vec![Move { receipt, message }])
        .await?;
    moved.into_iter().next().expect("one entry, one result")
}

/// Moves messages with single calls of `queues`.
pub(super) async fn move_in_steps(
    queues: &dyn Queues,
    order: Order,
    from: &str,
    to: &str,
    moves: Vec<Move>,
) -> PortResult<Vec<MoveResult>> {
    let (receipts, messages): (Vec<String>, Vec<Outgoing>) = moves
        .into_iter()
        .map(|each| (each.receipt, each.message))
        .unzip();
    let held = queues.change_visibilities(from, &receipts, HOLD).await?;
    let ours: Vec<String> = receipts
        .into_iter()
        .zip(&held)
        .filter(|(_, held)| **held)
        .map(|(receipt, _)| receipt)
        .collect();
    let going: Vec<Outgoing> = messages
        .into_iter()
        .zip(&held)
        .filter(|(_, held)| **held)
        .map(|(message, _)| message)
        .collect();
    if order == Order::DeleteFirst {
        delete(queues, from, &ours).await;
    }
    let sent = if going.is_empty() {
        Vec::new()
    } else {
        queues.send_batch(to, going).await?
    };
    let acknowledged: Vec<String> = ours
        .iter()
        .zip(&sent)
        .filter(|(_, sent)| sent.is_ok())
        .map(|(receipt, _)| receipt.clone())
        .collect();
    let deleted = match order {
        Order::SendFirst if !acknowledged.is_empty() => delete(queues, from, &acknowledged).await,
        _ => vec![Ok(()); acknowledged.len()],
    };
    let (mut sent, mut deleted) = (sent.into_iter(), deleted.into_iter());
    let result = |held: bool| -> MoveResult {
        if !held {
            return Ok(TransferOutcome::Lost);
        }
        let message_id = sent
            .next()
            .unwrap_or_else(|| Err(PortError::new(ErrorKind::Ambiguous, "untold")))?;
        Ok(match deleted.next() {
            Some(Ok(())) | None => TransferOutcome::Moved { message_id },
            Some(Err(reason)) => TransferOutcome::SentNotDeleted { message_id, reason },
        })
    };
    Ok(held.into_iter().map(result).collect())
}

async fn delete(queues: &dyn Queues, queue: &str, receipts: &[String]) -> Vec<Result<(), String>> {
    match queues.delete(queue, receipts).await {
        Ok(deleted) => deleted
            .into_iter()
            .map(|done| {
                done.then_some(())
                    .ok_or_else(|| "its receipt handle is no longer valid".to_owned())
            })
            .collect(),
        Err(error) => receipts
            .iter()
            .map(|_| Err(error.message.clone()))
            .collect(),
    }
}

#[async_trait]
impl Queues for Steps {
    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        move_one(self, from, receipt, to, message).await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        move_in_steps(&*self.inner, self.order, from, to, moves).await
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.inner.receive(queue, max, visibility, wait).await
    }

    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.inner.send(queue, message).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.inner.send_batch(queue, messages).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        self.inner
            .change_visibility(queue, receipt, visibility)
            .await
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        self.inner
            .change_visibilities(queue, receipts, visibility)
            .await
    }
}
