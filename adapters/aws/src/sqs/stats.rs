//! Names, addresses and counts of queues.

use std::sync::PoisonError;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use payops_core::port::{ErrorKind, PortResult, QueueStats};
use serde_json::Value;

use super::{Names, SqsQueues};

impl SqsQueues {
    /// The address of a queue, asked for once.
    pub(super) async fn url(&self, queue: &str) -> PortResult<String> {
        let known = self
            .urls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(queue)
            .cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let call = Self::read_call("sqs:GetQueueUrl", queue);
        let Names::Prefix(prefix) = &self.names else {
            return Err(call.error(ErrorKind::NotFound, "no such queue is configured"));
        };
        let request = self
            .client
            .get_queue_url()
            .queue_name(format!("{prefix}{queue}"));
        let answer = request
            .set_queue_owner_aws_account_id(self.account.clone())
            .send()
            .await
            .map_err(|error| call.to_error(error))?;
        let url = answer
            .queue_url
            .ok_or_else(|| call.error(ErrorKind::Unavailable, "the response has no queue URL"))?;
        self.urls
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(queue.to_owned(), url.clone());
        Ok(url)
    }

    pub(super) async fn all_names(&self) -> PortResult<Vec<String>> {
        let Names::Prefix(prefix) = &self.names else {
            return Ok(self
                .urls
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .keys()
                .cloned()
                .collect());
        };
        let call = Self::read_call("sqs:ListQueues", format!("{prefix}*").as_str());
        let mut pages = self
            .client
            .list_queues()
            .queue_name_prefix(prefix)
            .max_results(1000)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call.to_error(error))?;
            let found = page.queue_urls.unwrap_or_default();
            names.extend(
                found
                    .iter()
                    .filter_map(|url| last_part(url, '/').strip_prefix(prefix.as_str()))
                    .map(str::to_owned),
            );
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) async fn count(&self, queue: &str) -> PortResult<QueueStats> {
        let call = Self::read_call("sqs:GetQueueAttributes", queue);
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let delayed = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        let kept = QueueAttributeName::MessageRetentionPeriod;
        let wanted = vec![
            visible.clone(),
            in_flight.clone(),
            delayed.clone(),
            kept.clone(),
            QueueAttributeName::RedrivePolicy,
        ];
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue).await?)
            .set_attribute_names(Some(wanted));
        let held = request
            .send()
            .await
            .map_err(|error| call.to_error(error))?
            .attributes
            .unwrap_or_default();
        let number = |name: &QueueAttributeName| {
            let count = held.get(name).and_then(|count| count.parse().ok());
            count.ok_or_else(|| {
                call.error(
                    ErrorKind::Unavailable,
                    format!("the response has no {}", name.as_str()),
                )
            })
        };
        let policy = held
            .get(&QueueAttributeName::RedrivePolicy)
            .filter(|policy| !policy.is_empty());
        let (dlq, max_receives) = match policy.map(|policy| self.redrive(policy)) {
            Some(Some((dlq, max))) => (Some(dlq), Some(max)),
            Some(None) => {
                return Err(call.error(ErrorKind::Corrupt, "the redrive policy cannot be read"));
            }
            None => (None, None),
        };
        Ok(QueueStats {
            name: queue.to_owned(),
            visible: number(&visible)?,
            in_flight: number(&in_flight)?,
            delayed: number(&delayed)?,
            // Only CloudWatch knows it.
            oldest_age: None::<Duration>,
            dlq,
            max_receives,
            approximate: true,
            retention: held
                .get(&kept)
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        })
    }

    /// The dead-letter queue, by our name for it, and the limit, of a redrive policy.
    fn redrive(&self, policy: &str) -> Option<(String, u32)> {
        let policy: Value = serde_json::from_str(policy).ok()?;
        let target = last_part(policy.get("deadLetterTargetArn")?.as_str()?, ':');
        // SQS gives the number back as it was set: as a number or as text.
        let max = policy.get("maxReceiveCount")?;
        let max = max
            .as_u64()
            .and_then(|max| u32::try_from(max).ok())
            .or_else(|| max.as_str()?.parse().ok())?;
        let urls = self.urls.read().unwrap_or_else(PoisonError::into_inner);
        let name = match &self.names {
            Names::Prefix(prefix) => target
                .strip_prefix(prefix.as_str())
                .unwrap_or(target)
                .to_owned(),
            Names::Given => {
                let ours = urls.iter().find(|(_, url)| last_part(url, '/') == target);
                ours.map_or(target, |(name, _)| name.as_str()).to_owned()
            }
        };
        Some((name, max))
    }
}

fn last_part(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or(text)
}
