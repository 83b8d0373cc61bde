//! What a queue message asks for, and what came of it.

use serde_json::{Value, json};

use super::bus::{ARCHIVE_SOURCE, Envelope, OBJECT_CREATED, SOURCE};
use super::id::{PaymentId, RefundId};

/// What a message on one of our queues asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkItem {
    Process(PaymentId),
    Refund(PaymentId, RefundId),
    /// Bring ledger and index, or the mails, up to the payment's state.
    Catchup(PaymentId),
}

impl WorkItem {
    #[must_use]
    pub fn payment(&self) -> &PaymentId {
        match self {
            Self::Process(id) | Self::Refund(id, _) | Self::Catchup(id) => id,
        }
    }
}

/// Why a message body is not ours to act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkItemError {
    /// Not JSON, or not an envelope.
    #[error("not an event envelope: {0}")]
    Envelope(String),
    /// An envelope, but not of an event that this system makes.
    #[error("unknown event: source {source_name}, detail-type {detail_type}")]
    Unknown {
        source_name: String,
        detail_type: String,
    },
    /// Of a known kind, but a member is missing or malformed.
    #[error("invalid `{member}` in the event")]
    Member { member: &'static str },
}

impl WorkItemError {
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Envelope(_) => "not_an_event",
            Self::Unknown { .. } => "unknown_event",
            Self::Member { .. } => "schema_error",
        }
    }
}

/// The archive key of a payment: a function of the id alone, so that a second put of the
/// same payment meets the first.
#[must_use]
pub fn archive_key(id: &PaymentId) -> String {
    format!("payments/{id}.json")
}

#[must_use]
pub fn payment_of_key(key: &str) -> Option<PaymentId> {
    key.strip_prefix("payments/")?
        .strip_suffix(".json")?
        .parse()
        .ok()
}

pub fn parse(body: &str) -> Result<WorkItem, WorkItemError> {
    let envelope: Envelope =
        serde_json::from_str(body).map_err(|error| WorkItemError::Envelope(error_place(&error)))?;
    let member = |name: &'static str| WorkItemError::Member { member: name };
    let text = |pointer: &str| envelope.detail.pointer(pointer).and_then(Value::as_str);
    match (envelope.source.as_str(), envelope.detail_type.as_str()) {
        (ARCHIVE_SOURCE, OBJECT_CREATED) => {
            let id = text("/object/key")
                .and_then(payment_of_key)
                .ok_or(member("detail.object.key"))?;
            Ok(WorkItem::Process(id))
        }
        (SOURCE, detail_type) => {
            let id = text("/payment_id")
                .and_then(|id| id.parse().ok())
                .ok_or(member("detail.payment_id"))?;
            if detail_type == REDRIVE {
                return Ok(WorkItem::Process(id));
            }
            if detail_type == super::outbox::OutboxKind::RefundRequested.as_str() {
                let refund = text("/refund_id")
                    .and_then(|id| id.parse().ok())
                    .ok_or(member("detail.refund_id"))?;
                return Ok(WorkItem::Refund(id, refund));
            }
            if super::bus::targets(SOURCE, detail_type).is_empty() {
                return Err(unknown_event(&envelope));
            }
            Ok(WorkItem::Catchup(id))
        }
        _ => Err(unknown_event(&envelope)),
    }
}

/// The `detail-type` of a message that the sweeper sends to the work queue itself.
pub const REDRIVE: &str = "PaymentRedrive";

#[must_use]
pub fn redrive_detail(id: &PaymentId) -> Value {
    json!({"payment_id": id})
}

fn unknown_event(envelope: &Envelope) -> WorkItemError {
    WorkItemError::Unknown {
        source_name: clip(&envelope.source),
        detail_type: clip(&envelope.detail_type),
    }
}

fn clip(text: &str) -> String {
    super::mask::text(&text.chars().take(64).collect::<String>())
}

/// What is wrong and where, without quoting the input: it may hold what must not be logged.
fn error_place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "wrong fields",
        serde_json::error::Category::Eof => "JSON that ends early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "invalid JSON",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerOutcome {
    Done,
    /// Not now: leave it, to be received again after the delay.
    Retry {
        class: String,
        reason: String,
        /// After how long; `None` for the policy's own back-off.
        after: Option<jiff::SignedDuration>,
    },
    /// Never: it goes to the dead-letter queue with this reason.
    Dead {
        class: String,
        reason: String,
    },
}

/// Names of the message attributes that go with a dead letter.
pub mod attribute {
    pub const CLASS: &str = "payops-class";
    pub const REASON: &str = "payops-reason";
    pub const QUEUE: &str = "payops-source-queue";
    pub const RECEIVES: &str = "payops-receive-count";
    /// When it was first sent, RFC 3339.
    pub const FIRST_SEEN: &str = "payops-first-seen";
    pub const REPLAYS: &str = "payops-replay-count";
    /// On a message that was given back unbegun and so sent anew: in how many receives before
    /// that work on it was begun.
    pub const BEGUN: &str = "payops-begun-count";
    /// Message id it had in the dead-letter queue when it was replayed.
    pub const REPLAY_OF: &str = "payops-replay-of";
    /// Which revision of the consumer gave up on it, such as `worker 1.9.0`.
    pub const CONSUMER: &str = "payops-consumer";

    /// Every one of them. SQS takes at most ten attributes, those of others included.
    pub const ALL: [&str; 9] = [
        CLASS, REASON, QUEUE, RECEIVES, FIRST_SEEN, REPLAYS, BEGUN, REPLAY_OF, CONSUMER,
    ];
    /// What tells of a death, and is left behind when the message is sent again.
    pub const OF_DEATH: [&str; 6] = [CLASS, REASON, QUEUE, RECEIVES, BEGUN, CONSUMER];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bus::{BusEvent, envelope, object_created};

    fn id() -> PaymentId {
        PaymentId::from_parts(1_763_800_000_000, 7)
    }

    fn at() -> crate::Timestamp {
        crate::Timestamp::UNIX_EPOCH
    }

    #[test]
    fn the_archive_event_asks_for_the_work() {
        let event = object_created("bucket", &archive_key(&id()), 10, at());
        assert_eq!(parse(&envelope("e1", &event)), Ok(WorkItem::Process(id())));
    }

    #[test]
    fn our_own_events_are_read() {
        let of = |name: &str, detail: Value| BusEvent {
            source: SOURCE.to_owned(),
            detail_type: name.to_owned(),
            detail,
            at: at(),
        };
        let body = |name, detail| parse(&envelope("e", &of(name, detail)));
        assert_eq!(
            body(REDRIVE, redrive_detail(&id())),
            Ok(WorkItem::Process(id()))
        );
        assert_eq!(
            body("PaymentCompleted", redrive_detail(&id())),
            Ok(WorkItem::Catchup(id()))
        );
        assert_eq!(
            body("RefundRequested", redrive_detail(&id())),
            Err(WorkItemError::Member {
                member: "detail.refund_id"
            })
        );
        assert_eq!(
            body("PaymentCompleted", json!({})),
            Err(WorkItemError::Member {
                member: "detail.payment_id"
            })
        );
        assert!(matches!(
            body("Nonsense", redrive_detail(&id())),
            Err(WorkItemError::Unknown { .. })
        ));
    }

    #[test]
    fn what_is_not_ours_is_named_without_being_quoted() {
        let error = parse("{\"card\": \"4242424242424242\"").expect_err("not JSON");
        assert!(!error.to_string().contains("4242"), "{error}");
        assert!(matches!(parse("[]"), Err(WorkItemError::Envelope(_))));
    }
}
