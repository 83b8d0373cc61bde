//! What one line of the record says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// About to be done; without a later entry nobody knows how it ended.
    Begun,
    Done,
    Failed,
    Refused,
}

/// One line of the record. Members that are empty are left out of its JSON, but for `subject`
/// and `reason`, which were always written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub who: String,
    pub env: String,
    /// What: `reveal`, `cancel`, `refund`, `resolve-charged`, `replay`, `rollout promote`.
    pub action: String,
    pub subject: Option<String>,
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The source identity of the session: what the account's own log calls the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AuditOutcome>,
    /// Short texts by name, such as message ids and the hash of the plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
    /// The same with `aws` or `kubectl`.
    #[serde(rename = "same_as", default, skip_serializing_if = "Option::is_none")]
    pub equivalent: Option<String>,
}

impl AuditEntry {
    /// An entry that says when, who, where and what; the methods below add the rest.
    #[must_use]
    pub fn new(
        at: Timestamp,
        who: impl Into<String>,
        env: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            at,
            who: who.into(),
            env: env.into(),
            action: action.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }

    #[must_use]
    pub fn role(self, role: impl Into<String>) -> Self {
        Self {
            role: Some(role.into()),
            ..self
        }
    }

    #[must_use]
    pub fn account(self, account: impl Into<String>) -> Self {
        Self {
            account: Some(account.into()),
            ..self
        }
    }

    #[must_use]
    pub fn session(self, session: impl Into<String>) -> Self {
        Self {
            session: Some(session.into()),
            ..self
        }
    }

    #[must_use]
    pub fn ticket(self, ticket: impl Into<String>) -> Self {
        Self {
            ticket: Some(ticket.into()),
            ..self
        }
    }

    #[must_use]
    pub fn outcome(self, outcome: AuditOutcome) -> Self {
        Self {
            outcome: Some(outcome),
            ..self
        }
    }

    /// One more short text by name; a name that is there already gets the new text.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.detail.insert(name.into(), text.into());
        self
    }

    /// The same with `aws` or `kubectl`.
    #[must_use]
    pub fn equivalent(self, line: impl Into<String>) -> Self {
        Self {
            equivalent: Some(line.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &AuditEntry, expected: &str) {
        let text = serde_json::to_string(entry).expect("JSON");
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<AuditEntry>(&text).expect("an entry"),
            *entry
        );
    }

    fn plain() -> AuditEntry {
        AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "prod", "reveal")
    }

    #[test]
    fn an_entry_without_the_new_members_is_written_as_before() {
        check(
            &plain().reason("ticket"),
            r#"{"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","subject":null,"reason":"ticket"}"#,
        );
    }

    #[test]
    fn every_member_comes_back() {
        let full = plain()
            .subject("s")
            .role("operate")
            .account("1")
            .session("anna@example.com")
            .ticket("OPS-1")
            .outcome(AuditOutcome::Refused);
        check(
            &full.detail("plan", "ab").equivalent("aws sqs"),
            r#"{"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","subject":"s","reason":null,"role":"operate","account":"1","session":"anna@example.com","ticket":"OPS-1","outcome":"refused","detail":{"plan":"ab"},"same_as":"aws sqs"}"#,
        );
    }

    #[test]
    fn members_of_a_newer_version_are_passed_over() {
        let text = r#"{"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","weather":"rain"}"#;
        assert_eq!(
            serde_json::from_str::<AuditEntry>(text).expect("an entry"),
            plain()
        );
    }
}
