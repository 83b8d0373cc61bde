//! Whole queues, moved or emptied by SQS itself.

use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry as Task, QueueAttributeName};
use payops_core::Timestamp;
use payops_core::port::{ErrorKind, PortResult, REDRIVE_RATE_MAX, Redrive, RedriveStatus};

use super::SqsQueues;

/// What IAM wants for a redrive beside the call itself
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html>).
const NEEDS: &str = "; a redrive also needs sqs:ReceiveMessage, sqs:DeleteMessage and \
    sqs:GetQueueAttributes on the dead-letter queue, sqs:SendMessage on the target, \
    and kms:Decrypt and kms:GenerateDataKey where they are encrypted";
/// Tasks that SQS tells of at most.
const TASKS_MAX: i32 = 10;

impl SqsQueues {
    async fn arn(&self, queue: &str) -> PortResult<String> {
        let call = Self::read_call("sqs:GetQueueAttributes", queue);
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue).await?)
            .attribute_names(QueueAttributeName::QueueArn);
        let held = request
            .send()
            .await
            .map_err(|error| call.to_error(error))?
            .attributes
            .unwrap_or_default();
        held.get(&QueueAttributeName::QueueArn)
            .cloned()
            .ok_or_else(|| call.error(ErrorKind::Unavailable, "the response has no queue ARN"))
    }

    pub(super) async fn start_task(
        &self,
        dlq: &str,
        to: &str,
        rate_per_second: Option<u32>,
    ) -> PortResult<String> {
        let call = Self::write_call("sqs:StartMessageMoveTask", dlq);
        if dlq.strip_suffix(".fifo").is_some() {
            return Err(call.error(ErrorKind::Permanent, "SQS cannot redrive FIFO queues"));
        }
        let rate = rate_per_second
            .map(|rate| i32::try_from(rate.min(REDRIVE_RATE_MAX)).unwrap_or(i32::MAX));
        let request = self
            .client
            .start_message_move_task()
            .source_arn(self.arn(dlq).await?)
            .destination_arn(self.arn(to).await?);
        let request = request
            .set_max_number_of_messages_per_second(rate)
            .customize()
            .interceptor(call.track_attempts());
        let answer = request.send().await.map_err(|error| {
            let mut failed = call.to_error(error);
            if failed.kind == ErrorKind::Denied {
                failed.message.push_str(NEEDS);
            }
            failed
        })?;
        answer
            .task_handle
            .ok_or_else(|| call.error(ErrorKind::Ambiguous, "the response has no task handle"))
    }

    pub(super) async fn tasks(&self, dlq: &str) -> PortResult<Vec<Redrive>> {
        let call = Self::read_call("sqs:ListMessageMoveTasks", dlq);
        let request = self
            .client
            .list_message_move_tasks()
            .source_arn(self.arn(dlq).await?)
            .max_results(TASKS_MAX);
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        let tasks = answer.results.unwrap_or_default().into_iter();
        tasks
            .map(|task| {
                to_redrive(task).ok_or_else(|| {
                    call.error(
                        ErrorKind::Corrupt,
                        "the response has a move task with an unknown status",
                    )
                })
            })
            .collect()
    }

    pub(super) async fn cancel_task(&self, dlq: &str, handle: &str) -> PortResult<u64> {
        let call = Self::write_call("sqs:CancelMessageMoveTask", dlq);
        let request = self
            .client
            .cancel_message_move_task()
            .task_handle(handle)
            .customize()
            .interceptor(call.track_attempts());
        let answer = request.send().await.map_err(|error| call.to_error(error))?;
        Ok(u64::try_from(answer.approximate_number_of_messages_moved).unwrap_or(0))
    }

    pub(super) async fn purge_queue(&self, queue: &str) -> PortResult<()> {
        let call = Self::write_call("sqs:PurgeQueue", queue);
        let request = self
            .client
            .purge_queue()
            .queue_url(self.url(queue).await?)
            .customize()
            .interceptor(call.track_attempts());
        request.send().await.map(drop).map_err(|error| {
            let failed = call.to_error(error);
            if failed.message.contains("PurgeQueueInProgress") {
                return call.error(
                    ErrorKind::Throttled,
                    "the queue was purged less than a minute ago; SQS allows one purge per minute",
                );
            }
            failed
        })
    }
}

fn to_redrive(task: Task) -> Option<Redrive> {
    let status = match task.status.as_deref()? {
        "RUNNING" => RedriveStatus::Running,
        "COMPLETED" => RedriveStatus::Completed,
        "CANCELLING" => RedriveStatus::Canceling,
        "CANCELLED" => RedriveStatus::Canceled,
        "FAILED" => RedriveStatus::Failed,
        _ => return None,
    };
    Some(Redrive {
        handle: task.task_handle,
        status,
        moved: u64::try_from(task.approximate_number_of_messages_moved).unwrap_or(0),
        planned: task
            .approximate_number_of_messages_to_move
            .and_then(|number| u64::try_from(number).ok()),
        target: task
            .destination_arn
            .as_deref()
            .and_then(|arn| arn.rsplit(':').next())
            .map(str::to_owned),
        rate_per_second: task
            .max_number_of_messages_per_second
            .and_then(|rate| u32::try_from(rate).ok()),
        started_at: Timestamp::from_millisecond(task.started_timestamp)
            .unwrap_or(Timestamp::UNIX_EPOCH),
        reason: task.failure_reason,
    })
}
