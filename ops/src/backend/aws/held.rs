//! Queues whose batches hold the credentials they began with: a session is renewed between two
//! batches, and never between the sending of a message and the deleting of its original.

use std::time::Duration;

use async_trait::async_trait;
use payops_aws::SqsQueues;
use payops_aws::identity::{IdentityError, RoleCredentials, SessionHold};
use payops_core::Timestamp;
use payops_core::port::{
    ErrorKind, Move, MoveResult, Outgoing, PortError, PortResult, Queues, Received, SendResult,
    TransferOutcome,
};

/// How long a batch takes at most: two calls with all their attempts.
const BATCH: Duration = Duration::from_mins(1);

pub(super) struct HeldQueues {
    pub(super) queues: SqsQueues,
    pub(super) credentials: RoleCredentials,
}

impl HeldQueues {
    /// Keeps the credentials as they are for a batch, renewed first when they would not last for
    /// it.
    async fn hold(&self) -> PortResult<SessionHold> {
        loop {
            match self.credentials.hold(BATCH).await {
                Ok(hold) => return Ok(hold),
                Err(IdentityError::Held { until }) => {
                    // Others end their batches with the old session first.
                    let wait = Timestamp::now().duration_until(until).unsigned_abs();
                    tokio::time::sleep(wait.min(BATCH)).await;
                }
                Err(error) => {
                    let kind = if matches!(error, IdentityError::Unreachable { .. }) {
                        ErrorKind::Unavailable
                    } else {
                        ErrorKind::Denied
                    };
                    let message = format!(
                        "the session would end before the batch does, and could not be renewed: {}",
                        error.next_step()
                    );
                    return Err(PortError::because(kind, message, error));
                }
            }
        }
    }
}

#[async_trait]
impl Queues for HeldQueues {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.queues.send(queue, message).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        let _hold = self.hold().await?;
        self.queues.send_batch(queue, messages).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.queues.receive(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.queues.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        self.queues
            .change_visibility(queue, receipt, visibility)
            .await
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        let _hold = self.hold().await?;
        self.queues.transfer(from, receipt, to, message).await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        let _hold = self.hold().await?;
        self.queues.transfer_batch(from, to, moves).await
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        self.queues
            .change_visibilities(queue, receipts, visibility)
            .await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.queues.transfer_is_atomic()
    }
}
