//! Which entries of the record somebody wants to see.

use super::AuditEntry;
use crate::Timestamp;
use crate::domain::access::Action;

/// What an entry must be like; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub who: Option<String>,
    /// An action by its name, or the beginning of one: `rollout` finds `rollout.promote`. The
    /// older names of an action find the same entries as its name today.
    pub action: Option<String>,
    pub subject: Option<String>,
    pub env: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Any text of the entry has this in it, capital or small.
    pub text: Option<String>,
}

impl AuditQuery {
    #[must_use]
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let fits = |wanted: &Option<String>, fits: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(fits)
        };
        fits(&self.who, &|who| entry.who == who)
            && fits(&self.env, &|env| entry.env == env)
            && fits(&self.action, &|start| is_action(entry, start))
            && fits(&self.subject, &|part| {
                entry
                    .subject
                    .as_deref()
                    .is_some_and(|subject| subject.contains(part))
            })
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && fits(&self.text, &|part| holds(entry, &part.to_lowercase()))
    }
}

fn is_action(entry: &AuditEntry, start: &str) -> bool {
    entry.action.starts_with(start)
        || Action::ALL
            .iter()
            .filter(|action| action.as_str().starts_with(start) || action.is_recorded_as(start))
            .any(|action| action.is_recorded_as(&entry.action))
}

/// Whether any text of the entry has `part`, in small letters, in it.
fn holds(entry: &AuditEntry, part: &str) -> bool {
    let always = [&entry.who, &entry.env, &entry.action];
    let perhaps = [
        &entry.subject,
        &entry.reason,
        &entry.role,
        &entry.account,
        &entry.session,
        &entry.ticket,
        &entry.equivalent,
    ];
    let detail = entry.detail.iter().flat_map(|(name, text)| [name, text]);
    always
        .into_iter()
        .chain(perhaps.into_iter().flatten())
        .chain(detail)
        .any(|text| text.to_lowercase().contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[track_caller]
    fn check(query: &AuditQuery, expected: bool) {
        let entry = AuditEntry::new(at(100), "anna", "prod", "rollout promote")
            .subject("eks-prod/payments/payments-api")
            .ticket("OPS-17")
            .detail("message", "m-Eins");
        assert_eq!(query.matches(&entry), expected, "{query:?}");
    }

    #[test]
    fn an_empty_question_finds_all() {
        check(&AuditQuery::default(), true);
    }

    #[test]
    fn people_and_environments_are_whole_words() {
        check(
            &AuditQuery {
                who: Some("anna".into()),
                env: Some("prod".into()),
                ..AuditQuery::default()
            },
            true,
        );
        check(
            &AuditQuery {
                who: Some("ann".into()),
                ..AuditQuery::default()
            },
            false,
        );
        check(
            &AuditQuery {
                env: Some("preprod".into()),
                ..AuditQuery::default()
            },
            false,
        );
    }

    #[test]
    fn actions_begin_and_subjects_hold() {
        check(
            &AuditQuery {
                action: Some("rollout".into()),
                subject: Some("payments-api".into()),
                ..AuditQuery::default()
            },
            true,
        );
        check(
            &AuditQuery {
                action: Some("promote".into()),
                ..AuditQuery::default()
            },
            false,
        );
        check(
            &AuditQuery {
                subject: Some("worker".into()),
                ..AuditQuery::default()
            },
            false,
        );
    }

    #[test]
    fn entries_under_an_older_name_are_found_by_the_new_one() {
        for (action, expected) in [
            ("rollout.promote", true),
            ("rollout.", true),
            ("rollout.abort", false),
            ("dlq", false),
        ] {
            check(
                &AuditQuery {
                    action: Some(action.into()),
                    ..AuditQuery::default()
                },
                expected,
            );
        }
    }

    #[test]
    fn the_end_of_a_time_is_not_in_it() {
        check(
            &AuditQuery {
                since: Some(at(100)),
                until: Some(at(101)),
                ..AuditQuery::default()
            },
            true,
        );
        check(
            &AuditQuery {
                until: Some(at(100)),
                ..AuditQuery::default()
            },
            false,
        );
        check(
            &AuditQuery {
                since: Some(at(101)),
                ..AuditQuery::default()
            },
            false,
        );
    }

    #[test]
    fn text_is_looked_for_everywhere_capital_or_small() {
        check(
            &AuditQuery {
                text: Some("ops-17".into()),
                ..AuditQuery::default()
            },
            true,
        );
        check(
            &AuditQuery {
                text: Some("M-EINS".into()),
                ..AuditQuery::default()
            },
            true,
        );
        check(
            &AuditQuery {
                text: Some("OPS-18".into()),
                ..AuditQuery::default()
            },
            false,
        );
    }
}
