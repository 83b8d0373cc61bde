//! Moving messages in batches: held, sent, deleted, with each entry's own fate.

use payops_core::port::{Move, MoveResult, Outgoing, PortError, PortResult, TransferOutcome};

use super::{SqsQueues, TRANSFER_HOLD};

impl SqsQueues {
    /// Moves up to ten messages in three calls. Only what was acknowledged as sent is deleted.
    pub(super) async fn move_many(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        let (receipts, messages): (Vec<String>, Vec<Outgoing>) = moves
            .into_iter()
            .map(|each| (each.receipt, each.message))
            .unzip();
        // Holding them tells which are ours, and keeps them ours until they are deleted.
        let held = self.hide_entries(from, &receipts, TRANSFER_HOLD).await?;
        let ours = |held: &PortResult<bool>| matches!(held, Ok(true));
        let going: Vec<Outgoing> = messages
            .into_iter()
            .zip(&held)
            .filter(|(_, held)| ours(held))
            .map(|(message, _)| message)
            .collect();
        // Not repeated by the SDK, as for one message.
        let sent = if going.is_empty() {
            Vec::new()
        } else {
            self.send_many(to, going, false).await?
        };
        let mut sent = sent.into_iter();
        let mut results: Vec<(String, MoveResult)> = Vec::with_capacity(receipts.len());
        for (receipt, held) in receipts.into_iter().zip(held) {
            let result = match held {
                Ok(false) => Ok(TransferOutcome::Lost),
                Err(error) => Err(error),
                // Until its deletion is acknowledged it is in both queues.
                Ok(true) => {
                    sent.next()
                        .unwrap_or_else(|| Err(outcome_unknown()))
                        .map(|message_id| TransferOutcome::SentNotDeleted {
                            message_id,
                            reason: "its receipt handle is no longer valid".to_owned(),
                        })
                }
            };
            results.push((receipt, result));
        }
        self.delete_sent(from, &mut results).await;
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Deletes what was sent, and notes for each whether that was done.
    async fn delete_sent(&self, queue: &str, results: &mut [(String, MoveResult)]) {
        let sent =
            |result: &MoveResult| matches!(result, Ok(TransferOutcome::SentNotDeleted { .. }));
        let receipts: Vec<String> = results
            .iter()
            .filter(|(_, result)| sent(result))
            .map(|(receipt, _)| receipt.clone())
            .collect();
        if receipts.is_empty() {
            return;
        }
        let (deleted, failed) = match self.remove_entries(queue, &receipts).await {
            Ok(deleted) => (deleted, None),
            Err(error) => (Vec::new(), Some(error.message)),
        };
        let mut deleted = deleted.into_iter();
        for (_, result) in results.iter_mut().filter(|(_, result)| sent(result)) {
            let Ok(TransferOutcome::SentNotDeleted { message_id, reason }) = result else {
                continue;
            };
            match (deleted.next(), &failed) {
                (Some(Ok(true)), _) => {
                    *result = Ok(TransferOutcome::Moved {
                        message_id: std::mem::take(message_id),
                    });
                }
                (Some(Err(error)), _) => *reason = error.message,
                (None, Some(failed)) => reason.clone_from(failed),
                (Some(Ok(false)) | None, _) => {}
            }
        }
    }
}

fn outcome_unknown() -> PortError {
    PortError::new(
        payops_core::port::ErrorKind::Ambiguous,
        "SQS did not report a result for the message",
    )
}
