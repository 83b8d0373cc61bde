//! The plan of a replay.

use serde::{Deserialize, Serialize};

use super::disposition::{Disposition, Preflight, REPLAYS_MAX};
use super::edit::Edit;
use crate::Timestamp;
use crate::domain::id::PaymentId;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMessage {
    pub message_id: String,
    /// SHA-256 of its body: only the message that was looked at is sent.
    pub body_sha256: String,
    pub payment_id: Option<PaymentId>,
    pub class: String,
    pub preflight: Preflight,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub replays: u32,
    #[serde(default)]
    pub cause: Option<String>,
    /// What becomes of it. Plans written before there were dispositions sent every message.
    #[serde(default, rename = "verdict")]
    pub disposition: Disposition,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseSummary {
    pub id: String,
    pub class: String,
    /// Its reason, without what differs from dead letter to dead letter.
    pub fingerprint: String,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEdit {
    pub message_id: String,
    /// What is changed in it. May hold personal data: a plan with edits is as private as the
    /// bodies.
    pub edit: Edit,
    /// SHA-256 of the body that it is made for.
    pub old_sha256: String,
    /// SHA-256 of the body that is sent.
    pub new_sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPlan {
    pub id: String,
    pub env: String,
    pub queue: String,
    pub target: String,
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
    pub messages: Vec<PlannedMessage>,
    /// The account that the queues are of; `None` on a single machine.
    #[serde(default)]
    pub account: Option<String>,
    /// How many messages are sent in a second at most; `None` for no limit.
    #[serde(default)]
    pub rate_per_second: Option<u32>,
    /// How many messages are sent first and watched; `None` for all at once.
    #[serde(default)]
    pub canary: Option<u32>,
    /// The queue for messages that have been replayed too often.
    #[serde(default)]
    pub parking: Option<String>,
    #[serde(default = "replays_max")]
    pub replays_max: u32,
    /// What its messages died of, most first.
    #[serde(default)]
    pub causes: Vec<CauseSummary>,
    /// The expression that chose the messages, see [`crate::domain::filter`].
    #[serde(default)]
    pub filter: Option<String>,
    #[serde(default)]
    pub edits: Vec<PlannedEdit>,
}

fn replays_max() -> u32 {
    REPLAYS_MAX
}

impl Default for ReplayPlan {
    fn default() -> Self {
        let text = String::new;
        Self {
            id: text(),
            env: text(),
            queue: text(),
            target: text(),
            by: text(),
            reason: text(),
            at: Timestamp::UNIX_EPOCH,
            messages: Vec::new(),
            account: None,
            rate_per_second: None,
            canary: None,
            parking: None,
            replays_max: REPLAYS_MAX,
            causes: Vec::new(),
            filter: None,
            edits: Vec::new(),
        }
    }
}

impl ReplayPlan {
    #[must_use]
    pub fn to_send(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| message.disposition == Disposition::Send)
            .count()
    }

    #[must_use]
    pub fn edit_of(&self, message_id: &str) -> Option<&PlannedEdit> {
        self.edits.iter().find(|edit| edit.message_id == message_id)
    }
}
