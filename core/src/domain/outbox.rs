//! The outbox: what must still be told to the rest of the system, written in the same
//! transaction as the change that it tells of.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::PaymentId;
use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OutboxKind {
    /// Accepted: archive the request (which triggers the work) and index it.
    PaymentAccepted,
    PaymentCompleted,
    PaymentFailed,
    PaymentCanceled,
    PaymentReview,
    /// In a dead-letter queue, or out of it again.
    PaymentDead,
    RefundRequested,
    RefundSucceeded,
    RefundFailed,
}

impl OutboxKind {
    pub const ALL: [Self; 9] = [
        Self::PaymentAccepted,
        Self::PaymentCompleted,
        Self::PaymentFailed,
        Self::PaymentCanceled,
        Self::PaymentReview,
        Self::PaymentDead,
        Self::RefundRequested,
        Self::RefundSucceeded,
        Self::RefundFailed,
    ];

    /// The name; also the bus event's `detail-type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentAccepted => "PaymentAccepted",
            Self::PaymentCompleted => "PaymentCompleted",
            Self::PaymentFailed => "PaymentFailed",
            Self::PaymentCanceled => "PaymentCanceled",
            Self::PaymentReview => "PaymentReview",
            Self::PaymentDead => "PaymentDead",
            Self::RefundRequested => "RefundRequested",
            Self::RefundSucceeded => "RefundSucceeded",
            Self::RefundFailed => "RefundFailed",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEvent {
    /// `payment:version:kind`; a second row of that name is the same event.
    pub id: String,
    pub payment: PaymentId,
    pub version: u64,
    pub kind: OutboxKind,
    pub refund: Option<super::id::RefundId>,
    /// For [`OutboxKind::PaymentAccepted`]: the token-only request, to be archived.
    pub payload: Option<String>,
    pub at: Timestamp,
}

impl OutboxEvent {
    /// A row for `payment` at `version`.
    #[must_use]
    pub fn new(payment: &PaymentId, version: u64, kind: OutboxKind, at: Timestamp) -> Self {
        let id = format!("{payment}:{version}:{}", kind.as_str());
        Self {
            id,
            payment: payment.clone(),
            version,
            kind,
            refund: None,
            payload: None,
            at,
        }
    }

    /// The bus event's detail: identifiers only. Consumers read the payment from the store,
    /// so a late, doubled or reordered event misleads nobody.
    #[must_use]
    pub fn detail(&self) -> Value {
        json!({
            "payment_id": self.payment, "version": self.version, "refund_id": self.refund,
            "outbox_id": self.id,
        })
    }
}
