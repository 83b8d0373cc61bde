//! Sending.

use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use payops_core::port::{ErrorKind, Outgoing, PortError, PortResult, SendResult};

use super::message::{self, BYTES_MAX};
use super::{BATCH_MAX, SqsQueues, seconds};
use crate::fail::Call;

const DELAY_MAX: Duration = Duration::from_mins(15);

impl SqsQueues {
    /// Sends one message. With `repeat`, an attempt whose answer was lost is made again, so that
    /// the message may be there twice; without, the caller hears of it.
    pub(super) async fn send_one(
        &self,
        queue: &str,
        message: Outgoing,
        repeat: bool,
    ) -> PortResult<String> {
        let call = Self::write_call("sqs:SendMessage", queue);
        message::check(&call, &message)?;
        let request = self
            .client
            .send_message()
            .queue_url(self.url(queue).await?)
            .set_message_attributes(message::attributes(&call, &message.attributes)?)
            .set_delay_seconds(delay(&message))
            .set_message_group_id(message.group)
            .set_message_deduplication_id(message.dedupe)
            .message_body(message.body);
        let mut request = request.customize().interceptor(call.track_attempts());
        if !repeat {
            request = request.config_override(without_retries());
        }
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        answer
            .message_id
            .ok_or_else(|| call.error(ErrorKind::Ambiguous, "the response has no message id"))
    }

    /// Sends up to ten messages, in as many calls as their size needs; `repeat` as for one message.
    pub(super) async fn send_many(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
        repeat: bool,
    ) -> PortResult<Vec<SendResult>> {
        let call = Self::write_call("sqs:SendMessage", queue);
        if messages.len() > BATCH_MAX {
            return Err(call.error(
                ErrorKind::Permanent,
                format!(
                    "{} messages in one call, over the limit of {BATCH_MAX}",
                    messages.len()
                ),
            ));
        }
        let url = self.url(queue).await?;
        let mut results: Vec<Option<SendResult>> = messages
            .iter()
            .map(|message| message::check(&call, message).err().map(Err))
            .collect();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (place, message) in messages.into_iter().enumerate() {
            if results.get(place).is_some_and(Option::is_some) {
                continue;
            }
            let size = message::size(&message);
            if bytes + size > BYTES_MAX {
                self.send_entries(
                    (&call, &url, repeat),
                    std::mem::take(&mut batch),
                    &mut results,
                )
                .await?;
                bytes = 0;
            }
            bytes += size;
            batch.push((place, message));
        }
        if !batch.is_empty() {
            self.send_entries((&call, &url, repeat), batch, &mut results)
                .await?;
        }
        let outcome_unknown = || {
            Err(call.error(
                ErrorKind::Ambiguous,
                "SQS did not report a result for the message",
            ))
        };
        Ok(results
            .into_iter()
            .map(|result| result.unwrap_or_else(outcome_unknown))
            .collect())
    }

    /// A call that fails, fails everything; or, when an earlier one has sent messages, its own
    /// entries.
    async fn send_entries(
        &self,
        (call, url, repeat): (&Call, &str, bool),
        batch: Vec<(usize, Outgoing)>,
        results: &mut [Option<SendResult>],
    ) -> PortResult<()> {
        let places: Vec<usize> = batch.iter().map(|(place, _)| *place).collect();
        let told = match self.send_call(call, url, batch, repeat).await {
            Ok(told) => told,
            Err(error) if results.iter().all(|result| !matches!(result, Some(Ok(_)))) => {
                return Err(error);
            }
            Err(error) => places
                .into_iter()
                .map(|place| {
                    (
                        place,
                        Err(PortError::new(error.kind, error.message.clone())),
                    )
                })
                .collect(),
        };
        for (place, result) in told {
            if let Some(slot) = results.get_mut(place) {
                *slot = Some(result);
            }
        }
        Ok(())
    }

    async fn send_call(
        &self,
        call: &Call,
        url: &str,
        batch: Vec<(usize, Outgoing)>,
        repeat: bool,
    ) -> PortResult<Vec<(usize, SendResult)>> {
        let mut request = self.client.send_message_batch().queue_url(url);
        for (place, message) in batch {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .set_message_attributes(message::attributes(call, &message.attributes)?)
                .set_delay_seconds(delay(&message))
                .set_message_group_id(message.group)
                .set_message_deduplication_id(message.dedupe)
                .message_body(message.body);
            request = request.entries(call.check_built(entry.build())?);
        }
        let mut request = request.customize().interceptor(call.track_attempts());
        if !repeat {
            request = request.config_override(without_retries());
        }
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        let sent = answer
            .successful
            .into_iter()
            .map(|entry| (entry.id, Ok(entry.message_id)));
        let failed = answer.failed.into_iter().map(|entry| {
            let status = if entry.sender_fault { 400 } else { 503 };
            (
                entry.id,
                Err(call.service_error(&entry.code, entry.message.as_deref(), status, None)),
            )
        });
        Ok(sent
            .chain(failed)
            .filter_map(|(id, result)| Some((id.parse().ok()?, result)))
            .collect())
    }
}

/// The SDK makes one attempt: when the answer is lost, the caller must know that the message may be
/// there.
fn without_retries() -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// A FIFO queue refuses the delay of a single message, none included.
fn delay(message: &Outgoing) -> Option<i32> {
    let delay = seconds(message.delay, DELAY_MAX);
    (delay > 0).then_some(delay)
}
