//! The journal of a replay: a line for everything that is done, written before or right after
//! it, so that a replay that was cut off goes on where it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ReplayPlan;
use crate::Timestamp;

/// What became of one message. A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
#[expect(
    clippy::large_enum_variant,
    reason = "a journal has one plan, at its beginning; the other lines are read by the thousand \
        and dropped"
)]
pub enum JournalEntry {
    /// The first line: what is to be done.
    Plan(ReplayPlan),
    /// About to be sent. Without a later line it may or may not have been.
    Sending {
        message_id: String,
    },
    Sent {
        message_id: String,
        new_message_id: Option<String>,
    },
    /// Sent, but it could not be deleted from the dead-letter queue: a later replay may send it
    /// twice.
    SentNotDeleted {
        message_id: String,
        reason: String,
    },
    /// Sent once before an interruption that left it unclear, and sent again after it.
    SentTwice {
        message_id: String,
    },
    /// Not sent; it is still in the dead-letter queue, or was changed or taken by somebody else.
    Failed {
        message_id: String,
        reason: String,
    },
    /// Moved to the parking queue: it has been replayed as often as the plan allows.
    Parked {
        message_id: String,
        #[serde(default)]
        new_message_id: Option<String>,
    },
    Skipped {
        message_id: String,
        reason: String,
    },
    Discarded {
        message_id: String,
        reason: String,
        /// SHA-256 of the body that is gone.
        body_sha256: String,
    },
    /// About to be sent with another body; what becomes of it says a later line.
    Edited {
        message_id: String,
        /// SHA-256 of the body that it had.
        old_sha256: String,
        /// SHA-256 of the body that is sent.
        new_sha256: String,
    },
    /// The first messages were sent, and none came back: the rest may go.
    CanaryPassed {
        sent: u64,
    },
    /// The first messages were sent, and the replay stopped by itself.
    CanaryStopped {
        sent: u64,
        /// Those that came back, by their names in the plan.
        re_arrived: Vec<String>,
        why: String,
    },
    /// The last line of a replay that came to its end.
    Finished {
        at: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canary {
    Passed {
        sent: u64,
    },
    Stopped {
        sent: u64,
        re_arrived: Vec<String>,
        why: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages that were sent (once or twice).
    pub sent: BTreeSet<String>,
    /// Messages that were not, and why.
    pub failed: BTreeMap<String, String>,
    /// Messages that were about to be sent when the replay was cut off.
    pub unclear: BTreeSet<String>,
    /// Those of them that were about to be sent more than once: after two cuts nobody knows of them
    /// whether the first sending, the second or both had their effect.
    pub again: BTreeSet<String>,
    pub parked: BTreeSet<String>,
    pub skipped: BTreeMap<String, String>,
    pub discarded: BTreeMap<String, String>,
    /// SHA-256 of the body that a message was last given, by message.
    pub edited: BTreeMap<String, String>,
    /// What became of the canary, as far as that is known.
    pub canary: Option<Canary>,
    pub finished: bool,
}

impl Progress {
    #[must_use]
    pub fn read(entries: &[JournalEntry]) -> Self {
        let mut out = Self::default();
        for entry in entries {
            out.take(entry);
        }
        out
    }

    /// Whether nothing is left to be done for a message: it was sent, parked, discarded or skipped.
    #[must_use]
    pub fn is_settled(&self, message_id: &str) -> bool {
        self.sent.contains(message_id)
            || self.parked.contains(message_id)
            || self.discarded.contains_key(message_id)
            || self.skipped.contains_key(message_id)
    }

    /// Takes in the next line. Of a long journal, line by line: its lines need not all be kept.
    pub fn take(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Plan(_) => {}
            JournalEntry::Sending { message_id } => {
                self.failed.remove(message_id);
                self.skipped.remove(message_id);
                if !self.unclear.insert(message_id.clone()) {
                    self.again.insert(message_id.clone());
                }
            }
            JournalEntry::Sent { message_id, .. }
            | JournalEntry::SentNotDeleted { message_id, .. }
            | JournalEntry::SentTwice { message_id } => {
                self.open(message_id);
                self.sent.insert(message_id.clone());
            }
            JournalEntry::Failed { message_id, reason } => {
                self.open(message_id);
                self.failed.insert(message_id.clone(), reason.clone());
            }
            JournalEntry::Parked { message_id, .. } => {
                self.open(message_id);
                self.parked.insert(message_id.clone());
            }
            JournalEntry::Skipped { message_id, reason } => {
                self.open(message_id);
                self.skipped.insert(message_id.clone(), reason.clone());
            }
            JournalEntry::Discarded {
                message_id, reason, ..
            } => {
                self.open(message_id);
                self.discarded.insert(message_id.clone(), reason.clone());
            }
            JournalEntry::Edited {
                message_id,
                new_sha256,
                ..
            } => {
                self.edited.insert(message_id.clone(), new_sha256.clone());
            }
            JournalEntry::CanaryPassed { sent } => {
                self.canary = Some(Canary::Passed { sent: *sent });
            }
            JournalEntry::CanaryStopped {
                sent,
                re_arrived,
                why,
            } => {
                self.canary = Some(Canary::Stopped {
                    sent: *sent,
                    re_arrived: re_arrived.clone(),
                    why: why.clone(),
                });
            }
            JournalEntry::Finished { .. } => self.finished = true,
        }
    }

    fn open(&mut self, message_id: &str) {
        self.unclear.remove(message_id);
        self.failed.remove(message_id);
        self.skipped.remove(message_id);
    }
}

#[cfg(test)]
mod tests;
