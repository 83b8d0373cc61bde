//! Replay of dead letters: a plan that names every message, and a journal from which a
//! replay that was cut off goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::PaymentId;
use crate::Timestamp;

/// What is known of a payment before its message is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preflight {
    /// It waits for this message.
    Safe,
    /// It came to its end already: the consumer will acknowledge the message and do nothing.
    AlreadyFinal,
    /// The message names no payment that the store knows.
    Unknown,
}

/// One message of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMessage {
    /// Its name in the dead-letter queue.
    pub message_id: String,
    /// SHA-256 of its body: only the message that was looked at is sent.
    pub body_sha256: String,
    /// The payment it is about, if it names one.
    pub payment_id: Option<PaymentId>,
    /// Class of the reason why it died.
    pub class: String,
    /// What is known of the payment.
    pub preflight: Preflight,
}

/// What a replay will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Names the plan.
    pub id: String,
    /// Which environment.
    pub env: String,
    /// From which dead-letter queue.
    pub queue: String,
    /// To which queue.
    pub target: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was made.
    pub at: Timestamp,
    /// Its messages.
    pub messages: Vec<PlannedMessage>,
}

/// What became of one message. A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum JournalEntry {
    /// The first line: what is to be done.
    Plan(Plan),
    /// About to be sent. Without a later line it may or may not have been.
    Sending {
        /// Which message.
        message_id: String,
    },
    /// Sent, and gone from the dead-letter queue.
    Sent {
        /// Which message.
        message_id: String,
        /// Its name in the target queue.
        new_message_id: Option<String>,
    },
    /// Sent, but it could not be deleted from the dead-letter queue: a later replay may send it twice.
    SentNotDeleted {
        /// Which message.
        message_id: String,
        /// Why.
        reason: String,
    },
    /// Sent once before an interruption that left it unclear, and sent again after it.
    SentTwice {
        /// Which message.
        message_id: String,
    },
    /// Not sent; it is still in the dead-letter queue, or was changed or taken by somebody else.
    Failed {
        /// Which message.
        message_id: String,
        /// Why.
        reason: String,
    },
    /// The last line of a replay that came to its end.
    Finished {
        /// When.
        at: Timestamp,
    },
}

/// How far a replay got, read from its journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages that were sent (once or twice).
    pub sent: BTreeSet<String>,
    /// Messages that were not, and why.
    pub failed: BTreeMap<String, String>,
    /// Messages that were about to be sent when the replay was cut off.
    pub unclear: BTreeSet<String>,
    /// Whether the replay came to its end.
    pub finished: bool,
}

impl Progress {
    /// Reads the entries of a journal in order.
    #[must_use]
    pub fn read(entries: &[JournalEntry]) -> Self {
        let mut out = Self::default();
        for entry in entries {
            match entry {
                JournalEntry::Plan(_) => {}
                JournalEntry::Sending { message_id } => {
                    out.failed.remove(message_id);
                    out.unclear.insert(message_id.clone());
                }
                JournalEntry::Sent { message_id, .. }
                | JournalEntry::SentNotDeleted { message_id, .. }
                | JournalEntry::SentTwice { message_id } => {
                    out.unclear.remove(message_id);
                    out.sent.insert(message_id.clone());
                }
                JournalEntry::Failed { message_id, reason } => {
                    out.unclear.remove(message_id);
                    out.failed.insert(message_id.clone(), reason.clone());
                }
                JournalEntry::Finished { .. } => out.finished = true,
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_journal_says_what_is_unclear() {
        let entries = [
            JournalEntry::Sending { message_id: "a".into() },
            JournalEntry::Sent { message_id: "a".into(), new_message_id: None },
            JournalEntry::Sending { message_id: "b".into() },
        ];
        let progress = Progress::read(&entries);
        assert_eq!(
            (progress.sent, progress.unclear, progress.finished),
            (BTreeSet::from(["a".to_owned()]), BTreeSet::from(["b".to_owned()]), false)
        );
    }
}
