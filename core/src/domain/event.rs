//! Timeline events: what happened to a payment, in order, for ever.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Accepted,
    Archived,
    /// A queue delivered its message to a worker for the first time.
    Queued,
    Attempt,
    /// The provider definitely did nothing; the attempt will be repeated.
    AttemptFailed,
    /// The provider's answer is not known.
    AttemptUnknown,
    Completed,
    Failed,
    Canceled,
    Review,
    Resolved,
    DeadLettered,
    Redriven,
    Replayed,
    RefundRequested,
    /// The provider took a refund on; it is not paid out yet.
    RefundPending,
    RefundSucceeded,
    /// A refund was refused by the provider.
    RefundFailed,
    Ledger,
    Indexed,
    MailAttempt,
    /// The mail service definitely did not take a mail.
    MailRefused,
    Receipt,
    FailureNotice,
    RefundNotice,
    /// A mail was tried as often as allowed, with no word whether it went out.
    MailUnconfirmed,
}

impl EventKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Archived => "archived",
            Self::Queued => "queued",
            Self::Attempt => "attempt",
            Self::AttemptFailed => "attempt_failed",
            Self::AttemptUnknown => "attempt_unknown",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Review => "review",
            Self::Resolved => "resolved",
            Self::DeadLettered => "dead_lettered",
            Self::Redriven => "redriven",
            Self::Replayed => "replayed",
            Self::RefundRequested => "refund_requested",
            Self::RefundPending => "refund_pending",
            Self::RefundSucceeded => "refund_succeeded",
            Self::RefundFailed => "refund_failed",
            Self::Ledger => "ledger",
            Self::Indexed => "indexed",
            Self::MailAttempt => "mail_attempt",
            Self::MailRefused => "mail_refused",
            Self::Receipt => "receipt",
            Self::FailureNotice => "failure_notice",
            Self::RefundNotice => "refund_notice",
            Self::MailUnconfirmed => "mail_unconfirmed",
        }
    }

    /// The kind of that name, as [`EventKind::as_str`] gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub at: Timestamp,
    pub kind: EventKind,
    pub detail: Value,
}

impl NewEvent {
    #[must_use]
    pub fn new(at: Timestamp, kind: EventKind, detail: Value) -> Self {
        Self { at, kind, detail }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: 1, 2, 3 … without gaps.
    pub seq: u64,
    pub at: Timestamp,
    pub kind: EventKind,
    pub version: u64,
    pub detail: Value,
}

/// An event that hangs on no state change (archived, posted, mailed), written at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its name within the payment; a second note of that name is not written.
    pub once: String,
    pub event: NewEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in [
            EventKind::Accepted,
            EventKind::AttemptUnknown,
            EventKind::MailUnconfirmed,
            EventKind::Ledger,
        ] {
            assert_eq!(EventKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::from_name("nonsense"), None);
    }
}
