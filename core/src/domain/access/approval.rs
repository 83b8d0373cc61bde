//! Another person's consent to one plan.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::CLOCKS_APART;
use crate::Timestamp;

pub const APPROVAL_LASTS: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: Timestamp,
    /// SHA-256 of the plan, in hex: of this plan and no other.
    pub plan_sha256: String,
}

impl Approval {
    /// Whether it counts for what `who` wants to do by that plan: somebody else's, of exactly that
    /// plan, and not too old.
    #[must_use]
    pub fn counts(&self, who: &str, plan_sha256: &str, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        !same_person(&self.by, who)
            && self.plan_sha256.eq_ignore_ascii_case(plan_sha256)
            && age < APPROVAL_LASTS
            && age.checked_neg().is_some_and(|ahead| ahead <= CLOCKS_APART)
    }
}

/// An approval as it is kept where whoever carries the plan out cannot write it under another's
/// name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    pub approval: Approval,
    /// With whose credentials it was given: an ARN in AWS.
    pub principal: String,
}

/// How many characters of a name tell people apart: a session's source identity has no more.
const NAME_MAX: usize = 64;

/// Whether two names may be one person's. The safe side: names that differ in capitals, in spaces
/// around them, or in characters for which a session's source identity has another do not prove two
/// people.
#[must_use]
pub fn same_person(one: &str, other: &str) -> bool {
    normalize_person(one) == normalize_person(other)
}

/// A name without what does not tell people apart.
fn normalize_person(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let plain: String = name.trim().chars().take(NAME_MAX).map(plain).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() {
        name.trim().to_lowercase()
    } else {
        plain.to_owned()
    }
}

pub(super) fn approvers(
    approvals: &[Approval],
    who: &str,
    plan_sha256: &str,
    now: Timestamp,
) -> usize {
    let counting = approvals
        .iter()
        .filter(|approval| approval.counts(who, plan_sha256, now));
    counting
        .map(|approval| normalize_person(&approval.by))
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn approval(by: &str, second: i64, plan: &str) -> Approval {
        Approval {
            by: by.into(),
            at: Timestamp::from_second(second).expect("a time"),
            plan_sha256: plan.into(),
        }
    }

    #[track_caller]
    fn check(approvals: &[Approval], expected: usize) {
        let now = Timestamp::from_second(100 * HOUR).expect("a time");
        assert_eq!(approvers(approvals, "anna", "aa", now), expected);
    }

    #[test]
    fn somebody_elses_approval_of_this_plan_counts_for_a_day() {
        check(&[approval("ben", 99 * HOUR, "aa")], 1);
        check(&[approval("ben", 76 * HOUR + 1, "aa")], 1);
        check(&[approval("ben", 76 * HOUR, "aa")], 0);
        check(&[approval("ben", 99 * HOUR, "bb")], 0);
        check(
            &[
                approval("anna", 99 * HOUR, "aa"),
                approval("Anna", 99 * HOUR, "aa"),
            ],
            0,
        );
    }

    #[test]
    fn one_person_counts_once() {
        check(
            &[
                approval("ben", 99 * HOUR, "aa"),
                approval("ben", 98 * HOUR, "aa"),
                approval("carla", 99 * HOUR, "aa"),
            ],
            2,
        );
    }

    #[test]
    fn other_spellings_of_a_name_are_no_other_person() {
        for name in ["anna ", " ANNA", "anna\u{e9}", "anna-", "anna."] {
            check(&[approval(name, 99 * HOUR, "aa")], 0);
        }
        check(
            &[
                approval("anna.b", 99 * HOUR, "aa"),
                approval("anna b", 99 * HOUR, "aa"),
            ],
            1,
        );
        check(
            &[
                approval("дмитрий", 99 * HOUR, "aa"),
                approval("Дмитрий", 99 * HOUR, "aa"),
                approval("юля", 99 * HOUR, "aa"),
            ],
            2,
        );
        check(
            &[
                approval(&format!("{}1", "x".repeat(64)), 99 * HOUR, "aa"),
                approval(&format!("{}2", "x".repeat(64)), 99 * HOUR, "aa"),
            ],
            1,
        );
    }

    #[test]
    fn an_approval_of_the_future_does_not_count() {
        check(&[approval("ben", 100 * HOUR + 60, "aa")], 1);
        check(&[approval("ben", 100 * HOUR + 61, "aa")], 0);
    }
}
