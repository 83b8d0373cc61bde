//! The hash of a plan stays what it is, and covers all of it.

use super::{ReplayPlan, plan_sha256};

pub(super) mod tests {
    use super::super::{
        CauseSummary, Disposition, Edit, JournalEntry, PlannedEdit, PlannedMessage, Preflight, Set,
    };
    use super::*;
    use serde_json::{Value, json};

    /// A plan with every member set.
    pub(in crate::domain::replay) fn plan() -> ReplayPlan {
        let message = PlannedMessage {
            message_id: "a".to_owned(),
            body_sha256: "00".to_owned(),
            payment_id: Some(crate::domain::id::PaymentId::from_parts(
                1_763_800_000_000,
                7,
            )),
            class: "schema_error".to_owned(),
            preflight: Preflight::Safe,
            group: Some("g".to_owned()),
            replays: 1,
            cause: Some("603a99b8".to_owned()),
            disposition: Disposition::Park {
                why: "often".to_owned(),
            },
        };
        let edit = Edit::Set(vec![Set {
            pointer: "/detail/amount".to_owned(),
            value: json!(1250),
        }]);
        ReplayPlan {
            id: "1-x".to_owned(),
            env: "prod".to_owned(),
            queue: "payments-work-dlq".to_owned(),
            target: "payments-work".to_owned(),
            by: "anna".to_owned(),
            reason: "fixed “it”".to_owned(),
            messages: vec![
                message,
                PlannedMessage {
                    message_id: "b".to_owned(),
                    ..PlannedMessage::default()
                },
            ],
            account: Some("471122334455".to_owned()),
            rate_per_second: Some(50),
            canary: Some(5),
            parking: Some("parking".to_owned()),
            causes: vec![CauseSummary {
                id: "603a99b8".to_owned(),
                count: 2,
                ..CauseSummary::default()
            }],
            filter: Some("class == 'schema_error'".to_owned()),
            edits: vec![PlannedEdit {
                message_id: "a".to_owned(),
                edit,
                old_sha256: "00".to_owned(),
                new_sha256: "01".to_owned(),
            }],
            ..ReplayPlan::default()
        }
    }

    /// All values like `value` but for one scalar changed somewhere.
    fn changed(value: &Value) -> Vec<Value> {
        match value {
            Value::Array(items) => {
                let with = |place: usize, item: Value| {
                    let mut items = items.clone();
                    items[place] = item;
                    Value::Array(items)
                };
                items
                    .iter()
                    .enumerate()
                    .flat_map(|(place, item)| {
                        changed(item).into_iter().map(move |item| with(place, item))
                    })
                    .collect()
            }
            Value::Object(members) => {
                let with = |name: &String, member: Value| {
                    let mut members = members.clone();
                    members.insert(name.clone(), member);
                    Value::Object(members)
                };
                members
                    .iter()
                    .flat_map(|(name, member)| {
                        changed(member)
                            .into_iter()
                            .map(move |member| with(name, member))
                    })
                    .collect()
            }
            Value::String(text) => [format!("{text}x"), "safe".into(), "unknown".into()]
                .into_iter()
                .filter(|other| other != text)
                .map(Value::from)
                .collect(),
            Value::Number(number) => vec![json!(number.as_u64().unwrap_or(0) + 1)],
            _ => vec![json!("x"), json!(1)],
        }
    }

    #[test]
    fn whatever_is_changed_changes_the_hash() {
        let value = serde_json::to_value(plan()).expect("JSON");
        let others: Vec<ReplayPlan> = changed(&value)
            .into_iter()
            .filter_map(|value| serde_json::from_value(value).ok())
            .collect();
        assert!(others.len() > 40, "{}", others.len());
        let hashes: std::collections::BTreeSet<String> = others.iter().map(plan_sha256).collect();
        assert!(!hashes.contains(&plan_sha256(&plan())));
        let mut turned = plan();
        turned.messages.reverse();
        assert_ne!(plan_sha256(&turned), plan_sha256(&plan()));
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(16));
    }

    #[test]
    fn a_journal_keeps_the_whole_plan() {
        let line = serde_json::to_string(&JournalEntry::Plan(plan())).expect("JSON");
        assert_eq!(
            serde_json::from_str::<JournalEntry>(&line).expect("a line"),
            JournalEntry::Plan(plan())
        );
    }

    #[test]
    fn the_hash_stays_what_it_is() {
        assert_eq!(
            plan_sha256(&plan()),
            "cf49a8c0d211c3b50ee0bfbdc167f6121c669fc8fe569f51bc63957ee7cef6fa"
        );
        let again: ReplayPlan =
            serde_json::from_str(&serde_json::to_string_pretty(&plan()).expect("JSON"))
                .expect("a plan");
        assert_eq!(plan_sha256(&again), plan_sha256(&plan()));
    }
}
