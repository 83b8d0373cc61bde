//! Events on the bus, which queues they reach, and the envelope they arrive in.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::outbox::OutboxKind;
use crate::Timestamp;

/// The `source` of our own events.
pub const SOURCE: &str = "payops.payments";
/// The `source` of events that the archive emits when an object is written.
pub const ARCHIVE_SOURCE: &str = "aws.s3";
/// The `detail-type` of such an event.
pub const OBJECT_CREATED: &str = "Object Created";

pub const WORK: &str = "payments-work";
/// The queue of changes to write to the ledger and the index.
pub const PROJECTIONS: &str = "projections";
pub const NOTIFICATIONS: &str = "notifications";
const FIFO: &str = ".fifo";
const PARKING: &str = "-parking";
pub const QUEUES: [&str; 3] = [WORK, PROJECTIONS, NOTIFICATIONS];

/// The dead-letter queue of `queue`. That of a FIFO queue is one too: `orders.fifo` has
/// `orders-dlq.fifo`.
#[must_use]
pub fn dead_letter_queue(queue: &str) -> String {
    add_suffix(queue, "-dlq")
}

fn add_suffix(queue: &str, end: &str) -> String {
    match queue.strip_suffix(FIFO) {
        Some(stem) => format!("{stem}{end}{FIFO}"),
        None => format!("{queue}{end}"),
    }
}

/// The queue for messages of `queue` that were replayed too often.
#[must_use]
pub fn parking_queue(queue: &str) -> String {
    add_suffix(queue, PARKING)
}

/// Whether it is named like a queue for messages that were replayed too often.
#[must_use]
pub fn is_parking_queue(queue: &str) -> bool {
    queue.strip_suffix(FIFO).unwrap_or(queue).ends_with(PARKING)
}

/// The queue whose dead letters `dlq` holds, if it is named like one; FIFO queues too.
#[must_use]
pub fn source_of(dlq: &str) -> Option<String> {
    match dlq.strip_suffix(FIFO) {
        Some(stem) => Some(format!("{}{FIFO}", stem.strip_suffix("-dlq")?)),
        None => source_queue(dlq).map(str::to_owned),
    }
}

/// The queue whose dead letters `dlq` holds, if it is named like one of the standard type.
#[must_use]
pub fn source_queue(dlq: &str) -> Option<&str> {
    dlq.strip_suffix("-dlq")
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEvent {
    pub source: String,
    pub detail_type: String,
    pub detail: Value,
    pub at: Timestamp,
}

/// What consumers find in a queue: EventBridge's envelope, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub id: String,
    pub source: String,
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    pub time: Timestamp,
    pub detail: Value,
}

/// The whole JSON text of an envelope, with every member EventBridge sends.
#[must_use]
pub fn envelope(id: &str, event: &BusEvent) -> String {
    json!({
        "version": "0", "id": id, "detail-type": event.detail_type, "source": event.source,
        "account": "000000000000", "time": event.at, "region": "local",
        "resources": [], "detail": event.detail,
    })
    .to_string()
}

/// The queues that an event reaches. The same rules are made in AWS as EventBridge rules.
#[must_use]
pub fn targets(source: &str, detail_type: &str) -> &'static [&'static str] {
    match (source, detail_type) {
        (ARCHIVE_SOURCE, OBJECT_CREATED) => &[WORK],
        (SOURCE, name) => OutboxKind::from_name(name).map_or(&[], queues_of),
        _ => &[],
    }
}

fn queues_of(kind: OutboxKind) -> &'static [&'static str] {
    use OutboxKind::{
        PaymentAccepted, PaymentCanceled, PaymentCompleted, PaymentDead, PaymentFailed,
        PaymentReview, RefundFailed, RefundRequested, RefundSucceeded,
    };
    match kind {
        PaymentAccepted | PaymentCanceled | PaymentReview | PaymentDead | RefundFailed => {
            &[PROJECTIONS]
        }
        PaymentCompleted | PaymentFailed | RefundSucceeded => &[PROJECTIONS, NOTIFICATIONS],
        RefundRequested => &[WORK, PROJECTIONS],
    }
}

/// The detail of the archive's "Object Created" event, in S3's shape.
#[must_use]
pub fn object_created(bucket: &str, key: &str, bytes: u64, at: Timestamp) -> BusEvent {
    BusEvent {
        source: ARCHIVE_SOURCE.to_owned(),
        detail_type: OBJECT_CREATED.to_owned(),
        detail: json!({"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": bytes},
            "reason": "PutObject"}),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(queue: &str, dlq: &str, parking: &str) {
        assert_eq!(
            (
                dead_letter_queue(queue).as_str(),
                parking_queue(queue).as_str()
            ),
            (dlq, parking)
        );
        assert_eq!(
            (source_of(dlq).as_deref(), source_of(queue)),
            (Some(queue), None)
        );
    }

    #[test]
    fn queues_are_known_by_their_names() {
        check(
            "payments-work",
            "payments-work-dlq",
            "payments-work-parking",
        );
        check("orders.fifo", "orders-dlq.fifo", "orders-parking.fifo");
    }
}
