//! Receiving, deleting and hiding.

use std::time::Duration;

use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use payops_core::port::{PortResult, Received};

use super::{BATCH_MAX, SqsQueues, VISIBILITY_MAX, message, seconds};
use crate::fail::code;

/// The longest that SQS waits for a first message.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// What a call may take beyond that wait.
const SLACK: Duration = Duration::from_secs(5);

impl SqsQueues {
    pub(super) async fn take(&self, queue: &str, max: usize, visibility: Duration, wait: Duration) -> PortResult<Vec<Received>> {
        let call = Self::writing("sqs:ReceiveMessage", queue);
        let wait = wait.min(WAIT_MAX);
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue).await?)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH_MAX)).unwrap_or(1))
            .visibility_timeout(seconds(visibility, VISIBILITY_MAX))
            .wait_time_seconds(seconds(wait, WAIT_MAX))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        // A long poll takes longer than other calls may.
        let longer = TimeoutConfig::builder().operation_attempt_timeout(wait + SLACK).operation_timeout(wait + 3 * SLACK).build();
        let request = request.customize().interceptor(call.watch());
        let request = request.config_override(aws_sdk_sqs::config::Builder::new().timeout_config(longer));
        let answer = request.send().await.map_err(|error| call.failed(error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(message::received).collect())
    }

    pub(super) async fn remove(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        let call = Self::writing("sqs:DeleteMessage", queue);
        let url = self.url(queue).await?;
        let mut done = Vec::with_capacity(receipts.len());
        for some in receipts.chunks(BATCH_MAX) {
            let mut request = self.client.delete_message_batch().queue_url(&url);
            for (place, receipt) in some.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt);
                request = request.entries(call.built(entry.build())?);
            }
            let answer = request.customize().interceptor(call.watch()).send().await.map_err(|error| call.failed(error))?;
            for failed in &answer.failed {
                if !is_stale(&failed.code) {
                    let status = if failed.sender_fault { 400 } else { 503 };
                    return Err(call.refused(&failed.code, failed.message.as_deref(), status, None));
                }
            }
            done.extend((0..some.len()).map(|place| answer.successful.iter().any(|entry| entry.id == place.to_string())));
        }
        Ok(done)
    }

    pub(super) async fn hide(&self, queue: &str, receipt: &str, visibility: Duration) -> PortResult<bool> {
        let call = Self::writing("sqs:ChangeMessageVisibility", queue);
        let request = self.client.change_message_visibility().queue_url(self.url(queue).await?).receipt_handle(receipt);
        let request = request.visibility_timeout(seconds(visibility, VISIBILITY_MAX));
        match request.customize().interceptor(call.watch()).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_stale(code(&error)) => Ok(false),
            Err(error) => Err(call.failed(error)),
        }
    }

    /// Shows messages again at once. What fails shows itself when its visibility ends.
    pub(super) async fn show(&self, queue: &str, receipts: &[String]) -> PortResult<()> {
        let call = Self::writing("sqs:ChangeMessageVisibility", queue);
        let url = self.url(queue).await?;
        for some in receipts.chunks(BATCH_MAX) {
            let mut request = self.client.change_message_visibility_batch().queue_url(&url);
            for (place, receipt) in some.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt);
                request = request.entries(call.built(entry.visibility_timeout(0).build())?);
            }
            request.customize().interceptor(call.watch()).send().await.map_err(|error| call.failed(error))?;
        }
        Ok(())
    }
}

/// Whether the code says that a receipt is no longer good. Times are in range before they are
/// sent, so that the receipt is the only value that can be invalid.
fn is_stale(code: &str) -> bool {
    let code = code.rsplit(['.', '#']).next().unwrap_or(code);
    matches!(
        code,
        "ReceiptHandleIsInvalid" | "InvalidParameterValue" | "InvalidParameterValueException" | "MessageNotInflight" | "InvalidIdFormat"
    )
}
