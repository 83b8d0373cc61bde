//! The file of a plan: the plan, its hash, and who approved it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Plan, plan_sha256};
use crate::Timestamp;

/// The form of plan files that this version writes and reads.
pub const SCHEMA: u32 = 1;
/// How long a plan and an approval are good.
pub const APPROVAL_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of two machines may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// Somebody's word that a plan may be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanApproval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The hash of the plan that was looked at.
    pub sha256: String,
}

/// A plan as it is written to a file, for others to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Its form, [`SCHEMA`].
    pub schema: u32,
    /// The plan.
    pub plan: Plan,
    /// The hash of the plan, see [`plan_sha256`].
    pub sha256: String,
    /// Who approved it.
    #[serde(default)]
    pub approvals: Vec<PlanApproval>,
}

/// Why a plan file must not be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// Of a form that this version does not know.
    #[error("a plan file of schema {found}; this version reads schema {SCHEMA}")]
    Schema {
        /// Its form.
        found: u32,
    },
    /// The plan was changed after its hash was written.
    #[error("the plan is not the one that was written: its hash is {found}, the file says {written}")]
    Changed {
        /// The hash of the plan.
        found: String,
        /// The hash in the file.
        written: String,
    },
    /// Older than [`APPROVAL_MAX`].
    #[error("the plan of {at} is older than 24 hours; plan again")]
    Old {
        /// When it was made.
        at: Timestamp,
    },
    /// An approval of something else.
    #[error("{by} approved another plan, of hash {approved}")]
    OtherApproved {
        /// Who.
        by: String,
        /// What was approved.
        approved: String,
    },
    /// An approval older than [`APPROVAL_MAX`].
    #[error("the approval of {by} is older than 24 hours")]
    ApprovalOld {
        /// Who.
        by: String,
    },
    /// A plan or an approval that is yet to be made.
    #[error("{what} is of {at}, which is in the future; is a clock wrong?")]
    Future {
        /// The plan, or whose approval.
        what: String,
        /// When it says it was made.
        at: Timestamp,
    },
}

impl PlanFile {
    /// The file of `plan`, which nobody has approved yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { schema: SCHEMA, sha256: plan_sha256(&plan), plan, approvals: Vec::new() }
    }

    /// Adds an approval of the plan as it is; an earlier one of the same person is replaced.
    pub fn approve(&mut self, by: &str, at: Timestamp) {
        self.approvals.retain(|approval| approval.by != by);
        self.approvals.push(PlanApproval { by: by.to_owned(), at, sha256: plan_sha256(&self.plan) });
    }

    /// Whether the plan is whole, not too old, and every approval is of it and not too old. How many
    /// approvals are needed is not asked here.
    pub fn check(&self, now: Timestamp) -> Result<(), PlanFileError> {
        if self.schema != SCHEMA {
            return Err(PlanFileError::Schema { found: self.schema });
        }
        let found = plan_sha256(&self.plan);
        if found != self.sha256 {
            return Err(PlanFileError::Changed { found, written: self.sha256.clone() });
        }
        let age = |at: Timestamp| now.duration_since(at);
        let future = |what: String, at: Timestamp| PlanFileError::Future { what, at };
        if age(self.plan.at) > APPROVAL_MAX {
            return Err(PlanFileError::Old { at: self.plan.at });
        }
        if age(self.plan.at) < -CLOCKS_APART {
            return Err(future("the plan".to_owned(), self.plan.at));
        }
        for PlanApproval { by, at, sha256 } in &self.approvals {
            if *sha256 != found {
                return Err(PlanFileError::OtherApproved { by: by.clone(), approved: sha256.clone() });
            }
            if age(*at) > APPROVAL_MAX {
                return Err(PlanFileError::ApprovalOld { by: by.clone() });
            }
            if age(*at) < -CLOCKS_APART {
                return Err(future(format!("the approval of {by}"), *at));
            }
        }
        Ok(())
    }

    /// Who approved the plan, its maker left out. Only of a file that passed [`PlanFile::check`].
    #[must_use]
    pub fn approvers(&self) -> BTreeSet<&str> {
        self.approvals.iter().map(|approval| approval.by.as_str()).filter(|by| *by != self.plan.by).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::tests::plan;
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).expect("a time")
    }

    fn approved() -> PlanFile {
        let mut file = PlanFile::new(plan());
        file.approve("bob", at(1));
        file
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut PlanFile), hour: i64, told: Option<&str>) {
        let mut file = approved();
        change(&mut file);
        let error = file.check(at(hour)).err().map(|error| error.to_string());
        match (error, told) {
            (None, None) => {}
            (Some(error), Some(told)) => assert!(error.contains(told), "{error}"),
            (error, told) => panic!("{error:?} instead of {told:?}"),
        }
    }

    #[test]
    fn a_plan_is_good_for_a_day() {
        check(|_| {}, 2, None);
        check(|_| {}, 24, None);
        check(|_| {}, 25, Some("older than 24 hours; plan again"));
        check(|_| {}, 0, Some("the approval of bob is of"));
        check(|_| {}, -1, Some("the plan is of"));
        check(|file| file.approvals[0].at = at(-30), 2, Some("approval of bob is older"));
    }

    #[test]
    fn what_was_changed_is_refused() {
        check(|file| file.schema = 2, 2, Some("schema 2"));
        check(|file| file.plan.target = "elsewhere".to_owned(), 2, Some("not the one that was written"));
        check(|file| file.sha256 = "00".to_owned(), 2, Some("not the one that was written"));
        let other = |file: &mut PlanFile| {
            file.plan.target = "elsewhere".to_owned();
            file.sha256 = plan_sha256(&file.plan);
        };
        check(other, 2, Some("bob approved another plan"));
    }

    #[test]
    fn nobody_approves_the_own_plan() {
        let mut file = approved();
        file.approve("anna", at(1));
        file.approve("bob", at(2));
        assert_eq!((file.approvals.len(), file.approvers()), (2, BTreeSet::from(["bob"])));
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let text = serde_json::to_string_pretty(&approved()).expect("JSON");
        assert_eq!(serde_json::from_str::<PlanFile>(&text).expect("a file"), approved());
        assert!(text.starts_with("{\n  \"schema\": 1,"), "{text}");
    }
}
