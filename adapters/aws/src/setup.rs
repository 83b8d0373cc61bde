//! Makes what Terraform makes in production: table, queues, bucket, bus and rules, for tests and
//! the emulator. What is there already is left as it is. Queue policies, encryption, alarms and
//! access are Terraform's alone.

use aws_sdk_eventbridge::types::Target;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, EventBridgeConfiguration,
    NotificationConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use payops_core::domain::bus::{self, ARCHIVE_SOURCE, OBJECT_CREATED, QUEUES, SOURCE};
use payops_core::domain::outbox::OutboxKind;
use payops_core::port::{ErrorKind, PortResult};
use serde_json::json;

use crate::config::Clients;
use crate::dynamo::create_table;
use crate::fail::{Call, code};

/// Four days, in seconds: how long a source queue keeps messages.
const KEEP_SOURCE: &str = "345600";
/// Fourteen days, in seconds: how long a dead-letter queue does.
const KEEP_DEAD: &str = "1209600";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub table: String,
    pub bucket: String,
    pub bus: String,
    pub queue_prefix: String,
    /// After how many receives a message goes to the dead-letter queue.
    pub max_receives: u32,
}

pub async fn create_all(clients: &Clients, names: &Names) -> PortResult<()> {
    create_table(&clients.dynamo, &names.table).await?;
    create_bucket(&clients.s3, &names.bucket).await?;
    for queue in QUEUES {
        create_queue(
            &clients.sqs,
            &names.queue_prefix,
            queue,
            Some((&bus::dead_letter_queue(queue), names.max_receives)),
        )
        .await?;
        make_queue(
            &clients.sqs,
            &names.queue_prefix,
            &bus::parking_queue(queue),
            KEEP_DEAD,
            None,
        )
        .await?;
    }
    create_bus(clients, names).await
}

/// Makes a queue; with a dead-letter queue and limit, that one too.
pub async fn create_queue(
    client: &aws_sdk_sqs::Client,
    prefix: &str,
    queue: &str,
    dead: Option<(&str, u32)>,
) -> PortResult<()> {
    let Some((dlq, max_receives)) = dead else {
        return make_queue(client, prefix, queue, KEEP_SOURCE, None).await;
    };
    make_queue(client, prefix, dlq, KEEP_DEAD, None).await?;
    let target = queue_arn(client, prefix, dlq).await?;
    let policy =
        json!({"deadLetterTargetArn": target, "maxReceiveCount": max_receives}).to_string();
    make_queue(client, prefix, queue, KEEP_SOURCE, Some(policy)).await
}

async fn make_queue(
    client: &aws_sdk_sqs::Client,
    prefix: &str,
    queue: &str,
    keep: &str,
    redrive: Option<String>,
) -> PortResult<()> {
    let call = Call::write("sqs:CreateQueue", format!("queue {queue}"));
    let mut request = client.create_queue().queue_name(format!("{prefix}{queue}"));
    request = request.attributes(QueueAttributeName::MessageRetentionPeriod, keep);
    if let Some(policy) = redrive {
        request = request.attributes(QueueAttributeName::RedrivePolicy, policy);
    }
    if queue.contains(".fifo") {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    match request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
    {
        Err(error) if !matches!(code(&error), "QueueNameExists" | "QueueAlreadyExists") => {
            Err(call.to_error(error))
        }
        _ => Ok(()),
    }
}

async fn queue_arn(client: &aws_sdk_sqs::Client, prefix: &str, queue: &str) -> PortResult<String> {
    let call = Call::read("sqs:GetQueueAttributes", format!("queue {queue}"));
    let url = client
        .get_queue_url()
        .queue_name(format!("{prefix}{queue}"))
        .send()
        .await
        .map_err(|error| call.to_error(error))?;
    let request = client
        .get_queue_attributes()
        .set_queue_url(url.queue_url)
        .attribute_names(QueueAttributeName::QueueArn);
    let mut held = request
        .send()
        .await
        .map_err(|error| call.to_error(error))?
        .attributes
        .unwrap_or_default();
    held.remove(&QueueAttributeName::QueueArn)
        .ok_or_else(|| call.error(ErrorKind::Unavailable, "the response has no ARN"))
}

pub async fn create_bucket(client: &aws_sdk_s3::Client, bucket: &str) -> PortResult<()> {
    let call = Call::write("s3:CreateBucket", format!("bucket {bucket}"));
    let mut request = client.create_bucket().bucket(bucket);
    let region = client
        .config()
        .region()
        .map(ToString::to_string)
        .unwrap_or_default();
    // The one region that must not be named.
    if region != "us-east-1" {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region.as_str()));
        request = request.create_bucket_configuration(place.build());
    }
    match request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
    {
        Err(error) if code(&error) != "BucketAlreadyOwnedByYou" => return Err(call.to_error(error)),
        _ => {}
    }
    let call = Call::write("s3:PutBucketNotification", format!("bucket {bucket}"));
    let tell = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build();
    let request = client
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(tell);
    request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
        .map(drop)
        .map_err(|error| call.to_error(error))
}

/// Makes the bus and a rule for each queue, and one on the account's own bus, where S3's events
/// come.
async fn create_bus(clients: &Clients, names: &Names) -> PortResult<()> {
    let call = Call::write("events:CreateEventBus", format!("bus {}", names.bus));
    match clients
        .events
        .create_event_bus()
        .name(&names.bus)
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
    {
        Err(error) if code(&error) != "ResourceAlreadyExistsException" => {
            return Err(call.to_error(error));
        }
        _ => {}
    }
    for queue in QUEUES {
        let leads = |name: &&str| bus::targets(SOURCE, name).contains(&queue);
        let of_ours: Vec<&str> = OutboxKind::ALL
            .into_iter()
            .map(OutboxKind::as_str)
            .filter(leads)
            .collect();
        if !of_ours.is_empty() {
            let pattern = json!({"source": [SOURCE], "detail-type": of_ours}).to_string();
            create_rule(clients, &names.bus, names, queue, pattern).await?;
        }
    }
    let pattern = json!({
        "source": [ARCHIVE_SOURCE], "detail-type": [OBJECT_CREATED],
        "detail": {"bucket": {"name": [names.bucket]}},
    });
    create_rule(clients, "default", names, bus::WORK, pattern.to_string()).await
}

async fn create_rule(
    clients: &Clients,
    bus: &str,
    names: &Names,
    queue: &str,
    pattern: String,
) -> PortResult<()> {
    let call = Call::write("events:PutRule", format!("bus {bus}"));
    let rule = format!("{}{queue}", names.queue_prefix);
    let request = clients
        .events
        .put_rule()
        .name(&rule)
        .event_bus_name(bus)
        .event_pattern(pattern);
    request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
        .map_err(|error| call.to_error(error))?;
    let call = Call::write("events:PutTargets", format!("rule {rule}"));
    let target = Target::builder()
        .id(queue)
        .arn(queue_arn(&clients.sqs, &names.queue_prefix, queue).await?);
    let request = clients
        .events
        .put_targets()
        .rule(&rule)
        .event_bus_name(bus)
        .targets(call.check_built(target.build())?);
    let answer = request
        .customize()
        .interceptor(call.track_attempts())
        .send()
        .await
        .map_err(|error| call.to_error(error))?;
    match answer.failed_entries.unwrap_or_default().first() {
        Some(failed) => Err(call.service_error(
            failed.error_code().unwrap_or_default(),
            failed.error_message(),
            400,
            None,
        )),
        None => Ok(()),
    }
}
