//! A refund as a plan that somebody else approves: how much of which payment, and of which state of
//! it.

use serde::{Deserialize, Serialize};

use super::id::PaymentId;
use super::money::Currency;
use super::planned::{self, Planned};
use super::text::IdempotencyKey;
use crate::Timestamp;

/// What will be paid back. Its hash covers all of it (see [`planned::plan_sha256`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundPlan {
    pub env: String,
    pub account: Option<String>,
    pub payment: PaymentId,
    /// Of this version of it: once it has changed, the plan is none any more.
    pub version: u64,
    pub minor: i64,
    pub currency: Currency,
    pub reason: Option<String>,
    pub by: String,
    pub at: Timestamp,
    /// Names the request: carried out twice, the plan pays back once.
    pub key: IdempotencyKey,
}

/// A refund's plan as it is written to a file, for others to look at.
pub type RefundFile = planned::PlanFile<RefundPlan>;

impl Planned for RefundPlan {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn by(&self) -> &str {
        &self.by
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::planned::{PlanFileError, plan_sha256};

    fn plan() -> RefundPlan {
        RefundPlan {
            env: "prod".to_owned(),
            account: Some("471122334455".to_owned()),
            payment: PaymentId::from_parts(1_763_800_000_000, 7),
            version: 3,
            minor: 50_000,
            currency: "EUR".parse().expect("a currency"),
            reason: Some("ticket 7".to_owned()),
            by: "anna".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            key: "payops-1".parse().expect("a key"),
        }
    }

    #[test]
    fn whatever_is_changed_changes_the_hash() {
        let whole = serde_json::to_value(plan()).expect("JSON");
        let other = PaymentId::from_parts(1_763_800_000_000, 8);
        let changes = [
            ("env", json!("test")),
            ("account", Value::Null),
            ("payment", json!(other)),
            ("version", json!(4)),
            ("minor", json!(50_001)),
            ("currency", json!("USD")),
            ("reason", json!("ticket 8")),
            ("by", json!("ben")),
            ("at", json!("1970-01-01T00:00:01Z")),
            ("key", json!("payops-2")),
        ];
        assert_eq!(
            whole.as_object().map(serde_json::Map::len),
            Some(changes.len()),
            "each member is tried"
        );
        let hash = |(name, value): (&str, Value)| {
            let mut members = whole.clone();
            members[name] = value;
            let other: RefundPlan = serde_json::from_value(members).expect("a plan");
            let file = RefundFile {
                plan: other.clone(),
                ..RefundFile::new(plan())
            };
            assert!(
                matches!(
                    file.check(Timestamp::UNIX_EPOCH),
                    Err(PlanFileError::Changed { .. })
                ),
                "{name}"
            );
            plan_sha256(&other)
        };
        let hashes: BTreeSet<String> = changes
            .into_iter()
            .map(hash)
            .chain([plan_sha256(&plan())])
            .collect();
        assert_eq!(hashes.len(), 11);
    }

    #[test]
    fn the_hash_stays_what_it_is() {
        assert_eq!(
            plan_sha256(&plan()),
            "961a9b34c1ee0869118f512dfffcbaa1ab9340356afc5d2b33687ba38f932c81"
        );
        let mut more = serde_json::to_value(RefundFile::new(plan())).expect("JSON");
        more["plan"]["amount"] = json!(1);
        assert!(
            serde_json::from_value::<RefundFile>(more).is_err(),
            "a member that is not covered is not passed over"
        );
    }
}
