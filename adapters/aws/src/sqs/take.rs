//! Receiving, deleting and hiding.

use std::time::Duration;

use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};
use payops_core::port::{PortResult, Received};

use super::{BATCH_MAX, SqsQueues, VISIBILITY_MAX, message, seconds};
use crate::fail::{Call, code};

/// The longest that SQS waits for a first message.
const WAIT_MAX: Duration = Duration::from_secs(20);
const SLACK: Duration = Duration::from_secs(5);

impl SqsQueues {
    pub(super) async fn receive_now(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        let call = Self::write_call("sqs:ReceiveMessage", queue);
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
        let longer = TimeoutConfig::builder()
            .operation_attempt_timeout(wait + SLACK)
            .operation_timeout(wait + 3 * SLACK)
            .build();
        let request = request.customize().interceptor(call.track_attempts());
        let request =
            request.config_override(aws_sdk_sqs::config::Builder::new().timeout_config(longer));
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(message::to_received)
            .collect())
    }

    pub(super) async fn remove(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.remove_entries(queue, receipts)
            .await?
            .into_iter()
            .collect()
    }

    /// Deletes messages; an entry that SQS could not delete has its own error.
    pub(super) async fn remove_entries(
        &self,
        queue: &str,
        receipts: &[String],
    ) -> PortResult<Vec<PortResult<bool>>> {
        let call = Self::write_call("sqs:DeleteMessage", queue);
        let url = self.url(queue).await?;
        let mut done = Vec::with_capacity(receipts.len());
        for some in receipts.chunks(BATCH_MAX) {
            let mut request = self.client.delete_message_batch().queue_url(&url);
            for (place, receipt) in some.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt);
                request = request.entries(call.check_built(entry.build())?);
            }
            let answer = request
                .customize()
                .interceptor(call.track_attempts())
                .send()
                .await
                .map_err(|error| call.to_error(error))?;
            done.extend(batch_results(&call, some.len(), &answer.failed, |id| {
                answer.successful.iter().any(|entry| entry.id == id)
            }));
        }
        Ok(done)
    }

    pub(super) async fn hide(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        let call = Self::write_call("sqs:ChangeMessageVisibility", queue);
        let request = self
            .client
            .change_message_visibility()
            .queue_url(self.url(queue).await?)
            .receipt_handle(receipt);
        let request = request.visibility_timeout(seconds(visibility, VISIBILITY_MAX));
        match request
            .customize()
            .interceptor(call.track_attempts())
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if is_stale(code(&error)) => Ok(false),
            Err(error) => Err(call.to_error(error)),
        }
    }

    /// Shows messages again at once. What fails shows itself when its visibility ends.
    pub(super) async fn show(&self, queue: &str, receipts: &[String]) -> PortResult<()> {
        self.hide_entries(queue, receipts, Duration::ZERO)
            .await
            .map(drop)
    }

    /// Hides messages for `visibility` from now, in batches; whether each receipt was good.
    pub(super) async fn hide_entries(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<PortResult<bool>>> {
        let call = Self::write_call("sqs:ChangeMessageVisibility", queue);
        let url = self.url(queue).await?;
        let seconds = seconds(visibility, VISIBILITY_MAX);
        let mut held = Vec::with_capacity(receipts.len());
        for some in receipts.chunks(BATCH_MAX) {
            let mut request = self
                .client
                .change_message_visibility_batch()
                .queue_url(&url);
            for (place, receipt) in some.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt);
                request =
                    request.entries(call.check_built(entry.visibility_timeout(seconds).build())?);
            }
            let answer = request
                .customize()
                .interceptor(call.track_attempts())
                .send()
                .await
                .map_err(|error| call.to_error(error))?;
            held.extend(batch_results(&call, some.len(), &answer.failed, |id| {
                answer.successful.iter().any(|entry| entry.id == id)
            }));
        }
        Ok(held)
    }
}

/// What came of each entry of a batch: done, a receipt that is no longer good, or why SQS could
/// not.
fn batch_results(
    call: &Call,
    count: usize,
    failed: &[BatchResultErrorEntry],
    done: impl Fn(&str) -> bool,
) -> Vec<PortResult<bool>> {
    let one = |place: usize| {
        let id = place.to_string();
        match failed.iter().find(|entry| entry.id == id) {
            Some(entry) if !is_stale(&entry.code) => {
                let status = if entry.sender_fault { 400 } else { 503 };
                Err(call.service_error(&entry.code, entry.message.as_deref(), status, None))
            }
            _ => Ok(done(&id)),
        }
    };
    (0..count).map(one).collect()
}

/// Whether the code says that a receipt is no longer good. Times are in range before they are
/// sent, so that the receipt is the only value that can be invalid.
fn is_stale(code: &str) -> bool {
    let code = code.rsplit(['.', '#']).next().unwrap_or(code);
    matches!(
        code,
        "ReceiptHandleIsInvalid"
            | "InvalidParameterValue"
            | "InvalidParameterValueException"
            | "MessageNotInflight"
            | "InvalidIdFormat"
    )
}
