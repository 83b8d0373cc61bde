//! The plan of a replay.

use serde::{Deserialize, Serialize};

use super::edit::Edit;
use super::verdict::Verdict;
use crate::Timestamp;
use crate::domain::id::PaymentId;

/// How often a message may be replayed, unless the plan says otherwise.
pub const REPLAYS_MAX: u32 = 3;

/// What is known of a payment before its message is sent again.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Preflight {
    /// It waits for this message.
    Safe,
    /// It came to its end already: the consumer will acknowledge the message and do nothing.
    AlreadyFinal,
    /// The message names no payment that the store knows.
    #[default]
    Unknown,
}

/// One message of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its group, on a FIFO queue.
    #[serde(default)]
    pub group: Option<String>,
    /// How often it has been replayed before.
    #[serde(default)]
    pub replays: u32,
    /// Id of the cause that it died of.
    #[serde(default)]
    pub cause: Option<String>,
    /// What becomes of it. Plans of before there were verdicts sent every message.
    #[serde(default)]
    pub verdict: Verdict,
}

/// A cause as a plan names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseSummary {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Its reason, without what differs from letter to letter.
    pub fingerprint: String,
    /// How many messages of the plan died of it.
    pub count: u64,
}

/// A message that is sent with another body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEdit {
    /// Which message.
    pub message_id: String,
    /// What is changed in it. May hold personal data: a plan with edits is as private as the bodies.
    pub edit: Edit,
    /// SHA-256 of the body that it is made for.
    pub old_sha256: String,
    /// SHA-256 of the body that is sent.
    pub new_sha256: String,
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
    /// How often a message may be replayed.
    #[serde(default = "replays_max")]
    pub replays_max: u32,
    /// What its messages died of, most first.
    #[serde(default)]
    pub causes: Vec<CauseSummary>,
    /// The expression that chose the messages, see [`crate::domain::filter`].
    #[serde(default)]
    pub filter: Option<String>,
    /// Messages that are sent with another body.
    #[serde(default)]
    pub edits: Vec<PlannedEdit>,
}

fn replays_max() -> u32 {
    REPLAYS_MAX
}

impl Default for Plan {
    /// A plan that does nothing, to make others from.
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

impl Plan {
    /// How many messages are to be sent.
    #[must_use]
    pub fn to_send(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| message.verdict == Verdict::Send)
            .count()
    }

    /// The edit of a message, if there is one.
    #[must_use]
    pub fn edit_of(&self, message_id: &str) -> Option<&PlannedEdit> {
        self.edits.iter().find(|edit| edit.message_id == message_id)
    }
}
