//! The record of what operators did.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// In which environment.
    pub env: String,
    /// What: `reveal`, `cancel`, `refund`, `replay`, `rollout promote`.
    pub action: String,
    /// To what: a payment id, a queue, a rollout.
    pub subject: Option<String>,
    /// Why.
    pub reason: Option<String>,
}
